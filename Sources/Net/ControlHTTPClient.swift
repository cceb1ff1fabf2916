import HTTP
import MeshBase

/// Where a control-plane server listens.
public enum ControlHTTPTarget: Sendable, Equatable, CustomStringConvertible {
  case address(SocketAddress)
  case unixSocket(String)

  public var description: String {
    switch self {
    case .address(let address): address.description
    case .unixSocket(let path): "unix:\(path)"
    }
  }
}

/// Why there is no (whole) response.
public enum ControlHTTPError: Error, Sendable, CustomStringConvertible {
  case connect(ControlHTTPTarget, SystemError)
  /// The connection could not be secured.
  case handshake(ControlHTTPTarget, TLSHandshakeError)
  /// The server was silent for the time-out.
  case timeout(ControlHTTPTarget)
  /// The connection ended before the response did.
  case closed(ControlHTTPTarget, SystemError?)
  case malformed(ControlHTTPTarget, H1Error)
  case tooLarge(ControlHTTPTarget, max: Int)
  case badRequest(String)

  public var description: String {
    switch self {
    case .connect(let target, let error): "\(target): cannot connect: \(SystemError.text(error.code))"
    case .handshake(let target, let error): "\(target): TLS: \(error)"
    case .timeout(let target): "\(target): no answer in time"
    case .closed(let target, let error):
      "\(target): the connection ended before the response did" + (error.map { ": \(SystemError.text($0.code))" } ?? "")
    case .malformed(let target, let error): "\(target): the response is not valid HTTP, \(error)"
    case .tooLarge(let target, let max): "\(target): the response is larger than \(max) bytes"
    case .badRequest(let message): message
    }
  }
}

/// A response as the control plane's clients see it.
public struct ControlClientResponse: Sendable {
  public var status: Int
  public var headers: ControlHeaders
  public var body: [UInt8]

  public var text: String { String(decoding: body, as: UTF8.self) }
}

/// An HTTP/1.1 client for the control plane: keeps a few connections, and reads responses whole or as they come.
@ControlActor
public final class ControlHTTPClient {
  public struct Options: Sendable {
    public var connectMilliseconds: UInt64 = 3_000
    /// Until the response's head is there, and again for each further piece of its body.
    public var responseMilliseconds: UInt64 = 30_000
    /// Of a response that is read whole.
    public var bodyBytesMax = 64 << 20
    /// Kept open between requests.
    public var idleConnectionsMax = 2
    public var head = H1Limits(lineBytesMax: 8_192, headBytesMax: 65_536, fieldCountMax: 256)

    public init() {}
  }

  /// How a server proves who it is.
  public struct Security: Sendable {
    public var context: TLSClientContext
    /// What the server's certificate must be for.
    public var expectedName: String

    public init(_ context: TLSClientContext, expectedName: String) {
      self.context = context
      self.expectedName = expectedName
    }
  }

  public nonisolated let target: ControlHTTPTarget
  /// Secures connections that are made from now on; `nil`: plain HTTP.
  public var security: Security?
  let options: Options
  private let host: String
  private var idle: [ControlHTTPClientConnection] = []

  /// `host` is what the Host field says; without one, the address.
  public nonisolated init(
    to target: ControlHTTPTarget, host: String? = nil, security: Security? = nil, options: Options = Options()
  ) {
    self.target = target
    self.security = security
    self.options = options
    switch target {
    case .address(let address): self.host = host ?? address.description
    case .unixSocket: self.host = host ?? "localhost"
    }
  }

  public nonisolated convenience init(
    to address: SocketAddress, host: String? = nil, security: Security? = nil, options: Options = Options()
  ) {
    self.init(to: .address(address), host: host, security: security, options: options)
  }

  /// Sends the request and reads the whole response.
  public func request(
    _ method: String = "GET", _ path: String, headers: ControlHeaders = ControlHeaders(), body: [UInt8]? = nil
  ) async throws(ControlHTTPError) -> ControlClientResponse {
    let stream = try await open(method, path, headers: headers, body: body)
    var whole: [UInt8] = []
    while let bytes = try await stream.next() {
      whole += bytes
      if whole.count > options.bodyBytesMax {
        stream.close()
        throw .tooLarge(target, max: options.bodyBytesMax)
      }
    }
    return ControlClientResponse(status: stream.status, headers: stream.headers, body: whole)
  }

  /// Sends the request and reads the response's head; the body comes piece by piece.
  ///
  /// - Parameter responseMilliseconds: other than the options say, as for a question that the server holds back.
  /// - Parameter isRepeatable: whether it may be sent again if a connection turns out to have been closed while it was
  ///   idle; `nil`: as its method says.
  public func open(
    _ method: String = "GET", _ path: String, headers: ControlHeaders = ControlHeaders(), body: [UInt8]? = nil,
    responseMilliseconds: UInt64? = nil, isRepeatable: Bool? = nil
  ) async throws(ControlHTTPError) -> ControlHTTPStream {
    let wait = responseMilliseconds ?? options.responseMilliseconds
    let isRepeatable = isRepeatable ?? Self.isIdempotent(method)
    let bytes = try requestBytes(method, path, headers, body)
    while let connection = idle.popLast() {
      do throws(ControlHTTPError) {
        return try await connection.exchange(bytes, method: method, client: self, waitMilliseconds: wait)
      } catch .closed where !connection.hasAnswered && isRepeatable {
        // It was closed while it was idle: not an answer to this request.
        continue
      }
    }
    let connection = ControlHTTPClientConnection(try await connect(), target: target, limits: options.head)
    return try await connection.exchange(bytes, method: method, client: self, waitMilliseconds: wait)
  }

  /// Closes the connections that are kept; responses that are being read go on.
  public func close() {
    for connection in idle { connection.socket.close() }
    idle = []
  }

  func keep(_ connection: ControlHTTPClientConnection) {
    if idle.count < options.idleConnectionsMax { idle.append(connection) } else { connection.socket.close() }
  }

  private func connect() async throws(ControlHTTPError) -> AsyncSocket {
    do {
      let socket =
        switch target {
        case .address(let address):
          try await AsyncSocket.connect(to: address, timeoutMilliseconds: options.connectMilliseconds)
        case .unixSocket(let path): try AsyncSocket.connect(toUnixSocket: path)
        }
      if let security {
        socket.setDeadline(Clock.now.advanced(byMilliseconds: options.connectMilliseconds))
        do {
          try await socket.startTLS(client: security.context, expectedName: security.expectedName)
        } catch {
          socket.close()
          throw error
        }
        socket.setDeadline(nil)
      }
      return socket
    } catch let error as SystemError {
      throw .connect(target, error)
    } catch let error as TLSHandshakeError {
      throw .handshake(target, error)
    } catch {
      throw .closed(target, nil)
    }
  }

  private static func isIdempotent(_ method: String) -> Bool {
    ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"].contains(method)
  }

  private func requestBytes(_ method: String, _ path: String, _ headers: ControlHeaders, _ body: [UInt8]?)
    throws(ControlHTTPError) -> [UInt8]
  {
    guard FieldSyntax.isToken(Array(method.utf8).span) else {
      throw .badRequest("\"\(method)\" is no method: use letters, as in GET")
    }
    guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
      throw .badRequest("\"\(path)\" is no request target: it begins with / and has other bytes as %xx")
    }
    let out = ByteBuffer(minimumCapacity: 512)
    out.append("\(method) \(path) HTTP/1.1\r\n")
    if headers["Host"] == nil { out.append("Host: \(host)\r\n") }
    for field in headers.fields {
      guard FieldSyntax.isToken(Array(field.name.utf8).span), FieldSyntax.isValidValue(Array(field.value.utf8).span)
      else { throw .badRequest("\(field.name): \"\(field.value)\" is no valid header field") }
      out.append("\(field.name): \(field.value)\r\n")
    }
    // Where a body is usual, its absence is said too (RFC 9110 §8.6).
    if body != nil || ["POST", "PUT", "PATCH"].contains(method) {
      out.append("Content-Length: \(body?.count ?? 0)\r\n")
    }
    out.append("\r\n")
    if let body { out.append(body.span) }
    return Array(out.readable)
  }
}

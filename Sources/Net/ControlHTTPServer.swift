import HTTP
import MeshBase

/// Bounds of what the clients of a control-plane server may cost.
public struct ControlHTTPLimits: Sendable {
  /// Beyond: the oldest idle connection is closed, or the new one is answered with 503.
  public var connectionsMax = 256
  public var head = H1Limits(lineBytesMax: 16_384, headBytesMax: 32_768)
  /// Beyond: 413.
  public var bodyBytesMax = 1 << 20
  /// From the first byte of a request to the end of its head, and again to the end of its body.
  public var requestMilliseconds: UInt64 = 10_000
  /// Without a request.
  public var idleMilliseconds: UInt64 = 60_000
  /// For the client to take one piece of a response.
  public var writeMilliseconds: UInt64 = 30_000

  public init() {}
}

/// A small HTTP/1.1 server for the control plane: persistent connections, pipelining, streamed responses.
///
/// Each connection is a task on the control thread, which is shared: a handler that computes for long must give way.
@ControlActor
public final class ControlHTTPServer {
  public typealias Handler = @ControlActor @Sendable (ControlRequest) async -> ControlResponse

  let limits: ControlHTTPLimits
  let handler: Handler
  /// Secures connections that are accepted from now on; `nil`: plain HTTP.
  public var tls: TLSServerContext?
  private var listener: AsyncListener?
  /// In the order of their arrival.
  private var connections: [ObjectIdentifier: ControlHTTPServerConnection] = [:]
  /// Each connection ends behind its next answer.
  private(set) var isClosing = false
  /// `close` was called: idle ones do not wait for that.
  private(set) var isEnding = false
  /// Where it listens; the port that the kernel chose, if it was asked to. `nil` for a Unix socket.
  public private(set) var address: SocketAddress?

  /// Listens at once.
  public convenience init(
    on address: SocketAddress, tls: TLSServerContext? = nil, limits: ControlHTTPLimits = ControlHTTPLimits(),
    handler: @escaping Handler
  ) throws {
    try self.init(
      listening: ListeningSocket(Socket.listen(on: address, backlog: Self.backlog)), tls: tls, limits: limits,
      handler: handler)
  }

  /// Listens on a Unix socket that its owner alone may use; a socket file that nobody listens on is replaced.
  public convenience init(
    unixSocket path: String, limits: ControlHTTPLimits = ControlHTTPLimits(), handler: @escaping Handler
  ) throws {
    try self.init(
      listening: ListeningSocket(Socket.listen(unixSocket: path, backlog: Self.backlog)), limits: limits,
      handler: handler)
  }

  /// Of its listening socket.
  public static let backlog: Int32 = 256

  /// Goes on with a socket that listens already.
  public init(
    listening socket: ListeningSocket, tls: TLSServerContext? = nil, limits: ControlHTTPLimits = ControlHTTPLimits(),
    handler: @escaping Handler
  ) throws {
    self.tls = tls
    self.limits = limits
    self.handler = handler
    listener = try AsyncListener(descriptor: socket.take()) { [weak self] socket, peer in
      await self?.serve(socket, peer)
    }
    address = listener?.address
  }

  /// A second descriptor of its listening socket, for another process; `nil` if it takes no connections any more.
  public func listeningSocket() throws(SystemError) -> Descriptor? { try listener?.duplicate() }

  /// Takes no more connections; those that are open end behind their next answer, or with `close`.
  public func stopAccepting() {
    isClosing = true
    listener?.close()
    listener = nil
  }

  public var connectionCount: Int { connections.count }

  private func serve(_ socket: AsyncSocket, _ peer: SocketAddress?) async {
    let connection = ControlHTTPServerConnection(socket, peer: peer, server: self)
    if connections.count >= limits.connectionsMax && !closeOneIdle() {
      return await connection.refuse("all \(limits.connectionsMax) connections are in use: close one, or try later")
    }
    connections[ObjectIdentifier(connection)] = connection
    await connection.run()
    connections[ObjectIdentifier(connection)] = nil
  }

  private func closeOneIdle() -> Bool {
    let idle = connections.values.filter(\.isIdle).min { $0.idleSince < $1.idleSince }
    guard let idle else { return false }
    connections[ObjectIdentifier(idle)] = nil
    idle.close()
    return true
  }

  /// Takes no more connections, lets responses that are under way end for so long, and closes what is left.
  public func close(graceMilliseconds: UInt64 = 0) async {
    isEnding = true
    stopAccepting()
    for connection in connections.values where connection.isIdle || connection.isWatching { connection.close() }
    let deadline = Clock.now.advanced(byMilliseconds: graceMilliseconds)
    while !connections.isEmpty && Clock.now < deadline { try? await ControlActor.sleep(milliseconds: 10) }
    for connection in connections.values { connection.close() }
  }
}

/// Takes the pieces of a streamed response body.
@ControlActor
public final class ControlBodyWriter {
  private let send: @ControlActor ([UInt8], _ isUrgent: Bool) async throws -> Void

  init(send: @escaping @ControlActor ([UInt8], _ isUrgent: Bool) async throws -> Void) { self.send = send }

  /// Returns once the kernel has taken the piece; then everybody else on the control thread has had a turn. What is not
  /// urgent waits for an idle processor, see `AsyncSocket.write`.
  public func write(_ bytes: [UInt8], isUrgent: Bool = true) async throws {
    try Task.checkCancellation()
    if !bytes.isEmpty { try await send(bytes, isUrgent) }
    await Task.yield()
  }

  public func write(_ text: String) async throws { try await write(Array(text.utf8)) }
}

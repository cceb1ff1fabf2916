import HTTP
import MeshBase

/// One client of a `ControlHTTPServer`: its requests are read, handled and answered one after the other.
@ControlActor
final class ControlHTTPServerConnection {
  private let socket: AsyncSocket
  private let peer: SocketAddress?
  private unowned let server: ControlHTTPServer
  private let limits: ControlHTTPLimits
  private let input = ByteBuffer()
  private var head = RequestHead()
  /// Between two requests, with nothing of the next one read.
  private(set) var isIdle = true
  private(set) var idleSince = Clock.now
  private var keepAlive = true
  /// A response without end is being written; closing the server ends it at once.
  private(set) var isWatching = false

  /// Why no further request is read.
  private enum End: Error {
    case closed
    case refused(status: Int, String)
  }

  /// Read and dropped behind a refusal, so that closing does not reset the connection before the client has read it.
  private static let lingerBytesMax = 1 << 20
  private static let lingerMilliseconds: UInt64 = 1_000

  init(_ socket: AsyncSocket, peer: SocketAddress?, server: ControlHTTPServer) {
    self.socket = socket
    self.peer = peer
    self.server = server
    limits = server.limits
  }

  func close() { socket.close() }

  func run() async {
    do {
      try await secure()
      while try await serveOne() {}
    } catch End.refused(let status, let message) {
      await refuse(status: status, message)
    } catch {
      // Closed, timed out or reset: there is nobody to tell.
    }
    socket.close()
  }

  private func secure() async throws {
    guard let tls = server.tls, socket.tls == nil else { return }
    setDeadline(limits.requestMilliseconds)
    do {
      try await socket.startTLS(server: tls)
    } catch let error as TLSHandshakeError where error.failure == .plainHTTP {
      var response = ControlResponse.text(status: 400, "this port speaks TLS: use https://")
      response.headers.set("Connection", "close")
      if case .whole(let body) = response.body {
        try await socket.write(Array(headBytes(response, length: body.count)) + body)
        await linger()
      }
      throw End.closed
    }
  }

  func refuse(status: Int = 503, _ message: String) async {
    var response = ControlResponse.text(status: status, message)
    response.headers.set("Connection", "close")
    if status == 503 { response.headers.set("Retry-After", "1") }
    guard case .whole(let body) = response.body else { return }
    guard (try? await secure()) != nil else { return socket.close() }
    setDeadline(limits.writeMilliseconds)
    guard (try? await socket.write(Array(headBytes(response, length: body.count)) + body)) != nil else {
      return socket.close()
    }
    await linger()
  }

  private func linger() async {
    socket.shutdownWrite()
    setDeadline(Self.lingerMilliseconds)
    var dropped = 0
    while dropped < Self.lingerBytesMax, let bytes = try? await socket.read(), !bytes.isEmpty { dropped += bytes.count }
    socket.close()
  }

  private func setDeadline(_ milliseconds: UInt64) {
    socket.setDeadline(Clock.now.advanced(byMilliseconds: milliseconds))
  }

  // MARK: Reading

  /// False when the connection has done its last request.
  private func serveOne() async throws -> Bool {
    isIdle = input.isEmpty
    idleSince = Clock.now
    if server.isEnding && isIdle { return false }
    try await readHead()
    let bytes = input.readable
    let text = { (range: ByteRange) in String(decoding: bytes[range], as: UTF8.self) }
    if head.hasUnknownExpectation {
      throw End.refused(status: 417, "no expectation but 100-continue is known here: send the request without Expect")
    }
    if head.targetForm == .authority || head.targetForm == .asterisk {
      throw End.refused(status: 400, "the target must be a path here, such as /admin/ping")
    }
    var headers = ControlHeaders()
    for field in head.fields { headers.add(text(field.name), text(field.value)) }
    // An absolute target names the host that is meant (RFC 9112 §3.2.2).
    if let host = head.host { headers.set("Host", text(host)) }
    let target = (head.pathNeedsSlash ? "/" : "") + text(head.pathAndQuery)
    var request = ControlRequest(method: text(head.methodRange), target: target, headers: headers, peer: peer)
    let (framing, expectsContinue) = (head.framing, head.expectsContinue)
    let isOld = head.minorVersion == 0
    keepAlive = head.keepAlive
    input.consume(head.length)
    request.body = try await readBody(framing, expectsContinue: expectsContinue)

    let response = await server.handler(request)
    if server.isClosing { keepAlive = false }
    try await write(response, isHead: request.method == "HEAD", isOld: isOld)
    if !keepAlive { await linger() }
    return keepAlive
  }

  private func readHead() async throws {
    var resumeAt = 0
    if !isIdle { setDeadline(limits.requestMilliseconds) }
    while true {
      if !input.isEmpty {
        switch head.parse(input.readable, limits: limits.head, resumeAt: resumeAt) {
        case .complete: return
        case .needMore: resumeAt = head.resumeAt
        case .failed(let error): throw End.refused(status: error.status, "bad request, \(error)")
        }
      }
      if isIdle { setDeadline(limits.idleMilliseconds) }
      let bytes = try await socket.read(max: 16_384)
      guard !bytes.isEmpty else { throw End.closed }
      if isIdle {
        isIdle = false
        setDeadline(limits.requestMilliseconds)
      }
      input.append(bytes.span)
    }
  }

  private func readBody(_ framing: BodyFraming, expectsContinue: Bool) async throws -> [UInt8] {
    let tooLarge = End.refused(
      status: 413, "the body is larger than \(limits.bodyBytesMax) bytes, which is the most that is taken here")
    if case .length(let length) = framing, length > UInt64(limits.bodyBytesMax) { throw tooLarge }
    if framing != .none {
      setDeadline(limits.requestMilliseconds)
      if expectsContinue && input.isEmpty { try await socket.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
    }
    switch framing {
    case .none, .untilClose: return []
    case .length(let length):
      while input.count < Int(length) { try await readMore() }
      let body = Array(input.readable[..<Int(length)])
      input.consume(Int(length))
      return body
    case .chunked:
      var decoder = ChunkedDecoder(limits: limits.head)
      var body: [UInt8] = []
      while true {
        let step = decoder.next(input.readable, from: 0)
        switch step.event {
        case .data(let range):
          body += input.readable[range]
          if body.count > limits.bodyBytesMax { throw tooLarge }
          input.consume(step.consumedTo)
        case .needMore:
          input.consume(step.consumedTo)
          try await readMore()
        case .end:
          input.consume(step.consumedTo)
          return body
        case .failed(let error): throw End.refused(status: error.status, "bad body, \(error)")
        }
      }
    }
  }

  private func readMore() async throws {
    let bytes = try await socket.read(max: 65_536)
    guard !bytes.isEmpty else { throw End.closed }
    input.append(bytes.span)
  }

  // MARK: Writing

  private func headBytes(_ response: ControlResponse, length: Int?) -> [UInt8] {
    let out = ByteBuffer(minimumCapacity: 512)
    out.appendStatusLine(response.status)
    out.append("Date: ")
    out.append(httpDate: Int64(Clock.wallNanoseconds / 1_000_000_000))
    out.append("\r\n")
    for field in response.headers.fields { out.append("\(field.name): \(field.value)\r\n") }
    if let length, response.status >= 200 && response.status != 204 && response.status != 304 {
      out.append("Content-Length: \(length)\r\n")
    }
    out.append("\r\n")
    return Array(out.readable)
  }

  private func write(_ response: ControlResponse, isHead: Bool, isOld: Bool) async throws {
    var response = response
    if case .watch = response.body { keepAlive = false }
    if case .stream = response.body, isOld { keepAlive = false }
    if response.headers["Connection"] == "close" {
      keepAlive = false
    } else if !keepAlive {
      response.headers.add("Connection", "close")
    } else if isOld {
      response.headers.add("Connection", "keep-alive")
    }
    setDeadline(limits.writeMilliseconds)
    switch response.body {
    case .whole(let body):
      let hasBody = !isHead && response.status != 204 && response.status != 304
      try await socket.write(headBytes(response, length: body.count) + (hasBody ? body : []))
    case .stream(let produce):
      try await writeStream(response, produce, isHead: isHead, isOld: isOld)
    case .watch(let produce):
      // Whoever waits for changes writes nothing for hours, and would not notice that the client has gone.
      let producer = Task { @ControlActor in
        try await self.writeStream(response, produce, isHead: isHead, isOld: isOld)
      }
      let observer = Task { @ControlActor [socket] in
        while let bytes = try? await socket.read(max: 4_096), !bytes.isEmpty {}
        producer.cancel()
        socket.close()
      }
      isWatching = true
      do {
        try await producer.value
      } catch {
        observer.cancel()
        throw error
      }
      // The observer lingers for us: it reads until the client closes.
      socket.shutdownWrite()
      setDeadline(Self.lingerMilliseconds)
      await observer.value
    }
  }

  private func writeStream(
    _ response: ControlResponse, _ produce: @ControlActor @Sendable (ControlBodyWriter) async throws -> Void,
    isHead: Bool, isOld: Bool
  ) async throws {
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    var response = response
    if !isOld { response.headers.set("Transfer-Encoding", "chunked") }
    try await socket.write(headBytes(response, length: nil))
    socket.setDeadline(nil)
    if isHead { return }
    let writer = ControlBodyWriter { [socket, limits] bytes, isUrgent in
      socket.setDeadline(Clock.now.advanced(byMilliseconds: limits.writeMilliseconds))
      if isOld {
        try await socket.write(bytes, isUrgent: isUrgent)
      } else {
        let chunk = Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + [0x0d, 0x0a]
        try await socket.write(chunk, isUrgent: isUrgent)
      }
      socket.setDeadline(nil)
    }
    try await produce(writer)
    if !isOld {
      setDeadline(limits.writeMilliseconds)
      try await socket.write(Array("0\r\n\r\n".utf8))
    }
  }
}

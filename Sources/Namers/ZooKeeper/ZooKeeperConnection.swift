import MeshBase
import Net

/// What the servers know us by, over connections.
struct ZooKeeperSession: Equatable {
  /// 0: none yet.
  var id: Int64 = 0
  var password = [UInt8](repeating: 0, count: 16)
  /// The last change we have seen; servers that have seen less refuse us.
  var lastZxid: Int64 = 0
}

/// One connection to one server, with a session agreed on. Requests are answered in their order.
@ControlActor
final class ZooKeeperConnection {
  let address: SocketAddress
  private(set) var session: ZooKeeperSession
  /// As the server granted it.
  let sessionMilliseconds: UInt64
  let since = Clock.now
  /// Why it ended; `nil` while it is alive.
  private(set) var end: ZooKeeperError?
  var onEvent: (@ControlActor (ZooKeeperEvent) -> Void)?

  private let socket: AsyncSocket
  private var input: [UInt8]
  private var output: [UInt8] = []
  private var isWriting = false
  private var isClosing = false
  private var nextXid: Int32 = 1
  private struct Request {
    let xid: Int32
    let done: @ControlActor (Result<ZooKeeperReader, ZooKeeperError>) -> Void
  }
  /// In the order in which the answers come.
  private var requests: [Request] = []
  private var answered = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private lazy var pingTimer = ControlTimer { [weak self] in self?.ping() }

  private init(
    _ address: SocketAddress, _ socket: AsyncSocket, _ session: ZooKeeperSession, sessionMilliseconds: UInt64,
    input: [UInt8]
  ) {
    self.address = address
    self.socket = socket
    self.session = session
    self.sessionMilliseconds = sessionMilliseconds
    self.input = input
  }

  /// Connects and agrees on a session: the given one, or a new one where its id is 0.
  static func open(
    to address: SocketAddress, session: ZooKeeperSession, sessionMilliseconds: UInt64, connectMilliseconds: UInt64
  ) async throws(ZooKeeperError) -> ZooKeeperConnection {
    let socket: AsyncSocket
    do {
      socket = try await AsyncSocket.connect(to: address, timeoutMilliseconds: connectMilliseconds)
    } catch {
      throw .connection(address, text(error))
    }
    socket.setDeadline(Clock.now.advanced(byMilliseconds: connectMilliseconds))
    var hello = ZooKeeperWriter()
    hello.int(0)
    hello.long(session.lastZxid)
    hello.int(Int32(clamping: sessionMilliseconds))
    hello.long(session.id)
    hello.buffer(session.password)
    // Whether a server without a quorum would do.
    hello.bool(false)
    var input: [UInt8] = []
    do {
      try await socket.write(hello.frame)
      while true {
        if let frame = try ZooKeeperFrame.first(in: input) {
          var reader = ZooKeeperReader(frame)
          _ = try reader.int()
          let granted = try reader.int()
          var session = session
          session.id = try reader.long()
          session.password = try reader.buffer()
          guard granted > 0 else { throw ZooKeeperError.sessionExpired }
          input.removeFirst(4 + frame.count)
          let connection = ZooKeeperConnection(
            address, socket, session, sessionMilliseconds: UInt64(granted), input: input)
          connection.start()
          return connection
        }
        let bytes = try await socket.read()
        if bytes.isEmpty { throw ZooKeeperError.refused(address) }
        input += bytes
      }
    } catch {
      socket.close()
      if let error = error as? ZooKeeperError { throw error }
      throw isReset(error) ? .refused(address) : .connection(address, text(error))
    }
  }

  private static func text(_ error: any Error) -> String {
    guard let error = error as? SystemError else { return "\(error)" }
    return error.isTimeout ? "no answer in time" : SystemError.text(error.code)
  }

  private static func isReset(_ error: any Error) -> Bool { (error as? SystemError)?.isReset ?? false }

  private func start() {
    heard()
    ping()
    Task { @ControlActor in await readAll() }
  }

  /// Pings go out every third of the session's time-out; two thirds without a word, and the server is taken for dead.
  private func heard() {
    socket.setDeadline(Clock.now.advanced(byMilliseconds: sessionMilliseconds * 2 / 3))
  }

  private func ping() {
    guard end == nil else { return }
    var message = ZooKeeperWriter()
    message.int(ZooKeeperXid.ping)
    message.int(ZooKeeperOperation.ping.rawValue)
    send(message)
    pingTimer.set(milliseconds: max(1, sessionMilliseconds / 3))
  }

  /// `done` is called once, with the answer or with why there is none.
  func request(
    _ operation: Int32, xid: Int32? = nil, _ body: (inout ZooKeeperWriter) -> Void,
    _ done: @escaping @ControlActor (Result<ZooKeeperReader, ZooKeeperError>) -> Void
  ) {
    if let end { return done(.failure(end)) }
    let number = xid ?? nextXid
    if xid == nil { nextXid = nextXid == .max ? 1 : nextXid + 1 }
    requests.append(Request(xid: number, done: done))
    var message = ZooKeeperWriter()
    message.int(number)
    message.int(operation)
    body(&message)
    send(message)
  }

  func request(
    _ operation: ZooKeeperOperation, xid: Int32? = nil, _ body: (inout ZooKeeperWriter) -> Void,
    _ done: @escaping @ControlActor (Result<ZooKeeperReader, ZooKeeperError>) -> Void
  ) {
    request(operation.rawValue, xid: xid, body, done)
  }

  /// Ends the session as well, so that the server forgets our watches now.
  func close() {
    guard end == nil, !isClosing else { return }
    isClosing = true
    var message = ZooKeeperWriter()
    message.int(nextXid)
    message.int(ZooKeeperOperation.closeSession.rawValue)
    send(message)
  }

  /// Returns when the connection has ended.
  func untilEnd() async {
    if end != nil { return }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func send(_ message: ZooKeeperWriter) {
    output += message.frame
    guard !isWriting, end == nil else { return }
    isWriting = true
    Task { @ControlActor in
      while !output.isEmpty, end == nil {
        let bytes = output
        output = []
        do { try await socket.write(bytes) } catch { stop(.connection(address, Self.text(error))) }
      }
      isWriting = false
      if isClosing { stop(.connection(address, "closed")) }
    }
  }

  private func readAll() async {
    do {
      while end == nil {
        try receive()
        let bytes = try await socket.read(max: 262_144)
        if bytes.isEmpty { return stop(.connection(address, "the server closed the connection")) }
        heard()
        input += bytes
      }
    } catch let error as ZooKeeperError {
      stop(error)
    } catch {
      stop(.connection(address, Self.text(error)))
    }
  }

  /// Handles the whole messages that are there.
  private func receive() throws(ZooKeeperError) {
    var offset = 0
    while end == nil, let frame = try ZooKeeperFrame.first(in: input, from: offset) {
      try received(frame)
      offset = frame.endIndex
    }
    input.removeFirst(offset)
  }

  private func received(_ frame: ArraySlice<UInt8>) throws(ZooKeeperError) {
    var reader = ZooKeeperReader(frame)
    let xid = try reader.int()
    let zxid = try reader.long()
    let error = ZooKeeperError(code: try reader.int())
    switch xid {
    case ZooKeeperXid.ping: return
    case ZooKeeperXid.event:
      if let event = try ZooKeeperEvent(&reader) { onEvent?(event) }
      return
    default: break
    }
    guard answered < requests.count, requests[answered].xid == xid else {
      throw .malformed("an answer to request \(xid), which is not due")
    }
    if zxid > 0 { session.lastZxid = max(session.lastZxid, zxid) }
    let request = requests[answered]
    answered += 1
    if answered == requests.count || answered > 1_024 {
      requests.removeFirst(answered)
      answered = 0
    }
    request.done(error.map { .failure($0) } ?? .success(reader))
  }

  func stop(_ error: ZooKeeperError) {
    guard end == nil else { return }
    end = error
    pingTimer.cancel()
    socket.close()
    onEvent = nil
    let unanswered = requests[answered...]
    requests = []
    answered = 0
    for request in unanswered { request.done(.failure(error)) }
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}

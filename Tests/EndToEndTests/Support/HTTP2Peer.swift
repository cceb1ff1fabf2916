import Foundation
import HTTP
import MeshBase
import Synchronization

import class Net.Locked

/// What has come on one stream.
struct HTTP2Message: Sendable {
  /// Each 1xx head, as HTTP/1.1 text.
  var informational: [String] = []
  /// As HTTP/1.1 text: `:authority` stands in Host, pseudo-header fields in the start line.
  var head = ""
  var body: [UInt8] = []
  /// Bytes of the body, which is kept only up to `HTTP2Peer.keptBodyBytes`.
  var bodyBytes = 0
  var trailers = ""
  var hasHead = false
  /// The other end has sent all of it.
  var hasEnded = false
  /// The stream is gone.
  var closed: HTTP2ErrorCode?
  var isTooLarge = false

  var bodyText: String { text(body) }
  var startLine: String { String(head.prefix { $0 != "\r\n" }) }
  var status: Int { Int(head.split(separator: " ").dropFirst().first.map { $0.prefix(3) } ?? "") ?? 0 }
  /// Whole, and not ended by a reset.
  var isComplete: Bool { hasHead && hasEnded && (closed == nil || closed == .noError) }

  /// Values of the field, in order.
  func all(_ name: String) -> [String] {
    (head + trailers).components(separatedBy: "\r\n").compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
      return parts[1].trimmingCharacters(in: .whitespaces)
    }
  }

  subscript(_ name: String) -> String? { all(name).first }

  /// The failure's word in `l5d-err`.
  var reasonWord: String? { self["l5d-err"].map { String($0.prefix { $0 != ";" }) } }
}

/// One end of an HTTP/2 connection over a blocking socket: a thread reads, whoever sends also writes.
final class HTTP2Peer: @unchecked Sendable {
  /// A stream of this connection, valid for as long as the peer lives.
  final class Stream: HTTP2Stream, @unchecked Sendable {
    unowned let peer: HTTP2Peer
    fileprivate var message = HTTP2Message()
    fileprivate var isHeld = false
    fileprivate var onHead: (@Sendable (Stream) -> Void)?

    fileprivate init(_ peer: HTTP2Peer) { self.peer = peer }

    /// What has come so far.
    var current: HTTP2Message { peer.locked { message } }

    /// Waits until what has come is as wished, or the connection or the stream is over, or 10 s have passed.
    @discardableResult
    func wait(seconds: Double = 10, until isEnough: (HTTP2Message) -> Bool) -> HTTP2Message {
      peer.wait(seconds: seconds) { isEnough(message) || message.closed != nil }
      return current
    }

    /// Waits for the whole message, or the end of the stream.
    @discardableResult func finished(seconds: Double = 10) -> HTTP2Message {
      wait(seconds: seconds) { $0.hasEnded }
    }
    @discardableResult func gone(seconds: Double = 10) -> HTTP2Message { wait(seconds: seconds) { _ in false } }

    func send(_ text: String) { send(wire(text)) }
    func send(_ bytes: [UInt8]) {
      peer.act { session in bytes.withUnsafeBytes { session.send(self, $0) } }
    }
    func end(trailers: String? = nil) {
      peer.act { session in
        if let trailers {
          wire(trailers).withUnsafeBytes { _ = session.end(self, trailers: $0) }
        } else {
          session.end(self)
        }
      }
    }
    func reset(_ code: HTTP2ErrorCode) { peer.act { $0.reset(self, code: code) } }
    /// Behind the whole answer the caller is told to send no more (RFC 9113 §8.1); `reset` would take back what waits.
    func stopInput() { peer.act { $0.stopInput(self) } }

    /// The head of a response, HTTP/1.1 text with its blank line.
    func respond(_ head: String, end: Bool = false) {
      peer.act { session in wire(head).withUnsafeBytes { _ = session.submitResponse(self, head: $0, end: end) } }
    }
    func inform(_ head: String) {
      peer.act { session in wire(head).withUnsafeBytes { _ = session.submitInformational(self, head: $0) } }
    }
    /// A whole response.
    func answer(_ head: String, _ body: String = "") {
      respond(head, end: body.isEmpty)
      if !body.isEmpty {
        send(body)
        end()
      }
    }

    /// Bytes that wait to be sent, for want of window or of a reader.
    var waiting: Int { peer.locked { queuedBytes } }

    /// What comes is taken no more, so that the window closes; or it is again.
    func hold(_ isHeld: Bool) {
      peer.act { session in
        self.isHeld = isHeld
        if !isHeld { session.consumed(self, unconsumedBytes) }
      }
    }
  }

  /// Bytes of a body that are kept to be looked at.
  static let keptBodyBytes = 1 << 20

  let socket: RawSocket
  private let condition = NSCondition()
  private var session: HTTP2Session!
  private var delegate: Delegate!
  private let isServer: Bool
  private(set) var streams: [Stream] = []
  private var isOver = false
  private var goawayCode: HTTP2ErrorCode?
  private var goawayLast: Int32 = 0
  private var pongs: [UInt64] = []
  private let serve: (@Sendable (Stream) -> Void)?
  /// Streams are served each in a thread of its own.
  private let threads = DispatchQueue(label: "streams", attributes: .concurrent)

  private final class Delegate: HTTP2Delegate {
    unowned let peer: HTTP2Peer
    init(_ peer: HTTP2Peer) { self.peer = peer }
    private func own(_ stream: HTTP2Stream) -> Stream { unsafeDowncast(stream, to: Stream.self) }

    override func newStream() -> Unretained<HTTP2Stream> {
      let stream = Stream(peer)
      peer.streams.append(stream)
      return Unretained(stream)
    }
    override func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
      head(own(stream), text, endStream)
      peer.serveStream(own(stream))
    }
    override func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
      head(own(stream), text, endStream)
    }
    private func head(_ stream: Stream, _ bytes: UnsafeRawBufferPointer, _ endStream: Bool) {
      stream.message.head = text(bytes)
      stream.message.hasHead = true
      stream.message.hasEnded = endStream
    }
    override func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) { own(stream).message.isTooLarge = true }
    override func informational(_ stream: HTTP2Stream, text bytes: UnsafeRawBufferPointer) {
      own(stream).message.informational.append(text(bytes))
    }
    override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
      let stream = own(stream)
      stream.message.bodyBytes += bytes.count
      if stream.message.body.count < HTTP2Peer.keptBodyBytes { stream.message.body += bytes }
      if !stream.isHeld { peer.session.consumed(stream, bytes.count) }
    }
    override func trailers(_ stream: HTTP2Stream, text bytes: UnsafeRawBufferPointer) {
      own(stream).message.trailers = text(bytes)
    }
    override func ended(_ stream: HTTP2Stream) { own(stream).message.hasEnded = true }
    override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) { own(stream).message.closed = code }
    override func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer) {
      peer.goawayCode = code
      peer.goawayLast = lastStreamID
    }
    override func pingAcked(_ payload: UInt64) { peer.pongs.append(payload) }
  }

  /// A caller's end. `settings` are what it announces.
  convenience init(connectingTo port: Int, settings: HTTP2Settings = HTTP2Settings()) throws {
    self.init(try RawSocket(connectingTo: port), .client, settings, serve: nil)
  }

  /// The end of a backend; `serve` is called for each request as soon as its head is in, in a thread of its own.
  init(
    _ socket: RawSocket, _ role: HTTP2Role, _ settings: HTTP2Settings, serve: (@Sendable (Stream) -> Void)?
  ) {
    self.socket = socket
    self.serve = serve
    isServer = role == .server
    delegate = Delegate(self)
    var limits = HTTP2Limits()
    limits.rapidResets = HTTP2Rate(burst: 1 << 20, perSecond: 1 << 20)
    limits.provokedResets = limits.rapidResets
    session = HTTP2Session(role: role, settings: settings, limits: limits, delegate: delegate)
    act { _ in }
    let thread = Thread { [self] in
      while let bytes = socket.receiveSome() {
        locked {
          session.now = Self.now
          if !isOver { _ = bytes.withUnsafeBytes { session.receive($0, now: Self.now) } }
          write()
          condition.broadcast()
        }
      }
      locked {
        isOver = true
        session.abandon()
        condition.broadcast()
      }
    }
    thread.stackSize = 1 << 19
    thread.start()
  }

  private static var now: MonotonicInstant { MonotonicInstant(nanoseconds: DispatchTime.now().uptimeNanoseconds) }

  private func serveStream(_ stream: Stream) {
    guard let serve else { return }
    let thread = Thread { serve(stream) }
    thread.stackSize = 1 << 18
    thread.start()
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    condition.lock()
    defer { condition.unlock() }
    return body()
  }

  private func wait(seconds: Double, until isDone: () -> Bool) {
    let deadline = Date().addingTimeInterval(seconds)
    condition.lock()
    while !isDone() && !isOver && condition.wait(until: deadline) {}
    condition.unlock()
  }

  /// Calls the session and writes what it has to say.
  fileprivate func act(_ body: (HTTP2Session) -> Void) {
    locked {
      guard !isOver else { return }
      session.now = Self.now
      body(session)
      write()
    }
  }

  private func write() {
    let buffer = ByteBuffer()
    while true {
      let hasMore = session.takeOutput(into: buffer, upTo: 1 << 20)
      if buffer.isEmpty { return }
      socket.send(Array(buffer.readable))
      buffer.removeAll()
      if !hasMore { return }
    }
  }

  // MARK: The connection

  /// Opens a stream; nil if the other end takes no more.
  func open(_ head: String, end: Bool = true, extended: Bool = false) -> Stream? {
    let stream = Stream(self)
    var refusal: HTTP2Refusal?
    act { session in
      refusal = wire(head).withUnsafeBytes {
        session.submitRequest(stream, head: $0, isHTTPS: false, end: end, extended: extended)
      }
      if refusal == nil { streams.append(stream) }
    }
    return refusal == nil ? stream : nil
  }

  /// A request to a service by its name; `fields` with their CRLF.
  func request(
    _ name: String, _ method: String = "GET", _ target: String = "/", fields: String = "", end: Bool = true,
    extended: Bool = false
  ) -> Stream {
    guard
      let stream = open("\(method) \(target) HTTP/1.1\r\nHost: \(name)\r\n\(fields)\r\n", end: end, extended: extended)
    else { fatalError("the stream was not opened") }
    return stream
  }

  func get(_ name: String, _ target: String = "/", fields: String = "") -> HTTP2Message {
    request(name, "GET", target, fields: fields).finished()
  }

  func goaway() { act { $0.goaway(code: .noError) } }
  func ping(_ payload: UInt64) { act { $0.ping(payload) } }
  /// Bytes past the session: frames of one's own.
  func sendRaw(_ bytes: [UInt8]) { locked { _ = socket.send(bytes) } }

  /// Waits until the other end's settings are known.
  func settled() -> HTTP2Peer {
    wait(seconds: 10) { session.prefaceReceived }
    return self
  }
  var takesExtendedConnect: Bool { locked { session.peerTakesExtendedConnect } }
  var maxConcurrentStreams: Int { locked { session.peerMaxConcurrentStreams } }
  /// Of the last GOAWAY that came.
  var goawayReceived: (code: HTTP2ErrorCode, last: Int32)? { locked { goawayCode.map { ($0, goawayLast) } } }
  func waitForGoaway(seconds: Double = 10) -> HTTP2ErrorCode? {
    wait(seconds: seconds) { goawayCode != nil }
    return locked { goawayCode }
  }
  func waitForEnd(seconds: Double = 10) -> Bool {
    wait(seconds: seconds) { false }
    return locked { isOver }
  }
  func waitForPong(seconds: Double = 10) -> Bool {
    wait(seconds: seconds) { !pongs.isEmpty }
    return locked { !pongs.isEmpty }
  }
  var isEnded: Bool { locked { isOver } }
  var all: [Stream] { locked { streams } }

  /// Ends the connection at once: FIN, or RST.
  func close(reset: Bool = false) {
    if reset { socket.resetNow() } else { socket.shutdownNow() }
  }
}

/// A server of HTTP/2 by prior knowledge that does as the script says; every request is remembered.
final class HTTP2Backend: Sendable {
  let backend: Backend
  private let peers: Locked<[HTTP2Peer]>

  var port: Int { backend.port }
  /// One for each connection, in order.
  var connections: [HTTP2Peer] { peers.withLock { $0 } }
  /// Every request that came, over all connections.
  var requests: [HTTP2Peer.Stream] { connections.flatMap(\.all) }

  init(settings: HTTP2Settings = HTTP2Settings(), _ serve: @escaping @Sendable (HTTP2Peer.Stream) -> Void) {
    let peers = Locked<[HTTP2Peer]>([])
    self.peers = peers
    backend = Backend { connection in
      let peer = HTTP2Peer(connection.socket, .server, settings, serve: serve)
      peers.withLock { $0.append(peer) }
      _ = peer.waitForEnd(seconds: 600)
    }
  }

  /// The same answer to every request, once it has come whole.
  convenience init(answering body: String = "ok", head: String = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") {
    self.init { stream in
      stream.finished()
      stream.answer(head, body)
    }
  }
}

extension RawSocket {
  /// Blocks for whatever comes next; nil at the end. For a reader in a thread of its own.
  func receiveSome() -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count < 0 && errno == EINTR { continue }
      return count > 0 ? Array(chunk[..<count]) : nil
    }
  }

  /// Ends both directions while another thread may be reading.
  func shutdownNow() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// The same with RST: what is unread in the kernel makes it one, and so does this.
  func resetNow() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    // AF_UNSPEC disconnects, which sends RST and wakes the reader.
    var address = sockaddr()
    address.sa_family = sa_family_t(AF_UNSPEC)
    connect(descriptor, &address, socklen_t(MemoryLayout<sockaddr>.size))
  }
}

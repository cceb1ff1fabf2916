import HTTP
import MeshBase

/// A stream that remembers what it was told.
final class RecordedStream: HTTP2Stream {
  var head = ""
  var informational: [String] = []
  var body: [UInt8] = []
  var trailers: String?
  var hasHead = false
  var hasEnded = false
  var isTooLarge = false
  var closedWith: [HTTP2ErrorCode] = []
  var drained = 0
}

/// One end of a connection in memory.
final class HTTP2End: HTTP2Delegate {
  private(set) var session: HTTP2Session!
  private let workshop = HTTP2Workshop()
  var streams: [RecordedStream] = []
  var goaways: [(last: Int32, code: HTTP2ErrorCode)] = []
  var pings: [UInt64] = []
  var settingsCount = 0
  var buffersOut = 0
  /// Whether body bytes are taken as they come.
  var consumes = true
  var failure: HTTP2Failure?
  var onHead: ((RecordedStream) -> Void)?
  var onData: ((RecordedStream) -> Void)?
  var onEnd: ((RecordedStream) -> Void)?
  var onDrained: ((RecordedStream) -> Void)?

  init(
    _ role: HTTP2Role, _ settings: HTTP2Settings = HTTP2Settings(), limits: HTTP2Limits = HTTP2Limits()
  ) {
    super.init()
    session = HTTP2Session(role: role, settings: settings, limits: limits, workshop: workshop, delegate: self)
  }

  deinit { session.abandon() }

  /// A worker's look at its sessions: one that was not used since the last is parked, if it can be.
  func look() {
    workshop.awake.beginRound()
    _ = workshop.awake.parkIdle(looks: 1, parks: 1)
  }

  /// Long enough to be parked.
  func rest() {
    for _ in 0..<2 { look() }
  }

  private func own(_ stream: HTTP2Stream) -> RecordedStream { unsafeDowncast(stream, to: RecordedStream.self) }

  override func takeBuffer() -> ByteBuffer {
    buffersOut += 1
    return ByteBuffer()
  }

  override func giveBack(_ buffer: consuming ByteBuffer) {
    precondition(buffer.isEmpty)
    buffersOut -= 1
  }

  override func newStream() -> Unretained<HTTP2Stream> {
    let stream = RecordedStream()
    streams.append(stream)
    return Unretained(stream)
  }

  override func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    head(own(stream), text, endStream)
  }

  override func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    head(own(stream), text, endStream)
  }

  private func head(_ stream: RecordedStream, _ text: UnsafeRawBufferPointer, _ endStream: Bool) {
    precondition(!stream.hasHead)
    stream.hasHead = true
    stream.head = String(decoding: text, as: UTF8.self)
    onHead?(stream)
    if endStream {
      stream.hasEnded = true
      onEnd?(stream)
    }
  }

  override func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) { own(stream).isTooLarge = true }

  override func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    own(stream).informational.append(String(decoding: text, as: UTF8.self))
  }

  override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    own(stream).body.append(contentsOf: bytes)
    if consumes { session.consumed(stream, bytes.count) }
    onData?(own(stream))
  }

  override func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    own(stream).trailers = String(decoding: text, as: UTF8.self)
  }

  override func ended(_ stream: HTTP2Stream) {
    precondition(!own(stream).hasEnded)
    own(stream).hasEnded = true
    onEnd?(own(stream))
  }

  override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) { own(stream).closedWith.append(code) }

  override func outputDrained(_ stream: HTTP2Stream) {
    own(stream).drained += 1
    onDrained?(own(stream))
  }

  override func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer) {
    goaways.append((lastStreamID, code))
  }

  override func settingsReceived() { settingsCount += 1 }
  override func pingAcked(_ payload: UInt64) { pings.append(payload) }

  /// Takes bytes in; remembers a failure.
  func receive(_ bytes: [UInt8], at now: UInt64 = 0) {
    let result = bytes.withUnsafeBytes { session.receive($0, now: MonotonicInstant(nanoseconds: now)) }
    failure = failure ?? result
  }

  /// All that is ready, in pieces of at most about `limit` bytes.
  func output(limit: Int = 1 << 20) -> [UInt8] {
    let buffer = ByteBuffer()
    var all: [UInt8] = []
    var more = true
    while more {
      more = session.takeOutput(into: buffer, upTo: limit)
      all.append(contentsOf: buffer.readable)
      buffer.removeAll()
    }
    return all
  }

  func request(_ head: String, end: Bool = true, extended: Bool = false) -> RecordedStream {
    let stream = RecordedStream()
    let refusal = bytes(head).withUnsafeBytes {
      session.submitRequest(stream, head: $0, isHTTPS: false, end: end, extended: extended)
    }
    precondition(refusal == nil, "\(String(describing: refusal))")
    streams.append(stream)
    return stream
  }

  @discardableResult
  func respond(_ stream: HTTP2Stream, _ head: String, end: Bool = true) -> Bool {
    bytes(head).withUnsafeBytes { session.submitResponse(stream, head: $0, end: end) }
  }

  func send(_ stream: HTTP2Stream, _ body: [UInt8]) { body.withUnsafeBytes { session.send(stream, $0) } }

  @discardableResult
  func end(_ stream: HTTP2Stream, trailers: String? = nil) -> Bool {
    guard let trailers else { return session.end(stream) }
    return bytes(trailers).withUnsafeBytes { session.end(stream, trailers: $0) }
  }
}

/// A client and a server, joined.
struct HTTP2Pair {
  let client: HTTP2End
  let server: HTTP2End
  var now: UInt64 = 0

  init(client: HTTP2Settings = HTTP2Settings(), server: HTTP2Settings = HTTP2Settings()) {
    self.client = HTTP2End(.client, client)
    self.server = HTTP2End(.server, server)
  }

  /// Carries bytes both ways until neither end has more to say; whole, or in pieces of random size.
  mutating func settle(_ random: inout SeededRandom, pieces: Int? = nil) {
    while true {
      let up = client.output(limit: pieces ?? 1 << 20)
      deliver(up, to: server, &random, pieces)
      let down = server.output(limit: pieces ?? 1 << 20)
      deliver(down, to: client, &random, pieces)
      if up.isEmpty && down.isEmpty { return }
      now += 1_000_000
    }
  }

  mutating func settle() {
    var random = SeededRandom(seed: 1)
    settle(&random)
  }

  private func deliver(_ bytes: [UInt8], to end: HTTP2End, _ random: inout SeededRandom, _ pieces: Int?) {
    guard let pieces else { return bytes.isEmpty ? () : end.receive(bytes, at: now) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = min(rest.count, 1 + Int(random.next() % UInt64(pieces)))
      if random.next() % 4 == 0 { end.rest() }
      end.receive(Array(rest.prefix(count)), at: now)
      rest = rest.dropFirst(count)
    }
  }
}

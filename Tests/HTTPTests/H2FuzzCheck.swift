import HTTP
import MeshBase

/// What holds for an HTTP/2 session on any input. The first byte chooses the role and what its owner does, the second
/// how the input is cut, the rest is what the peer sends after its preface and settings. A broken law ends the process.
func checkH2Laws(_ input: [UInt8]) {
  guard input.count > 2 else { return }
  let isServer = input[0] & 1 == 0
  var peer: [UInt8] = isServer ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) : []
  peer += [0, 0, 0, 4, 0, 0, 0, 0, 0]
  peer += input[2...]
  let whole = H2FuzzOwner(isServer ? .server : .client, manner: input[0])
  whole.run(peer, cut: peer.count)
  let pieces = H2FuzzOwner(isServer ? .server : .client, manner: input[0])
  pieces.run(peer, cut: 1 + Int(input[1] % 31))
  // How the bytes come in does not matter to what they say. (Answers may: an owner that answers between two pieces
  // closes streams earlier, so only owners that keep still can be compared.)
  if input[0] & 6 == 0 {
    precondition(whole.seen == pieces.seen, "depends on the pieces: \(whole.seen) and \(pieces.seen)")
  }
}

private final class H2FuzzStream: HTTP2Stream {
  var heads = 0
  var ends = 0
  var closes = 0
}

private final class H2FuzzOwner: HTTP2Delegate {
  private var session: HTTP2Session!
  private let workshop = HTTP2Workshop()
  private let manner: UInt8
  private var streams: [H2FuzzStream] = []
  private var buffers = 0
  private var request = RequestHead()
  private var response = ResponseHead()
  private let limits = H1Limits(lineBytesMax: 1 << 20, headBytesMax: 1 << 22, fieldCountMax: 8_192)
  /// Heads and bodies in the order of their coming.
  private(set) var seen: [String] = []

  init(_ role: HTTP2Role, manner: UInt8) {
    self.manner = manner
    var settings = HTTP2Settings()
    settings.maxHeaderListBytes = 2_048
    settings.maxConcurrentStreams = 8
    settings.receiveBufferBytesMax = 100_000
    super.init()
    session = HTTP2Session(role: role, settings: settings, workshop: workshop, delegate: self)
  }

  func run(_ peer: [UInt8], cut: Int) {
    let out = ByteBuffer()
    if session.role == .client {
      for _ in 0..<3 { submitRequest() }
    }
    var offset = 0
    var now: UInt64 = 0
    while offset < peer.count {
      let end = min(peer.count, offset + cut)
      now += 1_000_000
      let failure = peer[offset..<end].withUnsafeBytes { session.receive($0, now: MonotonicInstant(nanoseconds: now)) }
      offset = end
      // An owner that keeps still writes only at the end.
      if manner & 6 != 0 || failure != nil { write(out, Int(manner) * 16 + 1) }
      if failure != nil { break }
      // Nor does it matter how long it takes: a session that can be parked is.
      for _ in 0..<2 {
        workshop.awake.beginRound()
        _ = workshop.awake.parkIdle(looks: 1, parks: 1)
      }
    }
    write(out, 1 << 20)
    precondition(session.unconsumedBytes >= 0 && session.heldHeadBytes >= 0, "a negative count")
    session.abandon()
    precondition(
      session.streamCount == 0 && session.unconsumedBytes == 0 && session.heldHeadBytes == 0, "not all let go")
    precondition(buffers == 0, "a buffer was not given back")
    for stream in streams {
      precondition(stream.closes == 1 && !stream.isOpen, "a stream closed \(stream.closes) times")
    }
  }

  private func write(_ out: ByteBuffer, _ limit: Int) {
    var rounds = 0
    while session.takeOutput(into: out, upTo: limit) {
      precondition(!out.isEmpty, "more, but nothing came")
      out.removeAll()
      rounds += 1
      precondition(rounds < 100_000, "output without end")
    }
    out.removeAll()
  }

  private func submitRequest() {
    let stream = H2FuzzStream()
    let head = Array("POST / HTTP/1.1\r\nHost: web\r\n\r\n".utf8)
    let refusal = head.withUnsafeBytes { session.submitRequest(stream, head: $0, isHTTPS: false, end: false) }
    precondition(refusal == nil)
    streams.append(stream)
    stream.heads = 0
    [UInt8](repeating: 1, count: 40_000).withUnsafeBytes { session.send(stream, $0) }
    session.end(stream)
  }

  private func own(_ stream: HTTP2Stream) -> H2FuzzStream {
    let own = unsafeDowncast(stream, to: H2FuzzStream.self)
    precondition(own.closes == 0, "an event after the close")
    return own
  }

  override func takeBuffer() -> ByteBuffer {
    buffers += 1
    return ByteBuffer()
  }

  override func giveBack(_ buffer: consuming ByteBuffer) {
    precondition(buffer.isEmpty, "a buffer came back with bytes")
    buffers -= 1
  }

  override func newStream() -> Unretained<HTTP2Stream> {
    let stream = H2FuzzStream()
    streams.append(stream)
    return Unretained(stream)
  }

  override func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    let own = own(stream)
    own.heads += 1
    precondition(own.heads == 1, "two request heads")
    checkLines(text, isHead: true)
    // The text is one head, to its last byte: nothing in a field ends it early or runs beyond it.
    switch request.parse(text, limits: limits) {
    case .complete: precondition(request.length == text.count, "a head within the head")
    case .needMore: preconditionFailure("a head without end")
    case .failed: break
    }
    seen.append("\(stream.id) \(endStream) \(String(decoding: text, as: UTF8.self))")
    switch manner >> 1 & 3 {
    case 1:
      Array("HTTP/1.1 200 OK\r\nX: y\r\n\r\n".utf8).withUnsafeBytes { head in
        _ = session.submitResponse(stream, head: head, end: false)
      }
      [UInt8](repeating: 2, count: 20_000).withUnsafeBytes { session.send(stream, $0) }
      Array("grpc-status: 0\r\n".utf8).withUnsafeBytes { _ = session.end(stream, trailers: $0) }
    case 2: session.reset(stream, code: .cancel)
    default: break
    }
  }

  override func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) { session.reset(own(stream), code: .cancel) }

  override func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    _ = own(stream)
    checkResponse(text)
    precondition(response.isInformational, "a final head as informational")
  }

  override func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    let own = own(stream)
    own.heads += 1
    precondition(own.heads == 1, "two response heads")
    checkResponse(text)
    precondition(!response.isInformational, "an informational head as final")
    seen.append("\(stream.id) \(endStream) \(String(decoding: text, as: UTF8.self))")
    if manner & 4 != 0 { session.reset(stream, code: .cancel) }
  }

  private func checkResponse(_ text: UnsafeRawBufferPointer) {
    checkLines(text, isHead: true)
    switch response.parse(text, requestMethod: .get, limits: limits) {
    case .complete: precondition(response.length == text.count, "a head within the head")
    case .needMore: preconditionFailure("a head without end")
    case .failed: break
    }
  }

  /// CR and LF end lines and stand nowhere else; only the last line of a head is empty.
  private func checkLines(_ text: UnsafeRawBufferPointer, isHead: Bool) {
    var line = 0
    for (index, byte) in text.enumerated() {
      precondition(byte != 0 && (byte >= 0x20 || [9, 10, 13].contains(byte)), "a control in the text")
      if byte == 13 { precondition(index + 1 < text.count && text[index + 1] == 10, "a bare CR") }
      if byte != 10 { continue }
      precondition(index > 0 && text[index - 1] == 13, "a bare LF")
      let isEmpty = index - 1 == line
      precondition(isEmpty == (isHead && index + 1 == text.count), "an empty line at the wrong place")
      line = index + 1
    }
    precondition(line == text.count, "a line without end")
  }

  override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    let own = own(stream)
    precondition(own.heads == 1 && own.ends == 0, "body out of turn")
    precondition(own.unconsumedBytes >= bytes.count, "bytes that do not count")
    if manner & 8 != 0 { session.consumed(stream, bytes.count) }
  }

  override func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    precondition(own(stream).heads == 1 && own(stream).ends == 0, "trailers out of turn")
    checkLines(text, isHead: false)
  }

  override func ended(_ stream: HTTP2Stream) {
    own(stream).ends += 1
    precondition(own(stream).ends == 1, "two ends")
  }

  override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) { own(stream).closes += 1 }
  override func outputDrained(_ stream: HTTP2Stream) { _ = own(stream) }
}

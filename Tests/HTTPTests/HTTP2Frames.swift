import HTTP

/// A frame as it stands on the wire, to be written or read by tests.
struct RawFrame: Equatable, CustomStringConvertible {
  var type: UInt8
  var flags: UInt8 = 0
  var stream: UInt32 = 0
  var payload: [UInt8] = []
  /// Overrides the length field.
  var length: Int?

  var bytes: [UInt8] {
    let length = length ?? payload.count
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags] + word(stream)
      + payload
  }

  var description: String { "type \(type) flags \(flags) stream \(stream) \(payload.prefix(16))" }

  /// All whole frames in `bytes`.
  static func all(_ bytes: [UInt8]) -> [RawFrame] {
    var frames: [RawFrame] = []
    var rest = bytes[...]
    while rest.count >= 9 {
      let head = Array(rest.prefix(9))
      let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
      let stream = UInt32(head[5]) << 24 | UInt32(head[6]) << 16 | UInt32(head[7]) << 8 | UInt32(head[8])
      let payload = Array(rest.dropFirst(9).prefix(length))
      frames.append(RawFrame(type: head[3], flags: head[4], stream: stream, payload: payload))
      rest = rest.dropFirst(9 + length)
    }
    return frames
  }

  /// The error code of RST_STREAM or GOAWAY.
  var code: HTTP2ErrorCode? {
    let at = type == 3 ? 0 : type == 7 ? 4 : -1
    guard at >= 0, payload.count >= at + 4 else { return nil }
    return HTTP2ErrorCode(rawValue: payload[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }
}

func word(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

func data(_ stream: UInt32, _ payload: [UInt8] = [], end: Bool = false) -> RawFrame {
  RawFrame(type: 0, flags: end ? 1 : 0, stream: stream, payload: payload)
}

func headers(_ stream: UInt32, _ block: [UInt8], end: Bool = true, endHeaders: Bool = true) -> RawFrame {
  RawFrame(type: 1, flags: (end ? 1 : 0) | (endHeaders ? 4 : 0), stream: stream, payload: block)
}

func priority(_ stream: UInt32, on other: UInt32) -> RawFrame {
  RawFrame(type: 2, stream: stream, payload: word(other) + [15])
}

func rst(_ stream: UInt32, _ code: UInt32 = 8) -> RawFrame { RawFrame(type: 3, stream: stream, payload: word(code)) }

func settingsFrame(_ entries: (UInt16, UInt32)...) -> RawFrame {
  RawFrame(type: 4, payload: entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
}

func windowUpdate(_ stream: UInt32, _ credit: UInt32) -> RawFrame {
  RawFrame(type: 8, stream: stream, payload: word(credit))
}

func continuation(_ stream: UInt32, _ block: [UInt8], endHeaders: Bool = true) -> RawFrame {
  RawFrame(type: 9, flags: endHeaders ? 4 : 0, stream: stream, payload: block)
}

/// Field lines as HPACK literals without indexing or Huffman (RFC 7541 §6.2.2).
func block(_ fields: [(String, String)]) -> [UInt8] {
  fields.flatMap { [0] + string($0.0) + string($0.1) }
}

/// A string literal of HPACK without Huffman.
func string(_ text: String) -> [UInt8] {
  let bytes = Array(text.utf8)
  if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
  var rest = bytes.count - 127
  var length: [UInt8] = [127]
  while rest >= 128 {
    length.append(UInt8(rest & 127 | 128))
    rest >>= 7
  }
  return length + [UInt8(rest)] + bytes
}

/// The pseudo-header fields of an ordinary request.
let getFields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "web")]
let postFields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "web")]

/// A server session fed with frames made by hand.
final class RawClient {
  let server: HTTP2End
  /// What the server has sent so far, but for its settings and their acknowledgement.
  var frames: [RawFrame] = []
  var now: UInt64 = 0

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  init(_ settings: HTTP2Settings = HTTP2Settings(), limits: HTTP2Limits = HTTP2Limits(), handshake: Bool = true) {
    server = HTTP2End(.server, settings, limits: limits)
    if handshake {
      server.receive(RawClient.preface + settingsFrame().bytes + RawFrame(type: 4, flags: 1).bytes)
      _ = server.output()
    }
  }

  @discardableResult
  func send(_ frames: RawFrame...) -> Self { send(frames) }

  @discardableResult
  func send(_ frames: [RawFrame]) -> Self { send(bytes: frames.flatMap(\.bytes)) }

  @discardableResult
  func send(bytes: [UInt8]) -> Self {
    server.receive(bytes, at: now)
    frames += RawFrame.all(server.output()).filter { $0.type != 4 }
    return self
  }

  /// The code of the GOAWAY that was sent.
  var goaway: HTTP2ErrorCode? { frames.last { $0.type == 7 }?.code }
  /// The code of the first RST_STREAM for `stream`.
  func reset(_ stream: UInt32) -> HTTP2ErrorCode? { frames.first { $0.type == 3 && $0.stream == stream }?.code }
  var heads: [String] { server.streams.map(\.head) }
}

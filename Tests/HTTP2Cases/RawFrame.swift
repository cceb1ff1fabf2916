import HTTP

/// A frame as it stands on the wire, to be written or read by tests.
public struct RawFrame: Equatable, Sendable, CustomStringConvertible {
  public var type: UInt8
  public var flags: UInt8 = 0
  public var stream: UInt32 = 0
  public var payload: [UInt8] = []
  /// Overrides the length field.
  public var length: Int?

  public init(type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = [], length: Int? = nil) {
    self.type = type
    self.flags = flags
    self.stream = stream
    self.payload = payload
    self.length = length
  }

  public var bytes: [UInt8] {
    let length = length ?? payload.count
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags] + word(stream)
      + payload
  }

  public var description: String { "type \(type) flags \(flags) stream \(stream) \(payload.prefix(16))" }

  /// All whole frames in `bytes`.
  public static func all(_ bytes: [UInt8]) -> [RawFrame] {
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
  public var code: HTTP2ErrorCode? {
    let at = type == 3 ? 0 : type == 7 ? 4 : -1
    guard at >= 0, payload.count >= at + 4 else { return nil }
    return HTTP2ErrorCode(rawValue: payload[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }
}

public func word(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

public func data(_ stream: UInt32, _ payload: [UInt8] = [], end: Bool = false) -> RawFrame {
  RawFrame(type: 0, flags: end ? 1 : 0, stream: stream, payload: payload)
}

public func headers(_ stream: UInt32, _ block: [UInt8], end: Bool = true, endHeaders: Bool = true) -> RawFrame {
  RawFrame(type: 1, flags: (end ? 1 : 0) | (endHeaders ? 4 : 0), stream: stream, payload: block)
}

public func priority(_ stream: UInt32, on other: UInt32) -> RawFrame {
  RawFrame(type: 2, stream: stream, payload: word(other) + [15])
}

public func rst(_ stream: UInt32, _ code: UInt32 = 8) -> RawFrame {
  RawFrame(type: 3, stream: stream, payload: word(code))
}

public func settingsFrame(_ entries: (UInt16, UInt32)...) -> RawFrame {
  RawFrame(type: 4, payload: entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
}

public func windowUpdate(_ stream: UInt32, _ credit: UInt32) -> RawFrame {
  RawFrame(type: 8, stream: stream, payload: word(credit))
}

public func continuation(_ stream: UInt32, _ block: [UInt8], endHeaders: Bool = true) -> RawFrame {
  RawFrame(type: 9, flags: endHeaders ? 4 : 0, stream: stream, payload: block)
}

/// Field lines as HPACK literals without indexing or Huffman (RFC 7541 §6.2.2).
public func block(_ fields: [(String, String)]) -> [UInt8] {
  fields.flatMap { [0] + string($0.0) + string($0.1) }
}

/// A string literal of HPACK without Huffman.
public func string(_ text: String) -> [UInt8] {
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
public let getFields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "web")]
public let postFields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "web")]

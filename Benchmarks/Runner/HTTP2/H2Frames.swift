/// Frames of HTTP/2 written by hand: what a load generator sends, and what no library would let an attacker send.
enum H2Frames {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    let length = payload.count
    return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags] + word(stream) + payload
  }

  static func word(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

  static func settings(_ entries: (UInt16, UInt32)...) -> [UInt8] {
    frame(4, 0, 0, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
  }

  static let settingsAcknowledgement = frame(4, 1)

  static func windowUpdate(_ stream: UInt32, _ credit: UInt32) -> [UInt8] { frame(8, 0, stream, word(credit)) }

  /// A field that leaves no trace in the compression table; name and value below 127 bytes.
  static func field(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
  }

  /// The field section of a request for `/` that needs no compression table.
  static func head(_ authority: String, isPost: Bool = false, fields: [(String, String)] = []) -> [UInt8] {
    // Of the static table: `:method`, `:scheme: http`, `:path: /`, and the name `:authority`.
    [isPost ? 0x83 : 0x82, 0x86, 0x84, 0x01, UInt8(authority.utf8.count)] + Array(authority.utf8)
      + fields.flatMap { field($0.0, $0.1) }
  }

  static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bytes[offset]) << 24 | UInt32(bytes[offset + 1]) << 16 | UInt32(bytes[offset + 2]) << 8
      | UInt32(bytes[offset + 3])
  }
}

/// Cuts a byte stream into frames.
struct H2FrameSplitter {
  private var partial: [UInt8] = []

  /// Calls `body` with each frame that is complete; the payload is lent for the call.
  mutating func feed(
    _ bytes: UnsafeRawBufferPointer,
    _ body: (_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: UnsafeRawBufferPointer) -> Void
  ) {
    if partial.isEmpty {
      let used = Self.split(bytes, body)
      if used < bytes.count { partial.append(contentsOf: bytes[used...]) }
    } else {
      partial.append(contentsOf: bytes)
      let used = partial.withUnsafeBytes { Self.split($0, body) }
      partial.removeFirst(used)
    }
  }

  private static func split(
    _ bytes: UnsafeRawBufferPointer, _ body: (UInt8, UInt8, UInt32, UnsafeRawBufferPointer) -> Void
  ) -> Int {
    var start = 0
    while bytes.count - start >= 9 {
      let length = Int(bytes[start]) << 16 | Int(bytes[start + 1]) << 8 | Int(bytes[start + 2])
      let end = start + 9 + length
      if end > bytes.count { break }
      let stream = H2Frames.number(bytes, start + 5) & 0x7fff_ffff
      body(bytes[start + 3], bytes[start + 4], stream, UnsafeRawBufferPointer(rebasing: bytes[start + 9..<end]))
      start = end
    }
    return start
  }
}

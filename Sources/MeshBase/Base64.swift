/// Base64 (RFC 4648).
public enum Base64 {
  private static let usual = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let urlSafe = Array(usual.dropLast(2)) + Array("-_".utf8)

  /// `isURLSafe`: in the alphabet of §5 and without padding; else that of §4.
  public static func encode(_ bytes: [UInt8], isURLSafe: Bool = false) -> String {
    let alphabet = isURLSafe ? urlSafe : usual
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group: UInt32 = 0
      for place in 0..<3 { group = group << 8 | (place < count ? UInt32(bytes[start + place]) : 0) }
      for place in 0...count { text.append(alphabet[Int(group >> UInt32(18 - 6 * place) & 63)]) }
      if !isURLSafe { for _ in count..<3 { text.append(UInt8(ascii: "=")) } }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads both alphabets, padded or not. `nil` if a byte belongs to neither.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    text.utf8.filter { $0 != UInt8(ascii: "=") }.withUnsafeBytes(bytes)
  }

  /// Reads the alphabet of §5 without padding, and nothing else.
  public static func decodeURLSafe(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    let isOther = text.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") }
    return isOther || text.count % 4 == 1 ? nil : bytes(text)
  }

  private static func bytes(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 2)
    var word: UInt32 = 0
    var bits: UInt32 = 0
    for letter in text {
      guard let value = value(letter) else { return nil }
      word = word << 6 | value
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: word >> bits))
      }
    }
    return bytes
  }

  private static func value(_ letter: UInt8) -> UInt32? {
    switch letter {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}

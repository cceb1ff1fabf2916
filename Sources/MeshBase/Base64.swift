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
    var bytes: [UInt8] = []
    var word: UInt32 = 0
    var bits: UInt32 = 0
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
      guard let value = usual.firstIndex(of: byte) ?? urlSafe.firstIndex(of: byte) else { return nil }
      word = word << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: word >> bits))
      }
    }
    return bytes
  }
}

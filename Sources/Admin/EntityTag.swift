import MeshBase

/// Versions as entity tags: `"AAAAAAAAAAc="`, the base64 of the version's eight bytes, as namerd has them.
enum EntityTag {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func of(_ version: UInt64) -> String {
    // 64 bits are ten digits of six bits and one of four.
    var digits: [UInt8] = []
    for place in 0..<10 { digits.append(alphabet[Int(version >> UInt64(58 - 6 * place) & 63)]) }
    digits.append(alphabet[Int(version << 2 & 63)])
    return "\"" + String(decoding: digits, as: UTF8.self) + "=\""
  }

  enum Condition: Equatable {
    /// `*`: whatever there is.
    case any
    case version(UInt64)
  }

  /// The condition in If-Match or If-None-Match: one tag, with quotes or without, or a version in decimal digits.
  /// `nil` if it is none of these.
  static func condition(_ text: String) -> Condition? {
    var tag = Substring(text)
    while tag.first == " " { tag = tag.dropFirst() }
    while tag.last == " " { tag = tag.dropLast() }
    if tag == "*" { return .any }
    if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
    if tag.count >= 2, tag.hasPrefix("\""), tag.hasSuffix("\"") { tag = tag.dropFirst().dropLast() }
    if let version = UInt64(tag) { return .version(version) }
    let bytes = Array(tag.utf8)
    guard bytes.count == 12, bytes.last == UInt8(ascii: "=") else { return nil }
    var version: UInt64 = 0
    for (index, byte) in bytes.dropLast().enumerated() {
      guard let digit = alphabet.firstIndex(of: byte) else { return nil }
      version = index < 10 ? version << 6 | UInt64(digit) : version << 4 | UInt64(digit >> 2)
    }
    return .version(version)
  }
}

import MeshBase

/// How DC/OS makes host-name labels of the names of tasks, frameworks and VIPs (RFC 1123).
///
/// Lower case; `_` and `-` become `-`; what is neither letter nor digit is dropped; no `-` at the ends; 63 bytes at
/// most. It loses information: different names may have one label.
enum DnsText {
  static let labelBytesMax = 63

  /// One label of a whole name: its dots become `-`. Empty if nothing of it may stand in a label.
  static func label(_ name: some StringProtocol) -> String { label(bytes: name.utf8) { $0 == UInt8(ascii: ".") } }

  /// The labels of a name's parts between dots, joined by dots; parts of which nothing is left are left out.
  static func labels(_ name: some StringProtocol) -> String {
    name.utf8.split(separator: UInt8(ascii: "."))
      .map { label(bytes: $0) { _ in false } }
      .filter { !$0.isEmpty }
      .joined(separator: ".")
  }

  private static func label(bytes: some Sequence<UInt8>, isDash: (UInt8) -> Bool) -> String {
    var out: [UInt8] = []
    for byte in bytes {
      let lower = Ascii.lowercased(byte)
      if Ascii.isDigit(lower) || (0x61...0x7a).contains(lower) {
        out.append(lower)
      } else if lower == UInt8(ascii: "-") || lower == UInt8(ascii: "_") || isDash(lower) {
        // None at the beginning.
        if !out.isEmpty { out.append(UInt8(ascii: "-")) }
      }
    }
    out = Array(out.prefix(labelBytesMax))
    while out.last == UInt8(ascii: "-") { out.removeLast() }
    return String(decoding: out, as: UTF8.self)
  }
}

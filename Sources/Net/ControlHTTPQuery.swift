import MeshBase

/// The pairs behind the `?` of a target, decoded as HTML forms are: `%xx` is a byte, `+` a blank.
public struct ControlQuery: Sendable, Equatable {
  public struct Pair: Sendable, Equatable {
    public var name: String
    public var value: String
  }

  public var pairs: [Pair] = []

  public init() {}

  public init(_ text: String) {
    for part in text.utf8.split(separator: UInt8(ascii: "&")) {
      let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
      let value = equals == part.endIndex ? part[equals...] : part[part.index(after: equals)...]
      pairs.append(
        Pair(name: Self.decode(part[..<equals], plusIsBlank: true), value: Self.decode(value, plusIsBlank: true)))
    }
  }

  /// The first value of that name; empty where it was given without one.
  public subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

  public func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

  /// Whether it was given, and not as `false`, `0` or `no`.
  public func isOn(_ name: String) -> Bool { self[name].map { !["false", "0", "no"].contains($0) } ?? false }

  /// A `%` without two hexadecimal digits stands for itself; bytes that are not UTF-8 become U+FFFD.
  static func decode(_ text: some Collection<UInt8>, plusIsBlank: Bool) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count)
    let bytes = Array(text)
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%"), index + 2 < bytes.count, let high = Ascii.hexValue(bytes[index + 1]),
        let low = Ascii.hexValue(bytes[index + 2])
      {
        decoded.append(high << 4 | low)
        index += 3
        continue
      }
      decoded.append(plusIsBlank && byte == UInt8(ascii: "+") ? 0x20 : byte)
      index += 1
    }
    return String(decoding: decoded, as: UTF8.self)
  }

  /// The text as it may stand in a query: everything but letters, digits and `-_.~/` as `%xx`.
  public static func encode(_ text: String) -> String {
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      if Ascii.isDigit(byte) || Ascii.lowercased(byte) &- 0x61 < 26 || "-_.~/".utf8.contains(byte) {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), Ascii.hexDigit(byte >> 4), Ascii.hexDigit(byte & 15)]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}

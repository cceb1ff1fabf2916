import MeshBase

/// One element of a path: one or more bytes of any value; case matters.
///
/// Ordered by bytes, a proper prefix first.
public struct Label: Hashable, Sendable {
  /// Never empty.
  public let bytes: [UInt8]

  /// `nil` if there are no bytes: an empty element does not exist.
  public init?(bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard !bytes.isEmpty else { return nil }
    self.bytes = bytes
  }

  /// The text's UTF-8 bytes, taken as they are: `\x2f` in it is four bytes. The text must not be empty.
  public init(_ text: some StringProtocol) {
    precondition(!text.isEmpty, "a label has at least one byte")
    bytes = Array(text.utf8)
  }

  /// The bytes as text for people; bytes that are not UTF-8 become U+FFFD. `description` is the reversible form.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Label: Comparable {
  public static func < (a: Self, b: Self) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

extension Label: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self.init(text) }
}

extension Label: CustomStringConvertible {
  /// As it is written in a path: plain, or wholly in `\xhh` if any byte is outside the plain set.
  public var description: String {
    var printed: [UInt8] = []
    Self.print(bytes[...], into: &printed)
    return String(decoding: printed, as: UTF8.self)
  }

  static func print(_ bytes: ArraySlice<UInt8>, into printed: inout [UInt8]) {
    if bytes.allSatisfy(isPlain) {
      printed += bytes
    } else {
      for byte in bytes { printed += [0x5c, 0x78, Ascii.hexDigit(byte >> 4), Ascii.hexDigit(byte & 15)] }
    }
  }
}

extension Label {
  /// Whether the byte may stand unescaped in a written label.
  @inlinable public static func isPlain(_ byte: UInt8) -> Bool {
    // `0-9 A-Z a-z _ : . # $ % -` as bits of the two halves of ASCII.
    if byte < 64 { return (0x07ff_6038_0000_0000 as UInt64) >> UInt64(byte) & 1 == 1 }
    return byte < 128 && (0x07ff_fffe_87ff_fffe as UInt64) >> UInt64(byte & 63) & 1 == 1
  }

  /// Whether the bytes can be written as one label without escapes; false for none at all.
  @inlinable public static func isValidRaw(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where !isPlain(bytes[index]) { return false }
    return !bytes.isEmpty
  }

  /// Whether the bytes can be written as one label without escapes; false for none at all.
  @inlinable public static func isValidRaw(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    isValidRaw(Span(_unsafeElements: bytes))
  }
}

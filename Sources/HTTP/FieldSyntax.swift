/// The grammar of field names and values, for those who write fields from words they were given.
public enum FieldSyntax {
  /// Whether `bytes` may stand as a field value: HTAB, SP, visible ASCII and bytes from 0x80, with no white space at
  /// either end (RFC 9110 §5.5). An empty value is valid.
  public static func isValidValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let first = bytes.first, let last = bytes.last else { return true }
    if ByteClass.of(first).contains(.whitespace) || ByteClass.of(last).contains(.whitespace) { return false }
    return bytes.allSatisfy { ByteClass.of($0).contains(.fieldValue) }
  }

  public static func isValidValue(_ bytes: Span<UInt8>) -> Bool { bytes.withUnsafeBytes { isValidValue($0) } }

  /// Whether `bytes` is a token, and so may stand as a field name or method (RFC 9110 §5.6.2).
  public static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { ByteClass.of($0).contains(.token) }
  }

  public static func isToken(_ bytes: Span<UInt8>) -> Bool { bytes.withUnsafeBytes { isToken($0) } }

  /// Whether `bytes` is a valid `host[:port]` that is not empty.
  public static func isAuthority(_ bytes: UnsafeRawBufferPointer) -> Bool {
    !bytes.isEmpty && Authority.isValid(Bytes(bytes), ByteRange(from: 0, to: bytes.count))
  }

  public static func isAuthority(_ bytes: Span<UInt8>) -> Bool { bytes.withUnsafeBytes { isAuthority($0) } }
}

extension RequestHead {
  /// The number in Max-Forwards, which a proxy counts down for TRACE and OPTIONS (RFC 9110 §7.6.2); nil when there is
  /// none or it is not a number.
  public func maxForwards(_ head: UnsafeRawBufferPointer) -> UInt64? {
    guard let range = value(of: .maxForwards), !range.isEmpty else { return nil }
    var number: UInt64 = 0
    for byte in head[range] {
      let digit = byte &- 0x30
      if digit > 9 { return nil }
      number = min(number, UInt64(Int64.max) / 10 - 1) * 10 + UInt64(digit)
    }
    return number
  }
}

/// The connection preface with which an HTTP/2 client starts, RFC 9113 §3.4.
public enum HTTP2Preface {
  public enum Match: Sendable { case no, partial, yes }

  /// Length of the preface in bytes.
  public static let length = 24

  /// Whether `bytes` start with the preface, or could yet.
  public static func match(_ bytes: UnsafeRawBufferPointer) -> Match {
    let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for (index, byte) in bytes.prefix(length).enumerated() where byte != preface.utf8Start[index] { return .no }
    return bytes.count >= length ? .yes : .partial
  }

  public static func match(_ bytes: Span<UInt8>) -> Match { bytes.withUnsafeBytes { match($0) } }
}

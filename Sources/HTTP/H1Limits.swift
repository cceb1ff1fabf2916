/// Bounds of what one HTTP/1 message may make the router hold or scan.
public struct H1Limits: Equatable, Sendable {
  /// Bytes of the start line without its line end; beyond: 414. linkerd's `maxInitialLineKB`.
  public var lineBytesMax: Int
  /// Bytes of the whole head, start line and blank line included; beyond: 431. linkerd's `maxHeadersKB` plus the line.
  public var headBytesMax: Int
  /// Field lines of one head, at most `H1Limits.fieldCountCeiling`; beyond: 431.
  public var fieldCountMax: Int
  /// Members of the Connection fields together; beyond: 431. Each is compared with every field name.
  public var connectionOptionCountMax: Int
  /// Bytes of a chunk's size line without its line end; beyond: 400.
  public var chunkLineBytesMax: Int
  /// Bytes of a chunked body's trailer section; beyond: 431.
  public var trailerBytesMax: Int

  /// Field positions are kept in 16 bits and heads in 32.
  public static let fieldCountCeiling = 8_192

  public init(
    lineBytesMax: Int = 4_096, headBytesMax: Int? = nil, fieldCountMax: Int = 128, connectionOptionCountMax: Int = 32,
    chunkLineBytesMax: Int = 256, trailerBytesMax: Int = 8_192
  ) {
    precondition(fieldCountMax <= H1Limits.fieldCountCeiling, "fieldCountMax above \(H1Limits.fieldCountCeiling)")
    precondition(
      lineBytesMax > 0 && lineBytesMax <= 1 << 30 && (headBytesMax ?? 1) > 0 && (headBytesMax ?? 1) <= Int(Int32.max),
      "a limit of no bytes, or beyond 2 GiB")
    self.lineBytesMax = lineBytesMax
    self.headBytesMax = headBytesMax ?? lineBytesMax + 8_192
    self.fieldCountMax = fieldCountMax
    self.connectionOptionCountMax = connectionOptionCountMax
    self.chunkLineBytesMax = chunkLineBytesMax
    self.trailerBytesMax = trailerBytesMax
  }
}

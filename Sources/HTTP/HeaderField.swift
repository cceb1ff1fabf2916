/// One field line of a head; all ranges count from the start of the input.
public struct HeaderField: Equatable, Sendable {
  public var name: ByteRange
  /// Without the optional white space around it; may be empty.
  public var value: ByteRange
  /// The whole line with its CRLF. Lines of one head follow each other without gap.
  public var line: ByteRange
  public var id: KnownHeader
  /// Whether the field concerns this connection alone, by its name or because Connection names it: never passed on.
  public var isHopByHop: Bool

  @inlinable
  public init(id: KnownHeader, name: ByteRange, value: ByteRange, line: ByteRange, isHopByHop: Bool = false) {
    self.id = id
    self.name = name
    self.value = value
    self.line = line
    self.isHopByHop = isHopByHop
  }

  /// Fills room that no field has taken yet.
  static let none = HeaderField(id: .other, name: .empty, value: .empty, line: .empty)
}

/// How the end of a message's body is found, RFC 9112 §6.3.
public enum BodyFraming: Equatable, Sendable {
  /// No body: the message ends with its head.
  case none
  /// Exactly so many bytes; may be 0, where Content-Length says so.
  case length(UInt64)
  case chunked
  /// All bytes until the peer closes; responses only. A close by error cannot be told from the end.
  case untilClose
}

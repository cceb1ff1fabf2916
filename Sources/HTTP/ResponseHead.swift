/// The head of an HTTP/1 response: positions in the bytes it was parsed from, nothing copied.
///
/// Made once and parsed into again and again; every property is meaningful only after `parse` gave `.complete`.
public struct ResponseHead: Sendable {
  public internal(set) var block = FieldBlock()
  /// 100 to 999.
  public internal(set) var status = 0
  /// 0 or 1.
  public internal(set) var minorVersion: UInt8 = 1
  /// The reason phrase; may be empty.
  public internal(set) var reason = ByteRange.empty
  public internal(set) var framing = BodyFraming.none
  /// Whether the connection may carry another exchange once the body has ended.
  public internal(set) var keepAlive = true
  /// Content-Length where it was sent, even if no body follows (HEAD, 304).
  public internal(set) var declaredLength: UInt64?
  /// Bytes of the head with its blank line.
  public internal(set) var length = 0
  /// As `RequestHead.resumeAt`.
  public internal(set) var resumeAt = 0

  public init() {}

  @inlinable public var fields: ArraySlice<HeaderField> { block.fields }
  /// Position in `fields` of the first line with this name.
  @inlinable public func index(of header: KnownHeader) -> Int? { block.index(of: header) }
  /// Value of the first line with this name.
  @inlinable public func value(of header: KnownHeader) -> ByteRange? { block.value(of: header) }
  /// Proxies the response came through, by its Via fields.
  @inlinable public var viaCount: Int { block.viaCount }
  /// 1xx: another head follows, except after 101.
  @inlinable public var isInformational: Bool { status < 200 }
  /// 101: the connection speaks another protocol from here on.
  @inlinable public var isSwitchingProtocols: Bool { status == 101 }
}

/// The method of a request; case matters (RFC 9110 §9.1).
public enum Method: UInt8, Sendable {
  case get, head, post, put, delete, options, trace, patch, connect, other

  /// Safe methods ask for nothing to be done, so a failed one may be sent again (RFC 9110 §9.2.1).
  @inlinable public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    default: false
    }
  }

  /// Idempotent methods have the same effect once or twice (RFC 9110 §9.2.2).
  @inlinable public var isIdempotent: Bool { isSafe || self == .put || self == .delete }
}

/// The four forms of a request target, RFC 9112 §3.2.
public enum TargetForm: UInt8, Sendable { case origin, absolute, authority, asterisk }

/// The head of an HTTP/1 request: positions in the bytes it was parsed from, nothing copied.
///
/// Made once and parsed into again and again; steady state allocates nothing. Every property is meaningful only after
/// `parse` gave `.complete`, and together with the same bytes.
public struct RequestHead: Sendable {
  public internal(set) var block = FieldBlock()
  public internal(set) var method = Method.other
  public internal(set) var targetForm = TargetForm.origin
  /// 0 or 1.
  public internal(set) var minorVersion: UInt8 = 1
  public internal(set) var methodRange = ByteRange.empty
  /// The target as sent.
  public internal(set) var target = ByteRange.empty
  /// Of an absolute or authority-form target; else empty.
  public internal(set) var authority = ByteRange.empty
  /// Path and query; empty for authority form, `*` for asterisk form. Where an absolute target has no path, this is the
  /// query alone (with its `?`) and `pathNeedsSlash` is set, or else a `/`. `appendOriginForm` writes it as it should be.
  public internal(set) var pathAndQuery = ByteRange.empty
  /// Whether a `/` belongs before `pathAndQuery`.
  public internal(set) var pathNeedsSlash = false
  /// Whether an `OPTIONS` request for an absolute target without path and query must become `*` (RFC 9112 §3.2.4).
  public internal(set) var isServerWide = false
  /// Whom the request is for: the authority of the target where it has one, else Host's value (RFC 9112 §3.3). Nil when
  /// an HTTP/1.0 request has neither; empty when Host is empty.
  public internal(set) var host: ByteRange?
  public internal(set) var framing = BodyFraming.none
  /// Whether the connection may serve another request, as far as the client is concerned.
  public internal(set) var keepAlive = true
  /// `Expect: 100-continue` in an HTTP/1.1 request.
  public internal(set) var expectsContinue = false
  /// An expectation other than 100-continue, which RFC 9110 §10.1.1 lets a server answer with 417.
  public internal(set) var hasUnknownExpectation = false
  /// Upgrade together with `Connection: upgrade` in an HTTP/1.1 request (RFC 9110 §7.8).
  public internal(set) var wantsUpgrade = false
  /// Whether the client takes trailers (`TE: trailers`).
  public internal(set) var acceptsTrailers = false
  /// Bytes of the head, from the start of the input (empty lines before it included) to the end of its blank line.
  public internal(set) var length = 0
  /// Where the request line starts: 0, or after the empty lines.
  public internal(set) var start = 0
  /// After `.needMore`: how many bytes have been looked at. Given back to the next `parse` of the same message it spares
  /// a second look at an unfinished line.
  public internal(set) var resumeAt = 0

  public init() {}

  @inlinable public var fields: ArraySlice<HeaderField> { block.fields }
  /// Position in `fields` of the first line with this name.
  @inlinable public func index(of header: KnownHeader) -> Int? { block.index(of: header) }
  /// Value of the first line with this name.
  @inlinable public func value(of header: KnownHeader) -> ByteRange? { block.value(of: header) }
  @inlinable public var hostIndex: Int? { block.index(of: .host) }
  /// Value of the first Upgrade field, whether or not it counts.
  @inlinable public var upgradeRange: ByteRange? { block.value(of: .upgrade) }
  /// Proxies the request came through, by its Via fields.
  @inlinable public var viaCount: Int { block.viaCount }
  /// The path alone, without the query.
  public func path(in bytes: UnsafeRawBufferPointer) -> ByteRange {
    let all = bytes[pathAndQuery]
    guard let query = all.firstIndex(of: UInt8(ascii: "?")) else { return pathAndQuery }
    return ByteRange(from: pathAndQuery.start, to: pathAndQuery.start + query)
  }
}

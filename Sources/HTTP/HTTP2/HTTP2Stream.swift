import MeshBase

/// One exchange on an HTTP/2 connection; the owner of the session subclasses it and keeps its own state there.
///
/// Its owner keeps it alive from its head until the delegate's `closed`; the session never touches it after. Then the
/// object may serve another stream, of any session. Calls on a closed stream do nothing. Confined to one worker.
open class HTTP2Stream {
  /// Odd: opened by the client. 0 before the first use; kept after the close.
  public internal(set) final var id: Int32 = 0
  /// Nil unless the stream is open.
  final var link: Unmanaged<HTTP2Session>?
  /// Neighbours in the session's list of open streams.
  final var next: Unmanaged<HTTP2Stream>?
  final var previous: Unmanaged<HTTP2Stream>?

  /// Bytes of body that wait to be framed; nil while there are none.
  final var queue: ByteBuffer?
  /// Field lines to follow the body, with their blank line.
  final var trailers: ByteBuffer?
  /// Whether libnghttp2 waits to be told of more bytes.
  final var isDeferred = false
  /// Whether `outputDrained` is due when the queue has fallen.
  final var owesDrained = false

  /// The peer has sent all it will send.
  public internal(set) final var remoteEnded = false
  /// `end` was called, or a head was submitted with `end`.
  public internal(set) final var localEnded = false
  /// `reset` was called; what still arrives is thrown away.
  public internal(set) final var isReset = false
  /// The final response head went out or came in.
  public internal(set) final var responded = false
  /// Server: `stopInput` was called.
  final var inputIsUnwanted = false
  /// Our last frame of the message has been taken.
  final var endIsTaken = false
  /// The request is an extended CONNECT (RFC 8441): the head text shows it as `GET` with `Upgrade`.
  public internal(set) final var extendedProtocol = false
  /// Of a request whose head was too large: its method is HEAD, so its answer has no body.
  public internal(set) final var refusedIsHead = false
  /// `:scheme` of a received request was `https`.
  public internal(set) final var schemeIsHTTPS = false

  /// Bytes of body the delegate was given and has not reported as consumed.
  public internal(set) final var unconsumedBytes = 0
  /// The window the peer has been offered.
  public internal(set) final var receiveWindowBytes = 0
  /// Consumed since the window was last looked at, and when that was.
  final var consumedBytes = 0
  final var windowUsedSince = MonotonicInstant(nanoseconds: 0)
  /// What the request's head counts for while the owner keeps it.
  final var heldHeadBytes = 0
  /// Server: when the request's head came; nanoseconds.
  final var openedAt: UInt64 = 0
  /// When the queue got its first bytes or was last written from; nanoseconds.
  final var progressAt: UInt64 = 0

  public init() {}

  /// Whether the session still knows the stream.
  @inlinable public final var isOpen: Bool { !isClosed }
  @usableFromInline final var isClosed: Bool { link == nil }

  /// Bytes of body that were handed to `send` and are not framed yet.
  public final var queuedBytes: Int { Unretained(queue) { $0.count } ?? 0 }

  /// Makes ready for a new life.
  final func attach(to session: HTTP2Session, id: Int32) {
    precondition(link == nil, "a stream in use was given out again")
    self.id = id
    link = Unmanaged.passUnretained(session)
    isDeferred = false
    owesDrained = false
    remoteEnded = false
    localEnded = false
    isReset = false
    responded = false
    inputIsUnwanted = false
    endIsTaken = false
    extendedProtocol = false
    schemeIsHTTPS = false
    unconsumedBytes = 0
    consumedBytes = 0
    windowUsedSince = session.now
    heldHeadBytes = 0
    progressAt = 0
    receiveWindowBytes = session.settings.initialStreamWindowBytes
  }
}

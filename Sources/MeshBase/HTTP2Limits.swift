/// How often a peer may do something that costs us more than it costs the peer.
public struct HTTP2Rate: Equatable, Sendable {
  /// So many at once.
  public var burst: Int
  /// And so many more each second.
  public var perSecond: Int

  public init(burst: Int, perSecond: Int) {
    precondition(burst > 0 && perSecond >= 0 && burst < 1 << 32 && perSecond < 1 << 32, "a rate out of range")
    self.burst = burst
    self.perSecond = perSecond
  }
}

/// What one connection may cost. Beyond a bound the connection ends with GOAWAY (ENHANCE_YOUR_CALM unless a frame was
/// wrong as well) and the failure names the `HTTP2Abuse`; a stream alone is refused where that is said.
///
/// Work that is paid for gives some back: an answered request, a DATA frame that was sent or received. So honest peers
/// do not come near the bounds, however fast they are.
public struct HTTP2Limits: Equatable, Sendable {
  /// Streams that the client resets before the response has begun; each stream that ends well takes one off. One that
  /// is reset as soon as it was opened counts as `rapidResetWeight`: nobody gives up that fast, and the number of
  /// streams open at once does not bound how many come.
  public var rapidResets = HTTP2Rate(burst: 1_000, perSecond: 200)
  public var rapidResetWeight = 5
  /// How long a stream has to be open for its reset to count as one; nanoseconds.
  public var rapidResetAge: UInt64 = 5_000_000
  /// Streams that we must reset because the peer broke the rules.
  public var provokedResets = HTTP2Rate(burst: 100, perSecond: 10)
  /// Frames of one field section after its first.
  public var continuationsMax = 32
  /// SETTINGS frames, each of which we must acknowledge.
  public var settings = HTTP2Rate(burst: 50, perSecond: 5)
  /// PING frames, each of which we must answer; each DATA frame with bytes, either way, takes one off, because
  /// senders measure round trips while they send.
  public var pings = HTTP2Rate(burst: 500, perSecond: 50)
  /// PRIORITY and PRIORITY_UPDATE frames; each request takes two off.
  public var priorities = HTTP2Rate(burst: 200, perSecond: 20)
  /// WINDOW_UPDATE frames; each DATA frame sent takes four off.
  public var windowUpdates = HTTP2Rate(burst: 2_000, perSecond: 200)
  /// DATA frames without bytes that do not end a stream, and empty pieces of field sections.
  public var emptyFrames = HTTP2Rate(burst: 100, perSecond: 10)
  /// Bytes of padding; each byte of a body takes one off.
  public var paddingBytes = HTTP2Rate(burst: 65_536, perSecond: 16_384)
  /// Frames of types we do not know.
  public var unknownFrames = HTTP2Rate(burst: 200, perSecond: 20)
  /// Field sections longer than `maxHeaderListBytes`, which are answered with 431.
  public var oversizeHeads = HTTP2Rate(burst: 20, perSecond: 2)
  /// A field section that decodes to so many times `maxHeaderListBytes` ends the connection.
  public var headerBombFactor = 4
  /// Streams opened beyond `maxConcurrentStreams`, each refused with REFUSED_STREAM.
  public var refusedStreams = HTTP2Rate(burst: 200, perSecond: 20)
  /// Bytes of request heads (32 more for each field) that were handed over and whose stream is open and not reported
  /// with `headUsed`; a request beyond is refused with REFUSED_STREAM, and counts in `refusedStreams`.
  public var heldHeadBytesMax = 4 << 20

  public init() {}
}

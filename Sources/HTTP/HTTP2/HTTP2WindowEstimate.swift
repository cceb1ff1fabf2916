import MeshBase

/// How large a window must be so that a sender is never kept waiting: doubled as long as what arrives during one round
/// trip comes near to half of it.
///
/// A PING marks the round trip. One is sent only when a reader has used up half a window, none is sent once the window
/// is as large as allowed, and while windows do not fill the gap between two grows to `gapNanosecondsMax`, so that a
/// quiet or slow connection is not pinged at all. Pure: the session sends the PINGs.
struct HTTP2WindowEstimate {
  /// Bytes that a window should have.
  private(set) var window: Int
  let windowMax: Int
  /// Bytes of body since the PING that is under way.
  private var sample = 0
  private(set) var isSampling = false
  private var nextAt = MonotonicInstant(nanoseconds: 0)
  private var gap: UInt64 = 0

  static let gapNanosecondsMin: UInt64 = 10_000_000
  static let gapNanosecondsMax: UInt64 = 1_000_000_000

  init(window: Int, windowMax: Int) {
    self.window = window
    self.windowMax = max(window, windowMax)
  }

  /// A reader has used up half of its window; whether a PING is to be sent now.
  mutating func shouldPing(at now: MonotonicInstant) -> Bool {
    if isSampling || window >= windowMax || now < nextAt { return false }
    isSampling = true
    sample = 0
    return true
  }

  @inline(__always)
  mutating func received(_ count: Int) { sample &+= count }

  /// The PING's answer; whether the window has grown.
  mutating func acked(at now: MonotonicInstant) -> Bool {
    if !isSampling { return false }
    isSampling = false
    // The other half was under way when the PING went out, so a window that keeps the sender waiting shows at least that.
    if sample >= window / 5 * 2 {
      window = min(windowMax, max(window, sample) * 2)
      gap = 0
      nextAt = now
      return true
    }
    gap = min(max(gap * 2, HTTP2WindowEstimate.gapNanosecondsMin), HTTP2WindowEstimate.gapNanosecondsMax)
    nextAt = now.advanced(byNanoseconds: gap)
    return false
  }
}

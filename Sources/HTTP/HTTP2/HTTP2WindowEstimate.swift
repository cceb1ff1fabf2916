import MeshBase

/// How large a window must be so that a sender is never kept waiting: doubled when half of it is used up within one and a
/// half round trips.
///
/// Credit goes back when half of a window is used up. So a sender that a window holds up uses up half of it in one round
/// trip or less, however the bytes are spread over that: evenly, or all of them in one read. One that sends at its own
/// speed takes longer as soon as the window is large enough, and then the window stays.
///
/// PINGs measure the round trip. One is sent only when half a window is used up, none once the window is as large as
/// allowed, and while it does not grow, the gap between two rises to `gapNanosecondsMax`: a quiet or slow connection is
/// not pinged at all. Pure: the session sends the PINGs.
struct HTTP2WindowEstimate {
  /// Bytes that a stream's window should have.
  private(set) var window: Int
  let windowMax: Int
  /// The shortest that was measured; later ones may have waited behind the very bytes that the window let through.
  private var roundTrip = UInt64.max
  private var pingedAt = MonotonicInstant(nanoseconds: 0)
  private var isSampling = false
  private var nextAt = MonotonicInstant(nanoseconds: 0)
  private var gap: UInt64 = 0

  static let gapNanosecondsMin: UInt64 = 10_000_000
  static let gapNanosecondsMax: UInt64 = 1_000_000_000
  /// What counts at least as a round trip: on one host the turns of busy event loops take longer than the way.
  static let roundTripNanosecondsMin: UInt64 = 1_000_000

  init(window: Int, windowMax: Int) {
    self.window = window
    self.windowMax = max(window, windowMax)
  }

  /// Half of a window is used up; whether a PING is to be sent now.
  mutating func shouldPing(at now: MonotonicInstant) -> Bool {
    if isSampling || window >= windowMax || now < nextAt { return false }
    isSampling = true
    pingedAt = now
    return true
  }

  /// The PING's answer.
  mutating func acked(at now: MonotonicInstant) {
    if !isSampling { return }
    isSampling = false
    roundTrip = min(roundTrip, now.nanoseconds(since: pingedAt))
    gap = min(max(gap * 2, HTTP2WindowEstimate.gapNanosecondsMin), HTTP2WindowEstimate.gapNanosecondsMax)
    nextAt = now.advanced(byNanoseconds: gap)
  }

  /// Whether a window, half of which was used up between the two instants, kept its sender waiting.
  func isTooSmall(since start: MonotonicInstant, at now: MonotonicInstant) -> Bool {
    let shortest = HTTP2WindowEstimate.roundTripNanosecondsMin
    let known = roundTrip == .max ? shortest : max(roundTrip, shortest)
    return now.nanoseconds(since: start) < known + known / 2
  }

  /// The window to have instead of one of `bytes` that was too small.
  mutating func grow(from bytes: Int) -> Int {
    if bytes >= window, window < windowMax {
      window = min(windowMax, bytes * 2)
      gap = 0
    }
    return window
  }
}

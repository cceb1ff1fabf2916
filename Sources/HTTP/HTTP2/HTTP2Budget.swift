import MeshBase

/// A leaky bucket, drained only when it is about to overflow: no clock is asked and nothing computed until then.
///
/// Lets through at least `burst` at once and at most twice that, and `perSecond` in the long run.
struct HTTP2Budget {
  private(set) var level = 0
  private var drainedAt: UInt64 = 0
  private let rate: HTTP2Rate
  /// Nanoseconds.
  private static let second: UInt64 = 1_000_000_000

  init(_ rate: HTTP2Rate) { self.rate = rate }

  /// Whether `cost` more is within the budget at `now` (nanoseconds).
  @inline(__always)
  mutating func spend(_ cost: Int = 1, at now: UInt64) -> Bool {
    level &+= cost
    return level <= rate.burst || drain(at: now)
  }

  /// Takes off `count` for work that was paid for.
  @inline(__always)
  mutating func earn(_ count: Int = 1) { level = max(0, level &- count) }

  @inline(never)
  private mutating func drain(at now: UInt64) -> Bool {
    guard rate.perSecond > 0, now > drainedAt else { return false }
    let (high, low) = (now &- drainedAt).multipliedFullWidth(by: UInt64(rate.perSecond))
    let drained = high >= HTTP2Budget.second ? .max : HTTP2Budget.second.dividingFullWidth((high, low)).quotient
    if drained >= UInt64(level) {
      level = 0
      drainedAt = now
    } else {
      level &-= Int(drained)
      // What is less than one stays for the next time.
      drainedAt &+= drained * HTTP2Budget.second / UInt64(rate.perSecond)
    }
    return level <= rate.burst
  }
}

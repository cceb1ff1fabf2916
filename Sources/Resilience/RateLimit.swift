import MeshBase
import Synchronization

/// So many requests a second, and so many at once after a pause: a token bucket, kept as one instant.
///
/// Source: the generic cell rate algorithm, virtual scheduling (ITU-T I.371 annex A). The state is the theoretical arrival
/// time, at which the bucket is full again; in the past, or 0: it is full.
public struct RateLimit: Sendable, Equatable {
  /// Nanoseconds between requests at the rate; at least 1.
  public let interval: UInt64
  /// How far the theoretical arrival time may lie ahead: `burst` − 1 intervals.
  public let tolerance: UInt64

  public enum Verdict: Equatable, Sendable {
    /// The new state.
    case allowed(UInt64)
    /// There is a token after so many nanoseconds.
    case refused(wait: UInt64)
  }

  /// - Parameters:
  ///   - requestsPerSecond: above 0; more than 1,000,000,000 counts as that.
  ///   - burst: at least 1.
  public init(requestsPerSecond: Double, burst: Int) {
    let rate = requestsPerSecond.isFinite ? min(max(requestsPerSecond, 1e-6), 1e9) : 1e9
    interval = max(1, UInt64(1e9 / rate))
    let (product, overflow) = interval.multipliedReportingOverflow(by: UInt64(max(burst, 1) - 1))
    tolerance = overflow ? .max / 2 : min(product, .max / 2)
  }

  public func decide(_ state: UInt64, at now: UInt64) -> Verdict {
    let from = max(state, now)
    let ahead = from - now
    if ahead > tolerance { return .refused(wait: ahead - tolerance) }
    return .allowed(from + interval)
  }
}

/// The state of one limit that all workers share: exact, since it is one word that each changes in one step.
public final class SharedRate: Sendable {
  private let state = Atomic<UInt64>(0)

  public init() {}

  /// Takes a token; if there is none, how many nanoseconds later there is one.
  public func take(_ limit: RateLimit, at now: MonotonicInstant) -> UInt64? {
    var seen = state.load(ordering: .relaxed)
    while true {
      switch limit.decide(seen, at: now.nanoseconds) {
      case .refused(let wait): return wait
      case .allowed(let new):
        let (exchanged, original) = state.compareExchange(expected: seen, desired: new, ordering: .relaxed)
        if exchanged { return nil }
        seen = original
      }
    }
  }

  /// The bucket is full, so a new one is as good.
  public func isFull(at now: MonotonicInstant) -> Bool { state.load(ordering: .relaxed) <= now.nanoseconds }
}

/// One limit for each value of something, such as a header of the callers, with all workers sharing the states.
///
/// A table of fixed size, four places to a set; a place is one word with a part of the value's hash and the state. A full
/// bucket is as good as none, so its place is free for the next value. Where four values of one set are limited at once, a
/// fifth shares the bucket of that which is the nearest to being full: whoever sends many values gains nothing, and costs
/// others their own bucket only while more values than there are places are in use.
public final class KeyedRates: @unchecked Sendable {
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let setMask: UInt64
  /// States count from here on, in ticks: 48 bits are enough for two years.
  private let start: MonotonicInstant
  public let capacity: Int

  private static let ways = 4
  private static let tickShift: UInt64 = 8
  private static let stateBits: UInt64 = 48
  private static let stateMask: UInt64 = (1 << 48) - 1

  /// - Parameter values: that have a bucket of their own at one time; rounded up to a power of two, and at least 16.
  public init(values: Int, start: MonotonicInstant) {
    var sets = 4
    while sets * Self.ways < min(values, 1 << 24) { sets *= 2 }
    capacity = sets * Self.ways
    setMask = UInt64(sets - 1)
    self.start = start
    words = .allocate(capacity: capacity)
    for index in 0..<capacity { (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    words.deinitialize(count: capacity)
    words.deallocate()
  }

  /// As `SharedRate.take`. `hash` of the value, by a seed that callers do not know.
  public func take(_ hash: UInt64, _ limit: RateLimit, at now: MonotonicInstant) -> UInt64? {
    let ticks = RateLimit(inTicksOf: limit, shift: Self.tickShift)
    let time = now.nanoseconds(since: start) >> Self.tickShift
    let tag = hash & ~Self.stateMask
    let set = words + Int((hash & setMask) * UInt64(Self.ways))
    while true {
      let (place, seen, isOwn) = Self.choose(in: set, tag: tag, at: time)
      // A free place begins with a full bucket, whatever is left in it.
      let verdict = ticks.decide(isOwn ? seen & Self.stateMask : 0, at: time)
      guard case .allowed(let new) = verdict else {
        if case .refused(let wait) = verdict { return wait << Self.tickShift }
        return nil
      }
      let isShared = isOwn && seen & ~Self.stateMask != tag
      let desired = (isShared ? seen & ~Self.stateMask : tag) | min(new, Self.stateMask)
      if set[place].compareExchange(expected: seen, desired: desired, ordering: .relaxed).exchanged { return nil }
    }
  }

  /// The value's own place, else a free one, else the one nearest to being free, which is then shared.
  private static func choose(
    in set: UnsafeMutablePointer<Atomic<UInt64>>, tag: UInt64, at time: UInt64
  ) -> (place: Int, seen: UInt64, isOwn: Bool) {
    var free: (place: Int, seen: UInt64)?
    var nearest: (place: Int, seen: UInt64) = (0, .max)
    for place in 0..<ways {
      let seen = set[place].load(ordering: .relaxed)
      let state = seen & stateMask
      if seen & ~stateMask == tag, state != 0 { return (place, seen, true) }
      if state <= time {
        if free == nil { free = (place, seen) }
      } else if state < nearest.seen & stateMask {
        nearest = (place, seen)
      }
    }
    if let free { return (free.place, free.seen, false) }
    return (nearest.place, nearest.seen, true)
  }
}

extension RateLimit {
  /// The same in units of 2^`shift` ns.
  fileprivate init(inTicksOf limit: RateLimit, shift: UInt64) {
    let half: UInt64 = 1 << (shift - 1)
    interval = max(1, (limit.interval + half) >> shift)
    tolerance = min(limit.tolerance, .max / 4) >> shift
  }
}

import MeshBase

/// Exponential decay of many values at once, so that comparing two of them needs no exponential.
///
/// A value v noted at time t is kept as v · e^((t − epoch)/τ), its *scaled* form. All scaled values decay by the same
/// factor, so their order at any instant is the order of the scaled numbers. One exponential is spent per distinct
/// instant at which something is noted. After `horizonTaus` the owner moves the epoch, long before a double overflows.
/// Error against the exact formula: below 1e-12 relative per note.
struct DecayClock {
  /// e^64 is 6e27, far from a double's 1.8e308 even times the largest latency.
  static let horizonTaus = 64.0

  let perNanosecond: Double
  private(set) var epoch = MonotonicInstant(nanoseconds: 0)
  private(set) var latest = MonotonicInstant(nanoseconds: 0)
  /// e^((latest − epoch)/τ)
  private(set) var growth = 1.0

  init(tauNanoseconds: Double) { perNanosecond = 1 / tauNanoseconds }

  /// Moves to `now`; an earlier instant than before counts as the same one.
  ///
  /// If the epoch had to move, returns the factor by which the owner must multiply every scaled value.
  mutating func advance(to now: MonotonicInstant) -> Double? {
    if now <= latest { return nil }
    latest = now
    let taus = Double(now.nanoseconds(since: epoch)) * perNanosecond
    if taus <= Self.horizonTaus {
      growth = exponential(taus)
      return nil
    }
    epoch = now
    growth = 1
    return exponential(-taus)
  }

  func growth(at now: MonotonicInstant) -> Double {
    now <= latest ? growth : exponential(Double(now.nanoseconds(since: epoch)) * perNanosecond)
  }
}

import MeshBase

/// Exponential decay of many values at once, so that comparing two of them needs no exponential.
///
/// A value v noted at time t is kept as v · e^((t − epoch)/τ), its *scaled* form. All scaled values decay by the same
/// factor, so their order at any instant is the order of the scaled numbers. The growth e^((now − epoch)/τ) advances by
/// a short series over small steps and is computed afresh once per τ; after `horizonTaus` the owner moves the epoch,
/// long before a double overflows. Relative error against the exact formula: below 1e-9 with 10 million steps per τ
/// (1e-16 for each), below 1e-12 with ten thousand.
struct DecayClock {
  /// e^64 is 6e27, far from a double's 1.8e308 even times the largest latency.
  static let horizonTaus = 64.0
  /// Up to this step the series 1 + x + x²/2 + x³/6 + x⁴/24 is exact to 1e-17.
  private static let stepTausMax = 1e-3

  let perNanosecond: Double
  private(set) var epoch = MonotonicInstant(nanoseconds: 0)
  private(set) var latest = MonotonicInstant(nanoseconds: 0)
  /// e^((latest − epoch)/τ)
  private(set) var growth = 1.0
  /// Where the growth is due to be computed afresh.
  private var afreshAtTaus = 0.0

  init(tauNanoseconds: Double) { perNanosecond = 1 / tauNanoseconds }

  /// Moves to `now`; an earlier instant than before counts as the same one.
  ///
  /// If the epoch had to move, returns the factor by which the owner must multiply every scaled value.
  @inline(__always)
  mutating func advance(to now: MonotonicInstant) -> Double? {
    if now <= latest { return nil }
    let step = Double(now.nanoseconds &- latest.nanoseconds) * perNanosecond
    latest = now
    let taus = Double(now.nanoseconds(since: epoch)) * perNanosecond
    if step <= Self.stepTausMax && taus < afreshAtTaus {
      growth *= 1 + step * (1 + step * (1 / 2 + step * (1 / 6 + step * (1 / 24))))
      return nil
    }
    return advanceAfresh(to: now, taus: taus)
  }

  @inline(never)
  private mutating func advanceAfresh(to now: MonotonicInstant, taus: Double) -> Double? {
    if taus <= Self.horizonTaus {
      growth = exponential(taus)
      afreshAtTaus = min(taus + 1, Self.horizonTaus)
      return nil
    }
    epoch = now
    growth = 1
    afreshAtTaus = 1
    return exponential(-taus)
  }

  func growth(at now: MonotonicInstant) -> Double {
    now <= latest ? growth : exponential(Double(now.nanoseconds(since: epoch)) * perNanosecond)
  }
}

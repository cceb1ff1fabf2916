/// Latency of one endpoint: jumps to a peak at once and decays after.
///
/// With τ the decay time and dt the time since the last observation, an observation `rtt` sets
/// cost = rtt if rtt > cost, else cost · w + rtt · (1 − w) with w = min(e^(−dt/τ), 1 − 1/32); in between, the cost that is
/// read decays towards 0, so an endpoint that was slow is tried again. Reading changes nothing.
///
/// Finagle has w = e^(−dt/τ) alone. With thousands of requests a second a single one that was late by chance then rules
/// the cost for seconds, and meanwhile requests go to endpoints that are slow always. With the bound, a peak that is not
/// confirmed is gone after some dozens of observations.
enum PeakEwma {
  /// Load of an endpoint that has requests out and has never answered one: above every known load, so each new endpoint
  /// gets one probe at a time, and among several such the one with the fewest requests out wins.
  static let unknownLoad = 1e200
  /// The most that an observation which is lower leaves of the cost.
  private static let keptMax = 1 - 1.0 / 32

  @inline(__always)
  static func observe(_ slot: inout Slot, rttNanoseconds rtt: Double, growth: Double) {
    if rtt > slot.cost {
      slot.cost = rtt
    } else {
      let w = min(slot.scaledCost / growth / slot.cost, keptMax)
      slot.cost = slot.cost * w + rtt * (1 - w)
    }
    slot.scaledCost = slot.cost * growth
  }

  /// Scaled cost × (outstanding + 1); only its order means anything.
  @inline(__always)
  static func load(_ slot: Slot) -> Double {
    if slot.scaledCost > 0 { return slot.scaledCost * Double(slot.outstanding &+ 1) }
    return slot.outstanding == 0 ? 0 : unknownLoad * Double(slot.outstanding)
  }
}

/// Outstanding requests as the load, with the same rule for endpoints that have never answered.
enum LeastLoaded {
  @inline(__always)
  static func load(_ slot: Slot) -> Double {
    let outstanding = Double(slot.outstanding)
    return slot.scaledCost > 0 ? outstanding : PeakEwma.unknownLoad * outstanding
  }
}

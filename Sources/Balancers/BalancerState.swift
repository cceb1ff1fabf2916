import MeshBase

/// What a `Balancer` keeps; one value at one address, so that the hot path pays no run-time exclusivity checks.
struct BalancerState: ~Copyable {
  enum Discipline: UInt8 { case ewma, leastLoaded, roundRobin, aperture, ring }

  let discipline: Discipline
  let maxEffort: Int
  var failOpenTotal: UInt64 = 0
  var totalOutstanding = 0

  var slots = Table<Slot>()
  var details: [SlotDetail] = []
  var slotOfAddress: [SocketAddress: Int] = [:]
  var freeSlots: [Int] = []
  var generation: UInt64 = 0
  /// Drained slots that have not been taken yet; room for every slot is kept, so `end` can append.
  var drained = Table<Int32>()

  /// Slots that may be picked: live, weight above 0.
  var members = Table<Int32>()
  /// Members whose status is busy, and closed.
  var busyMembers = 0
  var closedMembers = 0
  var isWeighted = false

  var clock: DecayClock
  /// Parallel to `members`; kept only while weights differ.
  var weightedIndex = WeightedIndex()
  /// Virtual time of the weighted kinds: advances by 1/n per pick, as each endpoint's pass does on average.
  var virtualTime = 0.0
  var cursor = 0
  var schedule = TurnSchedule()
  var aperture: Aperture
  var ring = Ring()
  var ringPointsWanted = 0
  var ringLoadBound = 0.0
  /// For phases and orders set at updates; a pick's luck comes with the pick.
  var updateRandom: SeededRandom
  let orderSeed: UInt64

  init(kind: BalancerKind, maxEffort: Int, seed: UInt64) {
    self.maxEffort = max(maxEffort, 1)
    orderSeed = StableHash.mix(seed)
    updateRandom = SeededRandom(seed: seed)
    var decayMilliseconds: UInt64 = 10_000
    aperture = Aperture(windowMilliseconds: 5_000, lowLoad: 0.5, highLoad: 2, widthMin: 1)
    switch kind {
    case .p2cEwma(let milliseconds):
      discipline = .ewma
      decayMilliseconds = milliseconds
    case .p2cLeastLoaded: discipline = .leastLoaded
    case .roundRobin: discipline = .roundRobin
    case .aperture(let window, let low, let high, let widthMin):
      discipline = .aperture
      aperture = Aperture(windowMilliseconds: window, lowLoad: low, highLoad: high, widthMin: widthMin)
    case .ring(let points, let bound):
      discipline = .ring
      ringPointsWanted = points
      ringLoadBound = bound
    }
    clock = DecayClock(tauNanoseconds: max(Double(decayMilliseconds), 1) * 1e6)
  }

  @inline(__always)
  func requireInUse(_ slot: Int) { precondition(slots[slot].standing != .free, "slot is not in use") }

  var openCount: Int { members.count - busyMembers - closedMembers }

  mutating func setStatus(_ status: EndpointStatus, of slot: Int) {
    requireInUse(slot)
    let before = slots[slot].status
    slots[slot].status = status
    if slots[slot].standing == .live && details[slot].weight > 0 {
      count(before, -1)
      count(status, 1)
    }
  }

  mutating func count(_ status: EndpointStatus, _ step: Int) {
    switch status {
    case .open: break
    case .busy: busyMembers += step
    case .closed: closedMembers += step
    }
  }
}

// MARK: - Requests

extension BalancerState {
  @inline(__always)
  mutating func begin(_ slot: Int, at now: MonotonicInstant) {
    requireInUse(slot)
    if discipline == .aperture { aperture.note(inFlight: totalOutstanding, at: now, members: members.count) }
    slots[slot].outstanding += 1
    totalOutstanding += 1
  }

  @inline(__always)
  mutating func end(_ slot: Int, startedAt start: MonotonicInstant, at now: MonotonicInstant, ok: Bool) {
    takeBack(slot, at: now)
    if let factor = clock.advance(to: now) { rescale(by: factor) }
    // A clock that did not move between the two still tells a known endpoint from an unknown one.
    var rtt = max(Double(now.nanoseconds(since: start)), 1)
    if !ok { rtt = max(rtt, slots[slot].cost, neighbourCost(of: slot)) }
    PeakEwma.observe(&slots[slot], rttNanoseconds: rtt, growth: clock.growth)
  }

  @inline(__always)
  mutating func takeBack(_ slot: Int, at now: MonotonicInstant) {
    precondition(slots[slot].outstanding > 0, "end without begin")
    if discipline == .aperture { aperture.note(inFlight: totalOutstanding, at: now, members: members.count) }
    slots[slot].outstanding -= 1
    totalOutstanding -= 1
    if slots[slot].standing == .draining && slots[slot].outstanding == 0 { enqueueDrained(slot) }
  }

  private mutating func rescale(by factor: Double) {
    for slot in 0..<slots.count {
      slots[slot].scaledCost *= factor
      if slots[slot].scaledCost == 0 { slots[slot].cost = 0 }
    }
  }

  /// Mean present cost of up to `neighboursMax` other endpoints that have answered; 0 if there is none.
  private func neighbourCost(of slot: Int) -> Double {
    var sum = 0.0
    var known = 0.0
    let looked = min(members.count, Self.neighboursMax)
    for step in 0..<looked {
      let other = Int(members[(slot + step) % members.count])
      if other == slot || slots[other].scaledCost == 0 { continue }
      sum += slots[other].scaledCost
      known += 1
    }
    return known == 0 ? 0 : sum / known / clock.growth
  }

  /// Endpoints looked at after a failure; a sample is enough for a mean.
  private static var neighboursMax: Int { 32 }
}

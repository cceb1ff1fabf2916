import MeshBase

/// The endpoints of one bound name as one worker sees them: which to pick, and what is known of each.
///
/// Every endpoint has a *slot*, a small number that is its own from the update that lists it first until it has been
/// reported by `takeFreedSlots`. An endpoint that leaves the list drains: it is never picked, and its slot stays until
/// its last request has ended. `pick`, `begin` and `end` allocate nothing. Confined to one worker.
///
/// Weights are honoured by every kind: endpoints of equal latency get requests in the ratio of their weights, and
/// weight 0 gets none. How, is told at each kind; while all weights are equal nothing of it is computed.
public final class Balancer {
  /// Bound on the endpoints of one balancer, draining ones included; those listed beyond it are left out.
  public static let slotsMax = 65_535

  public let kind: BalancerKind
  /// Draws per pick while the winner is not open.
  public let maxEffort: Int
  /// Picks that had to return an endpoint which was not open, since nothing better was found.
  public internal(set) var failOpenTotal: UInt64 = 0
  /// Requests begun and not ended, over all slots.
  public internal(set) var totalOutstanding = 0

  let discipline: Discipline
  var slots = Table<Slot>()
  var details: [SlotDetail] = []
  var slotOfAddress: [SocketAddress: Int] = [:]
  var freeSlots: [Int] = []
  var generation: UInt64 = 0
  /// Drained slots that `takeFreedSlots` has not reported yet; room for every slot is kept, so `end` can append.
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
  let ringLoadBound: Double
  /// For phases and orders set at updates; a pick's luck comes with the pick.
  var updateRandom: SeededRandom
  let orderSeed: UInt64

  enum Discipline: UInt8 { case ewma, leastLoaded, roundRobin, aperture, ring }

  /// `seed` decides where rotation starts and which endpoints an aperture uses first; give each worker its own.
  public init(kind: BalancerKind, maxEffort: Int = 5, seed: UInt64) {
    self.kind = kind
    self.maxEffort = max(maxEffort, 1)
    orderSeed = StableHash.mix(seed)
    updateRandom = SeededRandom(seed: seed)
    var decayMilliseconds: UInt64 = 10_000
    var loadBound = 0.0
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
    case .ring(_, let bound):
      discipline = .ring
      loadBound = bound
    }
    ringLoadBound = loadBound
    clock = DecayClock(tauNanoseconds: max(Double(decayMilliseconds), 1) * 1e6)
  }
}

// MARK: - What is known of the endpoints

extension Balancer {
  /// Numbers below this may be slots; grows only, so tables beside the balancer can be indexed by slot.
  public var slotLimit: Int { slots.count }

  /// Endpoints that can be picked: listed, with a weight above 0.
  public var pickableCount: Int { members.count }

  public var openCount: Int { members.count - busyMembers - closedMembers }

  /// Endpoints in use out of `pickableCount`; differs from it for an aperture only.
  public var apertureWidth: Int { discipline == .aperture ? aperture.width(among: members.count) : members.count }

  /// Slots with an endpoint, draining ones included, ascending. Allocates: for state pages.
  public var slotsInUse: [Int] { (0..<slots.count).filter { slots[$0].standing != .free } }

  public func slot(of address: SocketAddress) -> Int? { slotOfAddress[address] }

  public func address(of slot: Int) -> SocketAddress {
    requireInUse(slot)
    return details[slot].address
  }

  /// Weight from the latest list that had this endpoint, duplicates added up.
  public func weight(of slot: Int) -> Double {
    requireInUse(slot)
    return details[slot].weight
  }

  public func outstanding(of slot: Int) -> Int {
    requireInUse(slot)
    return Int(slots[slot].outstanding)
  }

  /// Peak-EWMA latency in nanoseconds, decayed to `now`; 0 if the endpoint has never answered. Kept by every kind.
  public func cost(of slot: Int, at now: MonotonicInstant) -> Double {
    requireInUse(slot)
    return slots[slot].scaledCost / clock.growth(at: now)
  }

  /// Whether the endpoint has left the list while its slot is still in use.
  public func isDraining(_ slot: Int) -> Bool {
    requireInUse(slot)
    return slots[slot].standing == .draining
  }

  public func status(of slot: Int) -> EndpointStatus {
    requireInUse(slot)
    return slots[slot].status
  }

  /// Set by what watches the endpoint's health; kept over updates for as long as the slot lives.
  public func setStatus(_ status: EndpointStatus, of slot: Int) {
    requireInUse(slot)
    let before = slots[slot].status
    slots[slot].status = status
    if slots[slot].standing == .live && details[slot].weight > 0 {
      count(before, -1)
      count(status, 1)
    }
  }

  func count(_ status: EndpointStatus, _ step: Int) {
    switch status {
    case .open: break
    case .busy: busyMembers += step
    case .closed: closedMembers += step
    }
  }

  @inline(__always)
  func requireInUse(_ slot: Int) { precondition(slots[slot].standing != .free, "slot is not in use") }
}

// MARK: - Requests

extension Balancer {
  /// A request was given to this endpoint. Each `begin` is followed by one `end`.
  public func begin(_ slot: Int, at now: MonotonicInstant) {
    requireInUse(slot)
    if discipline == .aperture { aperture.note(inFlight: totalOutstanding, at: now, members: members.count) }
    slots[slot].outstanding += 1
    totalOutstanding += 1
  }

  /// The exchange is over, successfully or not.
  ///
  /// Its whole length counts as the latency. One that failed counts as at least what the endpoint and its neighbours
  /// cost at present, so that failing fast does not make an endpoint attractive.
  public func end(_ slot: Int, startedAt start: MonotonicInstant, at now: MonotonicInstant, ok: Bool) {
    precondition(slots[slot].outstanding > 0, "end without begin")
    if discipline == .aperture { aperture.note(inFlight: totalOutstanding, at: now, members: members.count) }
    slots[slot].outstanding -= 1
    totalOutstanding -= 1
    let growth = growth(at: now)
    // A clock that did not move between the two still tells a known endpoint from an unknown one.
    var rtt = max(Double(now.nanoseconds(since: start)), 1)
    if !ok { rtt = max(rtt, slots[slot].cost, neighbourCost(of: slot, growth: growth)) }
    PeakEwma.observe(&slots[slot], rttNanoseconds: rtt, growth: growth)
    if slots[slot].standing == .draining && slots[slot].outstanding == 0 { enqueueDrained(slot) }
  }

  /// Takes back a `begin` of a request that was never sent; nothing is learnt of the endpoint.
  public func abandon(_ slot: Int, at now: MonotonicInstant) {
    precondition(slots[slot].outstanding > 0, "end without begin")
    if discipline == .aperture { aperture.note(inFlight: totalOutstanding, at: now, members: members.count) }
    slots[slot].outstanding -= 1
    totalOutstanding -= 1
    if slots[slot].standing == .draining && slots[slot].outstanding == 0 { enqueueDrained(slot) }
  }

  /// e^((now − epoch)/τ), after moving the epoch if it lies too far back.
  @inline(__always)
  private func growth(at now: MonotonicInstant) -> Double {
    if let factor = clock.advance(to: now) { rescale(by: factor) }
    return clock.growth
  }

  private func rescale(by factor: Double) {
    for slot in 0..<slots.count {
      slots[slot].scaledCost *= factor
      if slots[slot].scaledCost == 0 { slots[slot].cost = 0 }
    }
  }

  /// Mean present cost of up to `neighboursMax` other endpoints that have answered; 0 if there is none.
  private func neighbourCost(of slot: Int, growth: Double) -> Double {
    var sum = 0.0
    var known = 0.0
    let looked = min(members.count, Self.neighboursMax)
    for step in 0..<looked {
      let other = Int(members[(slot + step) % members.count])
      if other == slot || slots[other].scaledCost == 0 { continue }
      sum += slots[other].scaledCost
      known += 1
    }
    return known == 0 ? 0 : sum / known / growth
  }

  /// Endpoints looked at after a failure; a sample is enough for a mean.
  private static let neighboursMax = 32
}

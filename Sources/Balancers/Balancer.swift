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
  private let state: UnsafeMutablePointer<BalancerState>

  /// - Parameters:
  ///   - maxEffort: draws per pick while the winner is not open.
  ///   - seed: decides where rotation starts and which endpoints an aperture uses first; give each worker its own.
  public init(kind: BalancerKind, maxEffort: Int = 5, seed: UInt64) {
    self.kind = kind
    state = .allocate(capacity: 1)
    state.initialize(to: BalancerState(kind: kind, maxEffort: maxEffort, seed: seed))
  }

  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }
}

// MARK: - Requests

extension Balancer {
  /// Chooses the endpoint for one request, or nil if no endpoint can be picked.
  ///
  /// `hash` matters to a ring only. Slots in `avoiding` come last, after endpoints that are closed, but are still
  /// chosen if nothing else is left. Of the rest, open ones come before busy and these before closed ones; a pick
  /// that had to settle for one that is not open counts in `failOpenTotal`.
  public func pick(
    at now: MonotonicInstant, using random: inout SeededRandom, hash: UInt64 = 0, avoiding: SlotSet = SlotSet()
  ) -> Int? {
    state.pointee.pick(at: now, using: &random, hash: hash, avoiding: avoiding)
  }

  /// A request was given to this endpoint. Each `begin` is followed by one `end` or `abandon`.
  public func begin(_ slot: Int, at now: MonotonicInstant) { state.pointee.begin(slot, at: now) }

  /// The exchange is over, successfully or not.
  ///
  /// Its whole length counts as the latency. One that failed counts as at least what the endpoint and its neighbours
  /// cost at present, so that failing fast does not make an endpoint attractive.
  public func end(_ slot: Int, startedAt start: MonotonicInstant, at now: MonotonicInstant, ok: Bool) {
    state.pointee.end(slot, startedAt: start, at: now, ok: ok)
  }

  /// Takes back a `begin` of a request that was never sent; nothing is learnt of the endpoint.
  public func abandon(_ slot: Int, at now: MonotonicInstant) { state.pointee.takeBack(slot, at: now) }
}

// MARK: - The endpoint list

extension Balancer {
  /// Replaces the endpoint list. What is known of endpoints in both lists stays: outstanding, latency, status, turn.
  ///
  /// Entries with the same address are one endpoint with their weights added. A weight that is negative or not finite
  /// counts as 0. An endpoint that comes back while it drains gets its slot and state back.
  public func update(_ endpoints: [Endpoint]) { state.pointee.update(endpoints) }

  /// Whether `takeFreedSlots` may have something to report.
  public var hasFreedSlots: Bool { state.pointee.drained.count > 0 }

  /// Reports each endpoint that has left the list and has no request out, and frees its slot: from now on the number
  /// may mean another address. Call it after `update` and after an `end` that leaves `hasFreedSlots` true, and close
  /// what belongs to the endpoint.
  public func takeFreedSlots(_ body: (_ slot: Int, _ address: SocketAddress) -> Void) {
    while let freed = state.pointee.takeFreedSlot() { body(freed.slot, freed.address) }
  }

  /// Set by what watches the endpoint's health; kept over updates for as long as the slot lives.
  public func setStatus(_ status: EndpointStatus, of slot: Int) { state.pointee.setStatus(status, of: slot) }
}

// MARK: - What is known of the endpoints

extension Balancer {
  /// Numbers below this may be slots; grows only, so tables beside the balancer can be indexed by slot.
  public var slotLimit: Int { state.pointee.slots.count }

  /// Endpoints that can be picked: listed, with a weight above 0.
  public var pickableCount: Int { state.pointee.members.count }

  public var openCount: Int { state.pointee.openCount }

  public var closedCount: Int { state.pointee.closedMembers }

  /// Picks that had to return an endpoint which was not open, since nothing better was found.
  public var failOpenTotal: UInt64 { state.pointee.failOpenTotal }

  /// Requests begun and not ended, over all slots.
  public var totalOutstanding: Int { state.pointee.totalOutstanding }

  /// Endpoints in use out of `pickableCount`; differs from it for an aperture only.
  public var apertureWidth: Int { state.pointee.widthInUse }

  /// Slots with an endpoint, draining ones included, ascending. Allocates: for state pages.
  public var slotsInUse: [Int] { (0..<slotLimit).filter { state.pointee.slots[$0].standing != .free } }

  public func slot(of address: SocketAddress) -> Int? { state.pointee.slotOfAddress[address] }

  public func address(of slot: Int) -> SocketAddress {
    state.pointee.requireInUse(slot)
    return state.pointee.details[slot].address
  }

  /// Weight from the latest list that had this endpoint, duplicates added up.
  public func weight(of slot: Int) -> Double {
    state.pointee.requireInUse(slot)
    return state.pointee.details[slot].weight
  }

  public func outstanding(of slot: Int) -> Int {
    state.pointee.requireInUse(slot)
    return Int(state.pointee.slots[slot].outstanding)
  }

  /// Peak-EWMA latency in nanoseconds, decayed to `now`; 0 if the endpoint has never answered. Kept by every kind.
  public func cost(of slot: Int, at now: MonotonicInstant) -> Double {
    state.pointee.requireInUse(slot)
    return state.pointee.slots[slot].scaledCost / state.pointee.clock.growth(at: now)
  }

  /// Whether the endpoint has left the list while its slot is still in use.
  public func isDraining(_ slot: Int) -> Bool {
    state.pointee.requireInUse(slot)
    return state.pointee.slots[slot].standing == .draining
  }

  public func status(of slot: Int) -> EndpointStatus {
    state.pointee.requireInUse(slot)
    return state.pointee.slots[slot].status
  }
}

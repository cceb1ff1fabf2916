import Balancers
import Config
import MeshBase
import Resilience
import Telemetry

/// The endpoints of one bound name on one worker: chooses among them, and passes over those that are not well.
///
/// Knows no sockets and reads no clock, so that the simulation runs it as it is. Each `pick` is followed by exactly one
/// `end`, `cutShort` or `abandon` for the same slot.
final class BalancedEndpoints {
  /// Why an endpoint is left out.
  enum Cause: Sendable { case failures, latency }

  /// An endpoint is left out from now on; the other workers are to know.
  struct Ejection: Sendable {
    let cause: Cause
    let until: MonotonicInstant
  }

  let balancer: Balancer
  private let stats: ClientStats
  private var health: EndpointHealth
  /// Of the endpoints that can be picked, the share that may be left out at a time.
  private let ejectedShareMax: Double
  private var slowStart: SlowStart?
  /// The first endpoints are all new, so none of them is spared.
  private var hasEndpoints = false
  private var outliers: LatencyOutliers?

  init(_ configuration: Configuration.Client, seed: UInt64, stats: ClientStats) {
    self.stats = stats
    let kind = BalancerKind(configuration.loadBalancer.kind)
    balancer = Balancer(kind: kind, maxEffort: configuration.loadBalancer.maxEffort, seed: seed)
    health = EndpointHealth(configuration.failureAccrual)
    ejectedShareMax = Double(configuration.maxEjectedPercent) / 100
    // On a ring an endpoint has its own callers, which nobody else should get.
    if case .ring = kind {
    } else if configuration.slowStartMilliseconds > 0 {
      slowStart = SlowStart(windowMilliseconds: UInt64(configuration.slowStartMilliseconds))
    }
    outliers = configuration.latencyOutliers.map { LatencyOutliers(LatencyOutliers.Policy($0)) }
  }

  // MARK: Requests

  /// Chooses the endpoint for one attempt, which begins; see `Balancer.pick`.
  @inline(__always)
  func pick(
    at now: MonotonicInstant, using random: inout SeededRandom, hash: UInt64, avoiding tried: SlotSet
  ) -> Int? {
    if health.isTroubled { reviveDue(at: now) }
    guard var slot = balancer.pick(at: now, using: &random, hash: hash, avoiding: tried) else { return nil }
    if slowStart != nil { slot = spareWarming(slot, at: now, using: &random, hash: hash, avoiding: tried) }
    balancer.begin(slot, at: now)
    if health.isTroubled { beginTroubled(slot) }
    return slot
  }

  /// The same for the endpoint at this address, if it is there and well, and has not been tried.
  func stick(to address: SocketAddress, at now: MonotonicInstant, avoiding tried: SlotSet) -> Int? {
    if health.isTroubled { reviveDue(at: now) }
    guard let slot = balancer.slot(of: address), !balancer.isDraining(slot), balancer.status(of: slot) == .open,
      !tried.contains(slot)
    else { return nil }
    balancer.begin(slot, at: now)
    if health.isTroubled { beginTroubled(slot) }
    return slot
  }

  private func spareWarming(
    _ slot: Int, at now: MonotonicInstant, using random: inout SeededRandom, hash: UInt64, avoiding tried: SlotSet
  ) -> Int {
    guard slowStart?.isActive == true, slowStart?.passesOver(slot, at: now, using: &random) == true else { return slot }
    var avoided = tried
    avoided.insert(slot)
    guard let other = balancer.pick(at: now, using: &random, hash: hash, avoiding: avoided),
      // A full set has forgotten one for the sake of `slot`.
      balancer.status(of: other) == .open, !tried.contains(other)
    else { return slot }
    return other
  }

  private func beginTroubled(_ slot: Int) {
    if balancer.status(of: slot) != .open { stats.pickedInPanic() }
    guard health.requestBegins(at: slot) else { return }
    // The one request that is to tell whether it is well again; the next ones go elsewhere until it has.
    balancer.setStatus(.busy, of: slot)
    stats.endpointProbed()
  }

  /// An attempt is over; `ok` as the service's classifier says. Not nil: the endpoint is left out from now on.
  @inline(__always)
  func end(
    _ slot: Int, startedAt start: MonotonicInstant, at now: MonotonicInstant, ok: Bool, using random: inout SeededRandom
  ) -> Ejection? {
    balancer.end(slot, startedAt: start, at: now, ok: ok)
    if outliers != nil, ok { outliers?.record(slot, nanoseconds: now.nanoseconds(since: start)) }
    guard let verdict = health.record(ok: ok, at: slot, now: now, using: &random) else { return nil }
    return act(on: verdict, slot, at: now)
  }

  private func act(on verdict: FailureAccrual.Verdict, _ slot: Int, at now: MonotonicInstant) -> Ejection? {
    switch verdict {
    case .ejected(let until):
      guard eject(slot, until: until) else { return nil }
      return Ejection(cause: .failures, until: until)
    case .revived:
      balancer.setStatus(.open, of: slot)
      revived(slot, at: now)
      return nil
    }
  }

  /// Takes back an attempt of which nothing was sent, or of which nothing can be told from how it ended.
  func abandon(_ slot: Int, at now: MonotonicInstant) {
    balancer.abandon(slot, at: now)
    endWithoutVerdict(slot)
  }

  /// The caller gave up. How long it waited is no less than what the endpoint takes, so a hanging one becomes less
  /// attractive; its health is not touched, since callers may be in more of a hurry than any endpoint.
  func cutShort(_ slot: Int, startedAt start: MonotonicInstant, at now: MonotonicInstant) {
    let waited = now.nanoseconds(since: start)
    if Double(waited) > balancer.cost(of: slot, at: now) {
      balancer.end(slot, startedAt: start, at: now, ok: true)
      outliers?.record(slot, nanoseconds: waited)
    } else {
      balancer.abandon(slot, at: now)
    }
    endWithoutVerdict(slot)
  }

  /// Nothing is known of the endpoint's health that was not before; if the attempt was its probe, there is another.
  private func endWithoutVerdict(_ slot: Int) {
    if health.isTroubled, health.probeWasAbandoned(at: slot) { balancer.setStatus(.open, of: slot) }
  }

  // MARK: Health

  /// Another worker has left the endpoint out.
  func ejectedElsewhere(_ address: SocketAddress, _ ejection: Ejection) {
    guard let slot = balancer.slot(of: address) else { return }
    switch ejection.cause {
    case .failures:
      if health.ejectedElsewhere(slot, until: ejection.until) { _ = eject(slot, until: ejection.until) }
    case .latency:
      if balancer.status(of: slot) == .open { _ = eject(slot, until: ejection.until) }
    }
  }

  /// False: too many are left out already, and this one serves on as if nothing had been.
  private func eject(_ slot: Int, until: MonotonicInstant) -> Bool {
    if ejectedShareMax < 1, balancer.status(of: slot) != .closed, balancer.closedCount >= ejectedMax {
      health.forget(slot)
      balancer.setStatus(.open, of: slot)
      stats.ejectionRefused()
      return false
    }
    balancer.setStatus(.closed, of: slot)
    slowStart?.forget(slot)
    health.leaveOut(slot, until: until)
    stats.endpointEjected()
    return true
  }

  /// One may always be left out, or a small share would be none at all.
  private var ejectedMax: Int { max(1, Int(ejectedShareMax * Double(balancer.pickableCount))) }

  /// Lets endpoints in again while too many are left out: some came back to the list, or others have gone from it.
  private func keepShare() {
    guard ejectedShareMax < 1, balancer.closedCount > ejectedMax else { return }
    for slot in balancer.slotsInUse where !balancer.isDraining(slot) && balancer.status(of: slot) == .closed {
      health.forget(slot)
      balancer.setStatus(.open, of: slot)
      stats.endpointRevived()
      if balancer.closedCount <= ejectedMax { return }
    }
  }

  /// Passes over an endpoint that refused a connection, or asked for time, so that the budget is not spent on it.
  func rest(_ slot: Int, at now: MonotonicInstant, milliseconds: UInt64) {
    guard balancer.status(of: slot) == .open else { return }
    balancer.setStatus(.busy, of: slot)
    health.leaveOut(slot, until: now.advanced(byMilliseconds: milliseconds))
    stats.endpointEjected()
  }

  /// Lets endpoints in again whose time is over.
  private func reviveDue(at now: MonotonicInstant) {
    health.takeDue(at: now) { slot, isProbe in
      let wasClosed = balancer.status(of: slot) == .closed
      balancer.setStatus(.open, of: slot)
      if isProbe { return }
      // One that refused a connection was out for a moment only.
      if wasClosed { revived(slot, at: now) } else { stats.endpointRevived() }
    }
  }

  private func revived(_ slot: Int, at now: MonotonicInstant) {
    stats.endpointRevived()
    slowStart?.begins(slot, at: now)
  }

  /// About once a second: what no request would bring about. `body`: an endpoint is left out from now on.
  func sweep(at now: MonotonicInstant, onEjection body: (_ slot: Int, Ejection) -> Void) {
    if health.isTroubled { reviveDue(at: now) }
    slowStart?.sweep(at: now)
    outliers?.judge(at: now) { slot, nanoseconds in
      guard balancer.status(of: slot) == .open else { return }
      let until = now.advanced(byNanoseconds: nanoseconds)
      if eject(slot, until: until) { body(slot, Ejection(cause: .latency, until: until)) }
    }
    report()
  }

  // MARK: The list

  /// Replaces the list; see `Balancer.update`. `takeFreed` is to follow.
  func update(_ endpoints: [Endpoint], at now: MonotonicInstant) {
    let new = hasEndpoints && slowStart != nil ? endpoints.filter { balancer.slot(of: $0.address) == nil } : []
    balancer.update(endpoints)
    for endpoint in new { if let slot = balancer.slot(of: endpoint.address) { slowStart?.begins(slot, at: now) } }
    if !endpoints.isEmpty { hasEndpoints = true }
    keepShare()
  }

  @inline(__always) var hasFreed: Bool { balancer.hasFreedSlots }

  /// Frees the slots of endpoints that are gone for good; `body` closes what belongs to them.
  func takeFreed(_ body: (_ slot: Int) -> Void) {
    balancer.takeFreedSlots { slot, _ in
      health.forget(slot)
      slowStart?.forget(slot)
      outliers?.forget(slot)
      body(slot)
    }
  }

  func report() {
    stats.setEndpoints(
      count: balancer.pickableCount, ejected: balancer.pickableCount - balancer.openCount,
      probing: health.probingCount)
  }

  /// Why the endpoint is passed over, or has less than its share, for people; nil if neither.
  func explanation(of slot: Int, at now: MonotonicInstant) -> String? {
    if let text = health.explanation(of: slot, at: now, isEjected: balancer.status(of: slot) == .closed) { return text }
    let share = slowStart?.share(of: slot, at: now) ?? 1
    return share < 1 ? "slow start: \(Int(share * 100)) % of its share" : nil
  }
}

extension LatencyOutliers.Policy {
  init(_ configuration: Configuration.LatencyOutliers) {
    self.init(
      factor: configuration.factor, least: UInt64(configuration.minMilliseconds) * 1_000_000,
      window: UInt64(configuration.windowSeconds) * 1_000_000_000, requests: configuration.requests,
      base: UInt64(configuration.ejectMilliseconds) * 1_000_000)
  }
}

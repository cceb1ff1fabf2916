import Balancers
import Config
import HTTP
import MeshBase
import Net
import Resilience
import Telemetry

/// One bound name on one worker: its balancer, and a pool of connections per endpoint. Confined to the worker.
final class Client {
  let id: Int
  let name: String
  let stats: ClientStats
  let configuration: Configuration.Client
  let `protocol`: Configuration.ClientProtocol
  /// The endpoints speak HTTP/2, or may do so.
  let mayUseStreams: Bool
  /// They are spoken to as the caller spoke: `auto` where no ALPN decides.
  let followsCaller: Bool
  /// How endpoints are spoken to in TLS; `nil`: in clear text.
  private let tls: TLS?
  /// Which of the router's keys for rings the balancer hashes.
  let ringKey: Int
  /// Endpoints are told the caller's certificate.
  let forwardsClientCert: Bool
  let http2: HTTP2Settings
  let http2HeadLimits: H1Limits
  let attemptTimeoutMilliseconds: UInt64?
  let lifeTimeNanoseconds: UInt64?
  let router: RouterRuntime
  let worker: Worker
  let balancer: Balancer
  /// Indexed by the balancer's slot.
  private var pools: [EndpointPool?] = []
  var requeueBudget: RetryBudget
  /// Bind entries that route here.
  var references = 0
  /// What is known of the endpoints' failures.
  var health: EndpointHealth

  private struct TLS {
    /// Which of the router's terms hold.
    let terms: Int
    /// What an endpoint's certificate must be for; empty: anything.
    let name: String
    /// What is offered by ALPN.
    let applications: [TLSApplication]
  }

  init(_ snapshot: ClientSnapshot, router: RouterRuntime) {
    id = snapshot.id
    name = snapshot.name
    stats = snapshot.stats
    self.router = router
    worker = router.worker
    configuration = router.clientSettings.settings(for: snapshot.path)
    `protocol` = configuration.protocol
    let applications = TLSAssembly.applications(configuration.protocol)
    tls = configuration.tls.map { tls in
      guard let terms = router.clientTLS.firstIndex(where: { $0.terms == tls.terms }) else {
        preconditionFailure("terms of TLS without a context")
      }
      return TLS(terms: terms, name: tls.commonName ?? "", applications: applications)
    }
    followsCaller = `protocol` == .auto && tls == nil
    mayUseStreams = `protocol` == .h2 || (`protocol` == .auto && tls != nil)
    ringKey = router.ringKeys.index(of: configuration.loadBalancer)
    forwardsClientCert = configuration.forwardClientCert
    http2 = HTTP2Settings(configuration.http2)
    http2HeadLimits = H1Limits(http2: http2)
    attemptTimeoutMilliseconds = configuration.requestAttemptTimeoutMilliseconds.map(UInt64.init)
    lifeTimeNanoseconds = configuration.session.lifeTimeMilliseconds.map { UInt64($0) * 1_000_000 }
    balancer = Balancer(
      kind: BalancerKind(configuration.loadBalancer.kind), maxEffort: configuration.loadBalancer.maxEffort,
      seed: worker.random.next())
    requeueBudget = RetryBudget(configuration.requeueBudget, workerCount: router.workerCount)
    health = EndpointHealth(configuration.failureAccrual)
    update(snapshot.endpoints)
  }

  func update(_ endpoints: [Endpoint]) {
    balancer.update(endpoints)
    closeFreedPools()
    reportEndpoints()
  }

  private func reportEndpoints() {
    stats.setEndpoints(
      count: balancer.pickableCount, ejected: balancer.pickableCount - balancer.openCount,
      probing: health.probingCount)
  }

  /// A session for a connection that is being made; nil for clear text.
  func makeTLS(_ descriptor: Int32, address: SocketAddress, onlyHTTP1: Bool = false) -> TLSSession? {
    guard let tls else { return nil }
    return TLSSession(
      client: router.clientTLS[tls.terms].context, descriptor: descriptor, workspace: worker.tlsWorkspace,
      expectedName: tls.name, applications: onlyHTTP1 ? [.http11] : tls.applications, cache: router.tlsSessions,
      slot: TLSSessionCache.Key(name: tls.name, address: address))
  }

  func pool(of slot: Int) -> EndpointPool {
    if slot >= pools.count { pools += Array(repeating: nil, count: balancer.slotLimit - pools.count) }
    if let pool = pools[slot] { return pool }
    let pool = EndpointPool(address: balancer.address(of: slot), client: self)
    pools[slot] = pool
    return pool
  }

  /// An attempt at this slot begins.
  @inline(__always)
  func attemptBegan(_ slot: Int) {
    balancer.begin(slot, at: worker.loop.now)
    if health.isTroubled { troubledAttemptBegan(slot) }
  }

  private func troubledAttemptBegan(_ slot: Int) {
    if balancer.status(of: slot) != .open { stats.pickedInPanic() }
    guard health.requestBegins(at: slot) else { return }
    // The one request that is to tell whether it is well again; the next ones go elsewhere until it has.
    balancer.setStatus(.busy, of: slot)
    stats.endpointProbed()
  }

  /// An attempt at this slot is over; `ok` as the service's classifier says.
  @inline(__always)
  func attemptEnded(_ slot: Int, startedAt: MonotonicInstant, ok: Bool) {
    balancer.end(slot, startedAt: startedAt, at: worker.loop.now, ok: ok)
    if let verdict = health.record(ok: ok, at: slot, now: worker.loop.now, using: &worker.random) {
      act(on: verdict, slot)
    }
    if balancer.hasFreedSlots { closeFreedPools() }
  }

  /// Nothing was sent, or nothing can be told from how it ended.
  func attemptAbandoned(_ slot: Int) {
    balancer.abandon(slot, at: worker.loop.now)
    endedWithoutVerdict(slot)
  }

  /// The caller gave up. How long it waited is no less than what the endpoint takes, so a hanging one becomes less
  /// attractive; its health is not touched, since callers may be in more of a hurry than any endpoint.
  func attemptCutShort(_ slot: Int, startedAt: MonotonicInstant) {
    let now = worker.loop.now
    if Double(now.nanoseconds(since: startedAt)) > balancer.cost(of: slot, at: now) {
      balancer.end(slot, startedAt: startedAt, at: now, ok: true)
    } else {
      balancer.abandon(slot, at: now)
    }
    endedWithoutVerdict(slot)
  }

  /// If the attempt was a probe, there will be another.
  private func endedWithoutVerdict(_ slot: Int) {
    if health.isTroubled, health.probeWasAbandoned(at: slot) { balancer.setStatus(.open, of: slot) }
    if balancer.hasFreedSlots { closeFreedPools() }
  }

  // MARK: Health

  private func act(on verdict: FailureAccrual.Verdict, _ slot: Int) {
    switch verdict {
    case .ejected(let until):
      leaveOut(slot, until: until)
      worker.tellControl(
        .ejected(
          worker: worker.index, router: router.index, client: id, address: balancer.address(of: slot), until: until))
    case .revived:
      balancer.setStatus(.open, of: slot)
      stats.endpointRevived()
    }
  }

  /// Another worker has found the endpoint dead.
  func ejectedElsewhere(_ address: SocketAddress, until: MonotonicInstant) {
    guard let slot = balancer.slot(of: address), health.ejectedElsewhere(slot, until: until) else { return }
    leaveOut(slot, until: until)
  }

  private func leaveOut(_ slot: Int, until: MonotonicInstant) {
    balancer.setStatus(.closed, of: slot)
    health.leaveOut(slot, until: until)
    stats.endpointEjected()
  }

  /// Passes over an endpoint that refused a connection for a moment, so that the budget is not spent on it.
  func rest(_ slot: Int) {
    guard balancer.status(of: slot) == .open else { return }
    balancer.setStatus(.busy, of: slot)
    health.leaveOut(slot, until: worker.loop.now.advanced(byMilliseconds: EndpointHealth.restAfterRefusalMilliseconds))
    stats.endpointEjected()
  }

  /// Lets endpoints in again whose time is over; called before picks.
  @inline(__always)
  func reviveRested() {
    if health.isTroubled { reviveDue() }
  }

  private func reviveDue() {
    let now = worker.loop.now
    health.takeDue(at: now) { slot, isProbe in
      balancer.setStatus(.open, of: slot)
      if !isProbe { stats.endpointRevived() }
    }
  }

  private func closeFreedPools() {
    balancer.takeFreedSlots { slot, _ in
      health.forget(slot)
      guard slot < pools.count, let pool = pools[slot] else { return }
      pools[slot] = nil
      pool.close()
    }
  }

  func release() {
    references -= 1
    guard references == 0 else { return }
    router.clientUnreferenced(self)
    // Exchanges in progress keep their connections, which close on return because their pool is closed.
    closeAll()
  }

  func sweep(now: MonotonicInstant) {
    for case let pool? in pools { pool.closeIdle(now: now) }
    reviveRested()
    reportEndpoints()
  }

  /// Closes idle connections at once and busy ones on their return; breaks the cycle between client and pools.
  func closeAll() {
    for case let pool? in pools { pool.close() }
    pools.removeAll()
  }

  func inspect(now: MonotonicInstant) -> ClientInspection {
    ClientInspection(
      name: name,
      endpoints: balancer.slotsInUse.map { slot in
        let pool = slot < pools.count ? pools[slot] : nil
        return ClientInspection.Endpoint(
          address: balancer.address(of: slot), weight: balancer.weight(of: slot),
          costNanoseconds: balancer.cost(of: slot, at: now), outstanding: balancer.outstanding(of: slot),
          idleConnections: pool?.idleCount ?? 0, openConnections: pool?.openCount ?? 0,
          isDraining: balancer.isDraining(slot), status: "\(balancer.status(of: slot))",
          health: health.explanation(of: slot, at: now))
      })
  }
}

extension BalancerKind {
  init(_ kind: Configuration.LoadBalancer.Kind) {
    switch kind {
    case .p2c: self = .p2cLeastLoaded
    case .ewma(let decay): self = .p2cEwma(decayMilliseconds: UInt64(decay))
    case .roundRobin: self = .roundRobin
    case .aperture(let a):
      self = .aperture(
        smoothWindowMilliseconds: UInt64(a.smoothWindowMilliseconds), lowLoad: a.lowLoad, highLoad: a.highLoad,
        minAperture: a.minAperture)
    case .ring(let ring): self = .ring(pointsPerEndpoint: ring.pointsPerEndpoint, loadBound: ring.loadBound)
    }
  }
}

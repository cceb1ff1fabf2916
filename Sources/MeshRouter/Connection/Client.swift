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
  /// What is done on purpose to the name's traffic; `nil`: nothing.
  let traffic: ClientTraffic?
  let router: RouterRuntime
  let worker: Worker
  let endpoints: BalancedEndpoints
  /// Indexed by the balancer's slot.
  private var pools: [EndpointPool?] = []
  var requeueBudget: RetryBudget
  /// Bind entries that route here.
  var references = 0
  /// Attempts that may be out at once; `nil`: any number.
  let gate: ClientGate?

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
    traffic = ClientTraffic(configuration)
    endpoints = BalancedEndpoints(configuration, seed: worker.random.next(), stats: stats)
    requeueBudget = RetryBudget(configuration.requeueBudget, workerCount: router.workerCount)
    gate = ClientGate(
      configuration.concurrencyLimit, shares: router.configuration.importanceShares, worker: worker, stats: stats)
    update(snapshot.endpoints)
    for (address, ejection) in snapshot.ejections where ejection.until > worker.loop.now {
      endpoints.ejectedElsewhere(address, ejection)
    }
  }

  @inline(__always) var balancer: Balancer { endpoints.balancer }

  func update(_ list: [Endpoint]) {
    endpoints.update(list, at: worker.loop.now)
    traffic?.sticky?.update(list)
    closeFreedPools()
    endpoints.report()
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

  // MARK: Attempts

  /// Chooses an endpoint for an attempt, which begins.
  @inline(__always)
  func pick(_ hashes: RingHashes, avoiding tried: SlotSet) -> Int? {
    let slot = endpoints.pick(
      at: worker.loop.now, using: &worker.random, hash: hashes[ringKey], avoiding: tried)
    if slot != nil { attemptBegan() }
    return slot
  }

  /// The same for the endpoint at this address, if it is there and well, and has not been tried.
  func stick(to address: SocketAddress, avoiding tried: SlotSet) -> Int? {
    let slot = endpoints.stick(to: address, at: worker.loop.now, avoiding: tried)
    if slot != nil { attemptBegan() }
    return slot
  }

  @inline(__always)
  private func attemptBegan() {
    stats.attemptBegan()
    gate?.begin()
  }

  /// An attempt at this slot is over; `ok` as the service's classifier says.
  @inline(__always)
  func attemptEnded(_ slot: Int, startedAt: MonotonicInstant, ok: Bool) {
    gate?.end()
    let ejection = endpoints.end(
      slot, startedAt: startedAt, at: worker.loop.now, ok: ok, using: &worker.random)
    if let ejection { tell(ejection, of: slot) }
    if endpoints.hasFreed { closeFreedPools() }
  }

  /// Nothing was sent, or nothing can be told from how it ended.
  func attemptAbandoned(_ slot: Int) {
    endpoints.abandon(slot, at: worker.loop.now)
    gate?.end()
    if endpoints.hasFreed { closeFreedPools() }
  }

  /// The caller gave up.
  func attemptCutShort(_ slot: Int, startedAt: MonotonicInstant) {
    endpoints.cutShort(slot, startedAt: startedAt, at: worker.loop.now)
    gate?.end()
    if endpoints.hasFreed { closeFreedPools() }
  }

  /// The endpoint refused a connection, or asked for time.
  func rest(_ slot: Int, milliseconds: UInt64 = EndpointHealth.restAfterRefusalMilliseconds) {
    endpoints.rest(slot, at: worker.loop.now, milliseconds: milliseconds)
  }

  /// Other workers leave the endpoint out as well.
  private func tell(_ ejection: BalancedEndpoints.Ejection, of slot: Int) {
    worker.tellControl(
      .ejected(
        worker: worker.index, router: router.index, client: id, address: balancer.address(of: slot), ejection))
  }

  private func closeFreedPools() {
    endpoints.takeFreed { slot in
      guard slot < pools.count, let pool = pools[slot] else { return }
      pools[slot] = nil
      pool.close()
    }
  }

  func release() {
    references -= 1
    guard references == 0 else { return }
    router.clientUnreferenced(self)
    gate?.close()
    // Exchanges in progress keep their connections, which close on return because their pool is closed.
    closeAll()
  }

  func sweep(now: MonotonicInstant) {
    for case let pool? in pools { pool.closeIdle(now: now) }
    endpoints.sweep(at: now) { tell($1, of: $0) }
  }

  /// Closes idle connections, as descriptors or memory are short.
  func closeIdleConnections() { for case let pool? in pools { pool.closeIdleHalf() } }

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
          health: endpoints.explanation(of: slot, at: now))
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

import Balancers
import Config
import Dtab
import HTTP
import MeshBase
import Net
import Resilience
import Telemetry

/// One router on one worker: its names and clients. Confined to the worker.
final class RouterRuntime {
  let index: Int
  /// Workers that share what is configured per process, such as budgets.
  let workerCount: Int
  let label: String
  let configuration: Configuration.Router
  let limits: H1Limits
  /// What bound names have.
  let clientSettings: ClientSettings
  /// What logical names have.
  private let serviceSettings: ServiceSettings
  /// What ring balancers hash.
  let ringKeys: RingKeys
  /// Looked for in requests, where a service heeds it.
  let idempotencyKey: HeaderName?
  /// Names the milliseconds that a caller waits.
  let timeoutHeader: HeaderName?
  let importance: Importance?
  /// Of the limits of logical names; all workers share them.
  private let nameRates: NameRates
  let rates: [PlannedRate]
  let identifiers: [Identifier]
  /// One of them looks at the caller's certificate.
  let identifiersReadCaller: Bool
  let stats: RouterStats
  @exclusivity(unchecked) private(set) var accessLog: AccessLogWriter?
  let worker: Worker
  /// In the order of the configuration.
  var servers: [ServerRuntime] = []
  /// The ways in which endpoints are spoken to in TLS.
  var clientTLS: [RouterPlan.ClientTLS]
  /// What endpoints have given out, so that the next connection spares the handshake.
  let tlsSessions = TLSSessionCache()
  private(set) var cache: BindCache
  private(set) var clients: [Int: Client] = [:]
  private var entries: [UInt64: BindEntry] = [:]
  private var nextEntry: UInt64 = 1
  private let hashSeed: UInt64
  private var flights: MirrorFlights?

  init(plan: RouterPlan, worker: Worker) {
    index = plan.index
    workerCount = plan.workerCount
    configuration = plan.configuration
    label = plan.configuration.label
    stats = plan.stats
    accessLog = plan.accessLog
    clientTLS = plan.clientTLS
    self.worker = worker
    clientSettings = ClientSettings(plan.configuration.client)
    serviceSettings = ServiceSettings(plan.configuration.service)
    ringKeys = RingKeys(plan.configuration.client.loadBalancers)
    limits = H1Limits(
      lineBytesMax: configuration.maxInitialLineKilobytes * 1_024,
      headBytesMax: (configuration.maxInitialLineKilobytes + configuration.maxHeadersKilobytes) * 1_024)
    importance = configuration.priority.flatMap { Importance($0) }
    nameRates = plan.nameRates
    rates = plan.rates
    timeoutHeader = configuration.timeoutHeader.map { HeaderName($0) }
    let heedsKeys =
      configuration.service.retries.heedIdempotencyKey
      || configuration.service.configs.contains { $0.settings.retries.heedIdempotencyKey }
    idempotencyKey = heedsKeys ? HeaderName("Idempotency-Key") : nil
    identifiers = configuration.identifiers.map { Identifier($0, dstPrefix: plan.configuration.dstPrefix) }
    identifiersReadCaller = identifiers.contains(where: \.readsCaller)
    cache = BindCache(capacity: configuration.bindingCache.paths)
    hashSeed = worker.random.next()
  }

  /// The entry for the key, asking the control thread for it if it is new.
  @inline(__always)
  func entry(for key: UnsafeRawBufferPointer) -> BindEntry {
    let hash = byteHash(key, seed: hashSeed)
    if let entry = cache.find(key, hash: hash) {
      entry.lastUsed = worker.loop.now
      stats.bindCache(.path, .hits)
      return entry
    }
    return makeEntry(key, hash: hash)
  }

  private func makeEntry(_ key: UnsafeRawBufferPointer, hash: UInt64) -> BindEntry {
    stats.bindCache(.path, .misses)
    if cache.count >= cache.capacity, let victim = cache.leastUseful() {
      stats.bindCache(.path, .evicts)
      drop(victim)
    }
    let service = key.firstIndex(of: 0).map { UnsafeRawBufferPointer(rebasing: key[..<$0]) } ?? key
    let entry = BindEntry(
      id: nextEntry, hash: hash, key: Array(key), now: worker.loop.now,
      configuration: serviceSettings.settings(for: service), workerCount: workerCount, names: nameRates)
    nextEntry += 1
    cache.insert(entry)
    entries[entry.id] = entry
    let parts = entry.key.split(separator: 0, maxSplits: 1)
    worker.tellControl(
      .bind(
        BindRequest(
          worker: worker.index, router: index, entry: entry.id, path: Array(parts[0]),
          overrides: parts.count > 1 ? Array(parts[1]) : [])))
    return entry
  }

  private func drop(_ entry: BindEntry) {
    cache.remove(entry)
    entries[entry.id] = nil
    entry.close()
    worker.tellControl(.release(worker: worker.index, router: index, entry: entry.id))
  }

  // MARK: Reload

  /// Asks for the names that the router it takes over from has in use, so that no request has to wait for them and what
  /// is counted by name goes on.
  func learnNames(of predecessor: RouterRuntime) {
    for entry in predecessor.entries.values.sorted(by: { $0.id < $1.id }) where cache.count < cache.capacity {
      entry.key.withUnsafeBytes { key in
        let hash = byteHash(key, seed: hashSeed)
        if cache.find(key, hash: hash) == nil { _ = makeEntry(key, hash: hash) }
      }
    }
  }

  /// It was replaced or removed: names that no request uses any more go, and the connections to their endpoints with
  /// them. Returns whether any is left, or a copy that waits for its turn and so uses none yet.
  func windDown() -> Bool {
    for entry in cache.idle(since: MonotonicInstant(nanoseconds: .max)) { drop(entry) }
    for client in clients.values { client.sweep(now: worker.loop.now) }
    return cache.count > 0 || (flights?.count ?? 0) > 0
  }

  /// It has served its last request. Connections that were accepted by its servers may still refer to it; nothing else
  /// is left of it.
  func end() {
    accessLog?.flush(worker)
    accessLog = nil
    servers = []
    closeAll()
  }

  /// Takes over a new tree, and sends those who waited for it on their way.
  func update(entry id: UInt64, _ snapshot: RouteSnapshot) {
    guard let entry = entries[id] else { return }
    entry.update(snapshot) { client(for: $0) }
    let waiters = entry.waiters
    entry.waiters.removeAll()
    for exchange in waiters { exchange.bindAnswered() }
  }

  func ejected(client id: Int, _ address: SocketAddress, _ ejection: BalancedEndpoints.Ejection) {
    clients[id]?.endpoints.ejectedElsewhere(address, ejection)
  }

  func updateEndpoints(client id: Int, _ endpoints: [Endpoint]) { clients[id]?.update(endpoints) }

  private func client(for snapshot: ClientSnapshot) -> Client {
    if let client = clients[snapshot.id] {
      return client
    }
    let client = Client(snapshot, router: self)
    clients[snapshot.id] = client
    return client
  }

  func clientUnreferenced(_ client: Client) { clients[client.id] = nil }

  /// Housekeeping, about once a second: idle names and connections past their time.
  func sweep(now: MonotonicInstant) {
    let ttl = UInt64(configuration.bindingCache.idleTtlSeconds) * 1_000_000_000
    if now.nanoseconds > ttl {
      for entry in cache.idle(since: MonotonicInstant(nanoseconds: now.nanoseconds - ttl)) {
        stats.bindCache(.path, .expires)
        drop(entry)
      }
    }
    stats.setBindCacheIdle(.path, cache.idleCount)
    for client in clients.values { client.sweep(now: now) }
  }

  /// Made when the first copy of a request is sent.
  var mirrorFlights: MirrorFlights {
    if let flights { return flights }
    let made = MirrorFlights(self)
    flights = made
    return made
  }

  /// As descriptors or memory are short.
  func closeIdleConnections() { for client in clients.values { client.closeIdleConnections() } }

  func inspectClients() -> [ClientInspection] { clients.values.map { $0.inspect(now: worker.loop.now) } }

  func closeAll() {
    flights?.close()
    flights = nil
    for client in clients.values { client.closeAll() }
  }
}

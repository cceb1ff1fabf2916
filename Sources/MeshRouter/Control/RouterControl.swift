import Config
import Dtab
import MeshBase
import Namers
import Net
import Telemetry

/// One router on the control thread: answers the workers' binds and keeps the answers up to date.
@ControlActor
final class RouterControl {
  private struct EntryKey: Hashable {
    var worker: Int
    var entry: UInt64
  }

  /// One name that one worker routes by.
  @ControlActor
  private final class Entry {
    let request: BindRequest
    let binding: Binding?
    let service: String
    let contextDtab: String
    var token: ObservationToken?
    /// Clients that the latest route counts as references.
    var clients: [ClientControl] = []
    /// Endpoint sets waited for before the first route can be told.
    var waits: [ObservationToken] = []
    /// Counts answers, so that an explanation that took its time does not replace a newer route.
    var generation = 0

    init(request: BindRequest, binding: Binding?, service: String, contextDtab: String) {
      self.request = request
      self.binding = binding
      self.service = service
      self.contextDtab = contextDtab
    }
  }

  nonisolated let index: Int
  nonisolated let configuration: Configuration.Router
  let interpreter: Interpreter
  private let scopes: RouterScopes
  private let send: @ControlActor (Int, WorkerMessage) -> Void
  private let workerCount: Int
  private let ids: ClientIDs
  private var entries: [EntryKey: Entry] = [:]
  private var clients: [Path: ClientControl] = [:]
  private var explanationsLeft = explanationsPerSecond
  private var explanationSecond: UInt64 = 0

  /// Explaining a failed bind searches the namers for near names; hostile names must not keep the control thread busy.
  private static let explanationsPerSecond = 20
  private static let explanationMillisecondsMax: UInt64 = 200
  /// The statistics of names that never could be routed; callers choose those names, so they share one scope.
  private static let unroutedService = "unrouted"

  /// `send` hands a message to one worker.
  init(
    index: Int, configuration: Configuration.Router, interpreter: Interpreter, scopes: RouterScopes, workerCount: Int,
    ids: ClientIDs, send: @escaping @ControlActor (Int, WorkerMessage) -> Void
  ) {
    self.index = index
    self.configuration = configuration
    self.interpreter = interpreter
    self.scopes = scopes
    self.workerCount = workerCount
    self.ids = ids
    self.send = send
  }

  // MARK: From the workers

  func bind(_ request: BindRequest) {
    let key = EntryKey(worker: request.worker, entry: request.entry)
    let service = String(decoding: request.path, as: UTF8.self)
    let path: Path
    let overrides: Dtab
    do {
      path = try Path(parsing: service)
    } catch {
      return refuse(request, .identifyBadPath, "\(error)", service)
    }
    let text = String(decoding: request.overrides, as: UTF8.self)
    do {
      overrides = try Dtab(parsing: text)
    } catch {
      return refuse(request, .bindBadOverride, "\(error)\n\(error.caret(in: text))", service)
    }
    let binding = interpreter.bind(path, overrides: overrides)
    let entry = Entry(
      request: request, binding: binding, service: service, contextDtab: overrides.isEmpty ? "" : overrides.description)
    entries[key] = entry
    scopes.enter(service: service)
    entry.token = binding.observe { [weak self, weak entry] in
      if let self, let entry { self.answer(entry) }
    }
    answer(entry)
  }

  private func refuse(_ request: BindRequest, _ reason: Reason, _ text: String, _ service: String) {
    route(
      request, .failed(reason, explanation: text), service: service,
      stats: scopes.metrics.service(Self.unroutedService),
      contextDtab: "")
  }

  func release(worker: Int, entry: UInt64) {
    guard let entry = entries.removeValue(forKey: EntryKey(worker: worker, entry: entry)) else { return }
    entry.token?.cancel()
    entry.waits = []
    entry.generation += 1
    for client in entry.clients { dereference(client) }
    entry.binding?.close()
    scopes.leave(service: entry.service)
  }

  /// All workers have ended the router.
  func close() {
    for key in Array(entries.keys) { release(worker: key.worker, entry: key.entry) }
  }

  // MARK: To the workers

  /// Tells the worker what the name routes to now, as soon as that can be told.
  private func answer(_ entry: Entry) {
    entry.generation += 1
    entry.waits = []
    guard let state = entry.binding?.state else { return }
    switch state {
    case .pending: return  // the worker's binding time-out runs
    case .failed(let failure): fail(entry, Reason(failure), failure.description)
    case .bound(let tree), .stale(let tree, _, _):
      switch routes(tree) {
      case .neg: fail(entry, .bindNeg, "")
      case .fail: fail(entry, .bindFail, "")
      case .routes(let routes): self.route(entry, routes)
      }
    }
  }

  private func route(_ entry: Entry, _ routes: [Route<BoundName>]) {
    let targets = routes.map { route in route.bound.map { client(for: $0) } }
    let unknown = targets.compactMap { $0 }.filter { !$0.isKnown }
    if !unknown.isEmpty {
      // An empty set would be a false "no endpoints"; the first answer of DNS or a file is worth waiting for.
      for client in targets.compactMap({ $0 }) { client.references += 1 }
      let held = targets.compactMap { $0 }
      entry.waits = unknown.map { client in
        client.source.observe { [weak self, weak entry] in
          if let self, let entry { self.answer(entry) }
        }
      }
      replaceClients(of: entry, with: held)
      return
    }
    let used = targets.compactMap { $0 }
    for client in used { client.references += 1 }
    let branches = zip(routes, targets).map { route, client in
      RouteSnapshot.Branch(
        weight: route.share, client: client?.snapshot(worker: entry.request.worker),
        residual: route.bound.map { $0.residual.isEmpty ? "" : $0.residual.description } ?? "")
    }
    self.route(
      entry.request, .branches(branches), service: entry.service, stats: scopes.metrics.service(entry.service),
      contextDtab: entry.contextDtab)
    replaceClients(of: entry, with: used)
  }

  /// Tells the worker that the name cannot be routed, with the way it was looked for where that can be afforded.
  private func fail(_ entry: Entry, _ reason: Reason, _ plain: String) {
    let wasRouted = !entry.clients.isEmpty
    let stats = scopes.metrics.service(wasRouted ? entry.service : Self.unroutedService)
    replaceClients(of: entry, with: [])
    guard mayExplain, let binding = entry.binding else {
      return route(
        entry.request, .failed(reason, explanation: plain), service: entry.service, stats: stats,
        contextDtab: entry.contextDtab)
    }
    let generation = entry.generation
    Task { @ControlActor [weak self, weak entry, interpreter] in
      let explanation = await interpreter.delegate(
        binding.path, overrides: binding.overrides, timeoutMilliseconds: Self.explanationMillisecondsMax)
      guard let self, let entry, entry.generation == generation else { return }
      self.route(
        entry.request, .failed(reason, explanation: explanation.summary(plain)), service: entry.service, stats: stats,
        contextDtab: entry.contextDtab)
    }
  }

  private var mayExplain: Bool {
    let second = Clock.now.nanoseconds / 1_000_000_000
    if second != explanationSecond {
      explanationSecond = second
      explanationsLeft = Self.explanationsPerSecond
    }
    explanationsLeft -= 1
    return explanationsLeft >= 0
  }

  private func route(
    _ request: BindRequest, _ outcome: RouteSnapshot.Outcome, service: String, stats: [ServiceStats],
    contextDtab: String
  ) {
    let snapshot = RouteSnapshot(
      outcome: outcome, service: service, serviceStats: stats[request.worker], contextDtab: contextDtab)
    send(request.worker, .route(router: index, entry: request.entry, snapshot))
  }

  // MARK: Clients

  private func client(for bound: BoundName) -> ClientControl {
    if let client = clients[bound.id], client.source === bound.endpoints { return client }
    let client = ClientControl(
      id: ids.next(), path: bound.id, source: bound.endpoints, stats: scopes.metrics.client(bound.id.description)
    ) { [weak self] client in
      self?.endpointsChanged(client)
    }
    clients[bound.id] = client
    scopes.enter(client: client.name)
    return client
  }

  /// A worker leaves an endpoint out.
  func ejected(client id: Int, _ address: SocketAddress, _ ejection: BalancedEndpoints.Ejection) {
    clients.values.first { $0.id == id }?.ejected(address, ejection, at: Clock.now)
  }

  private func endpointsChanged(_ client: ClientControl) {
    guard client.isKnown else { return }
    for worker in 0..<workerCount {
      send(worker, .endpoints(router: index, client: client.id, client.source.current.endpoints))
    }
  }

  private func replaceClients(of entry: Entry, with new: [ClientControl]) {
    let old = entry.clients
    entry.clients = new
    for client in old { dereference(client) }
  }

  private func dereference(_ client: ClientControl) {
    client.references -= 1
    guard client.references == 0 else { return }
    if clients[client.path] === client { clients[client.path] = nil }
    scopes.leave(client: client.name)
  }

  /// Logical names that lead to known endpoints, without those that a caller's own dtab made; sorted.
  var servicesInUse: [String] {
    let known = entries.values.filter { entry in
      entry.contextDtab.isEmpty && !entry.clients.isEmpty
        && entry.clients.allSatisfy { NamesInUse.isKnown($0.source) }
    }
    return Set(known.map(\.service)).sorted()
  }

  /// Bound ids in use with what is known of their endpoints, sorted by name.
  var clientStates: [(name: String, endpoints: EndpointSet, staleSince: MonotonicInstant?)] {
    clients.values.sorted { $0.name < $1.name }.map { ($0.name, $0.source.current, $0.source.staleSince) }
  }
}

/// Numbers clients uniquely over all routers of the process.
@ControlActor
final class ClientIDs {
  private var last = 0
  nonisolated init() {}
  func next() -> Int {
    last += 1
    return last
  }
}

extension Reason {
  init(_ failure: BindFailure) {
    switch failure {
    case .tooDeep: self = .bindTooDeep
    case .tooManyNodes: self = .bindTooManyNodes
    case .namer: self = .bindNamerError
    }
  }
}

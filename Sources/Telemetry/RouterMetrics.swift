import MeshBase

/// The scopes of one router. Confined to the control thread.
///
/// Names are those of the data plane: `127.0.0.1/4140` for a server, `/svc/web` for a service, `/#/io.l5d.fs/web` for
/// a client. Asking for a name again gives the same blocks.
public final class RouterMetrics {
  public let label: String
  public let proto: String
  /// Indexed by worker.
  public let stats: [RouterStats]

  let own: Scope<RouterStats>
  let servers: ScopeTable<ServerStats>
  let services: ScopeTable<ServiceStats>
  let clients: ScopeTable<ClientStats>
  private let budget: SeriesBudget
  private var isDropped = false

  init(label: String, protocol proto: String, workers: Int, budget: SeriesBudget) {
    self.label = label
    self.proto = proto
    self.budget = budget
    let router = (name: "router", value: label)
    let stats = (0..<workers).map { _ in RouterStats() }
    self.stats = stats
    own = Scope(name: label, labels: [router], blocks: stats)
    servers = ScopeTable(
      make: { name in
        Scope(
          name: name, labels: [router, (name: "server", value: name), (name: "protocol", value: proto)],
          blocks: (0..<workers).map { _ in ServerStats() })
      },
      requestsIn: { $0.requests })
    services = ScopeTable(
      make: { name in
        Scope(
          name: name, labels: [router, (name: "service", value: name)],
          blocks: (0..<workers).map { _ in ServiceStats() })
      },
      requestsIn: { $0.requests })
    clients = ScopeTable(
      make: { name in
        Scope(
          name: name, labels: [router, (name: "client", value: name)], blocks: (0..<workers).map { _ in ClientStats() })
      },
      requestsIn: { $0.requests })
  }

  /// Blocks by worker. Servers come from the configuration and are outside the series budget.
  public func server(_ name: String) -> [ServerStats] {
    (servers.existing(name) ?? servers.insert(name)).blocks
  }

  /// Blocks by worker; those of `other` when the series budget is used up.
  public func service(_ name: String) -> [ServiceStats] {
    if let known = services.existing(name) { return known.blocks }
    return (!isDropped && budget.takeService(name) ? services.insert(name) : services.shared()).blocks
  }

  /// Blocks by worker; those of `other` when the series budget is used up.
  public func client(_ id: String) -> [ClientStats] {
    if let known = clients.existing(id) { return known.blocks }
    return (!isDropped && budget.takeClient(id) ? clients.insert(id) : clients.shared()).blocks
  }

  /// The owner has no more use for the scope (its cache entry expired, its listener closed). A name that went to
  /// `other` is nobody's to drop, and nothing happens.
  public func dropServer(_ name: String) { servers.drop(name) }
  public func dropService(_ name: String) { services.drop(name) }
  public func dropClient(_ id: String) { clients.drop(id) }

  func sweep() {
    _ = servers.sweep()
    budget.giveBack(services: services.sweep(), clients: clients.sweep())
  }

  /// The router is gone and counts for nothing any more, whoever still holds it.
  func drop() {
    precondition(!isDropped, "a router is dropped once")
    budget.giveBack(services: services.count, clients: clients.count)
    isDropped = true
  }
}

extension RouterMetrics {
  func rotateWindow(_ scratch: HistogramScratch) {
    for scope in servers.sorted { scope.rotateWindow(scratch) }
    for scope in services.sorted { scope.rotateWindow(scratch) }
    for scope in clients.sorted { scope.rotateWindow(scratch) }
  }

  func dropWindow() {
    for scope in servers.sorted { scope.dropWindow() }
    for scope in services.sorted { scope.dropWindow() }
    for scope in clients.sorted { scope.dropWindow() }
  }
}

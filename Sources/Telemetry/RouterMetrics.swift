import MeshBase

/// The scopes of one router. Confined to the control thread.
///
/// Names are those of the data plane: `127.0.0.1/4140` for a server, `/svc/web` for a service, `/#/io.l5d.fs/web` for
/// a client. Asking for a name again gives the same blocks.
public final class RouterMetrics {
  /// What a scope is charged for: the series it shows when a handful of reasons have occurred.
  static let seriesPerService = 32
  static let seriesPerClient = 48

  public let label: String
  public let proto: String
  /// Indexed by worker.
  public let stats: [RouterStats]

  unowned let registry: MetricsRegistry
  let servers: ScopeTable<ServerStats>
  let services: ScopeTable<ServiceStats>
  let clients: ScopeTable<ClientStats>
  var isDropped = false

  init(label: String, protocol proto: String, registry: MetricsRegistry) {
    self.label = label
    self.proto = proto
    self.registry = registry
    let workers = registry.workers
    stats = (0..<workers).map { _ in RouterStats() }
    servers = ScopeTable(
      make: { (0..<workers).map { _ in ServerStats() } },
      requestsIn: { $0.requests })
    services = ScopeTable(
      make: { (0..<workers).map { _ in ServiceStats() } },
      requestsIn: { $0.requests })
    clients = ScopeTable(
      make: { (0..<workers).map { _ in ClientStats() } },
      requestsIn: { $0.requests })
  }

  /// Blocks by worker. Servers come from the configuration and are outside the series budget.
  public func server(_ name: String) -> [ServerStats] {
    (servers.existing(name) ?? servers.insert(name)).blocks
  }

  /// Blocks by worker. Callers choose services' names, so these may use half of the series budget and no more.
  public func service(_ name: String) -> [ServiceStats] {
    if let known = services.existing(name) { return known.blocks }
    guard
      !isDropped, name.utf8.count <= MetricsRegistry.nameBytesMax,
      registry.serviceSeries + Self.seriesPerService <= registry.seriesMax / 2,
      registry.serviceSeries + registry.clientSeries + Self.seriesPerService <= registry.seriesMax
    else {
      registry.overflows += 1
      return services.shared().blocks
    }
    registry.serviceSeries += Self.seriesPerService
    return services.insert(name).blocks
  }

  /// Blocks by worker.
  public func client(_ id: String) -> [ClientStats] {
    if let known = clients.existing(id) { return known.blocks }
    guard
      !isDropped, id.utf8.count <= MetricsRegistry.nameBytesMax,
      registry.serviceSeries + registry.clientSeries + Self.seriesPerClient <= registry.seriesMax
    else {
      registry.overflows += 1
      return clients.shared().blocks
    }
    registry.clientSeries += Self.seriesPerClient
    return clients.insert(id).blocks
  }

  /// The owner has no more use for the scope (its cache entry expired, its listener closed). A name that went to
  /// `other` is nobody's to drop, and nothing happens.
  public func dropServer(_ name: String) { servers.drop(name) }
  public func dropService(_ name: String) { services.drop(name) }
  public func dropClient(_ id: String) { clients.drop(id) }

  func sweep() {
    _ = servers.sweep()
    registry.serviceSeries -= services.sweep() * Self.seriesPerService
    registry.clientSeries -= clients.sweep() * Self.seriesPerClient
  }
}

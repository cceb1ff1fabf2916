import MeshBase

/// Every metric of the process: which scopes exist, under which names, and who counts into them.
///
/// Confined to the control thread. Workers get blocks from it (inside snapshots) and never touch it; reading a block
/// needs nothing from its worker.
public final class MetricsRegistry {
  /// The name of the scope shared by everything beyond the series budget.
  public static let otherName = "other"
  /// Longer names would be copied into thousands of lines; they share `other`.
  public static let nameBytesMax = 1_024

  public let workers: Int
  /// About how many Prometheus series services and clients may make; see `router`.
  public let seriesMax: Int
  /// Indexed by worker.
  public let workerStats: [WorkerStats]

  private(set) var routers: [RouterMetrics] = []
  var serviceSeries = 0
  var clientSeries = 0
  /// Names that were given `other` for want of budget. A name that comes again counts again: none is remembered.
  public internal(set) var overflows: UInt64 = 0

  public init(workers: Int, seriesMax: Int = 100_000) {
    precondition(workers > 0, "a registry needs at least one worker")
    self.workers = workers
    self.seriesMax = seriesMax
    workerStats = (0..<workers).map { _ in WorkerStats() }
  }

  /// The scopes of the router with that label, made on the first call. `proto` is its `protocol` label (`http`, `h2`).
  public func router(_ label: String, protocol proto: String = "http") -> RouterMetrics {
    if let known = routers.first(where: { $0.label == label }) { return known }
    let made = RouterMetrics(label: label, protocol: proto, registry: self)
    let place = routers.firstIndex { $0.label > label } ?? routers.endIndex
    routers.insert(made, at: place)
    return made
  }

  /// Ends all series of a router that a reload took away, at once.
  public func dropRouter(_ label: String) {
    guard let place = routers.firstIndex(where: { $0.label == label }) else { return }
    let gone = routers.remove(at: place)
    serviceSeries -= gone.services.count * RouterMetrics.seriesPerService
    clientSeries -= gone.clients.count * RouterMetrics.seriesPerClient
    gone.isDropped = true
  }

  /// Call every few seconds: ends the series of dropped scopes that no worker holds any more.
  public func tick(at now: MonotonicInstant) {
    for router in routers { router.sweep() }
  }
}

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
  /// Indexed by worker.
  public let workerStats: [WorkerStats]

  private(set) var routers: [RouterMetrics] = []
  let controls = ControlMetrics()
  /// One scope per worker, and one of all of them.
  let workerScopes: [Scope<WorkerStats>]
  let allWorkers: Scope<WorkerStats>

  let budget: SeriesBudget
  /// Times a service or client was given `other`.
  public var overflows: UInt64 { budget.overflows }

  let scratch = HistogramScratch()
  var window = WindowClock()
  var busy: BusyRatios

  /// `seriesMax`: about how many Prometheus series services and clients may make together.
  public init(workers: Int, seriesMax: Int = 100_000) {
    precondition(workers > 0, "a registry needs at least one worker")
    self.workers = workers
    budget = SeriesBudget(seriesMax: seriesMax)
    let stats = (0..<workers).map { _ in WorkerStats() }
    workerStats = stats
    workerScopes = stats.enumerated().map { i, block in
      Scope(name: String(i), labels: [(name: "worker", value: String(i))], blocks: [block])
    }
    allWorkers = Scope(name: "all", labels: [], blocks: stats)
    busy = BusyRatios(workers: workers)
  }

  /// The scopes of the router with that label, made on the first call. `proto` is its `protocol` label (`http`, `h2`).
  public func router(_ label: String, protocol proto: String = "http") -> RouterMetrics {
    if let known = routers.first(where: { $0.label == label }) { return known }
    let made = RouterMetrics(label: label, protocol: proto, workers: workers, budget: budget)
    let place = routers.firstIndex { $0.label > label } ?? routers.endIndex
    routers.insert(made, at: place)
    return made
  }

  /// Ends all series of a router that a reload took away, at once.
  public func dropRouter(_ label: String) {
    guard let place = routers.firstIndex(where: { $0.label == label }) else { return }
    routers.remove(at: place).drop()
  }

  /// Call every few seconds: ends the series of dropped scopes that no worker holds any more, measures how busy the
  /// workers are, and keeps the windows of the linkerd reports while somebody reads these.
  public func tick(at now: MonotonicInstant) {
    for router in routers { router.sweep() }
    busy.measure(workerStats, at: now)
    switch window.due(at: now) {
    case .nothing: break
    case .rotate: rotateWindow(at: now)
    case .drop: dropWindow()
    }
  }

  /// Ends a window: from now on the linkerd reports show what the histograms recorded since the last call, or since
  /// their beginning if this is the first.
  public func rotateWindow(at now: MonotonicInstant) {
    window.rotated(at: now)
    for router in routers { router.rotateWindow(scratch) }
    for worker in workerScopes { worker.rotateWindow(scratch) }
    allWorkers.rotateWindow(scratch)
  }

  /// Gives up the windows' memory; reports show histograms since their beginning again.
  public func dropWindow() {
    window.dropped()
    for router in routers { router.dropWindow() }
    for worker in workerScopes { worker.dropWindow() }
    allWorkers.dropWindow()
  }
}

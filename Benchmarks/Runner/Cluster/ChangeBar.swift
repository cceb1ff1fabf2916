import ClusterSim
import Glibc
import MeshBase
import Net

/// A task is replaced: how long until a request reaches the new one, and how many bytes that took.
enum ChangeBar {
  /// A change that no request has seen after this is lost.
  private static let patienceNanoseconds: UInt64 = 20_000_000_000

  static func run(binary: String, mode: ClusterMode, size: ClusterSize, changes: Int) throws -> Bool {
    var report = BarReport("cluster \(size.source.rawValue) \(mode.rawValue)")
    let stage = try ClusterStage(SimCluster(size), binary: binary, mode: mode)
    let (cluster, router, probe) = (stage.cluster, stage.router, stage.probe)
    let started = Clock.now.nanoseconds
    try stage.waitUntilReached()
    report.note("all apps in use reached after", Double(Clock.now.nanoseconds - started) / 1e6, unit: "ms")
    Harness.sleep(milliseconds: 3_000)
    let memory = Double(router.residentBytes) / 1_048_576
    report.check("resident memory of its own", memory, max: mode == .lazy ? 30 : 150, unit: "MiB")

    let latencies = LatencyHistogram()
    var slowest = 0.0
    var lost = 0
    let cpuBefore = router.nanoseconds
    let before = try cluster.pulled()
    for number in 0..<changes {
      let name = cluster.names[number % cluster.names.count]
      let id = cluster.ids[number % cluster.ids.count]
      let (task, changed) = try cluster.run {
        guard let app = cluster.model.app(id) else { throw Harness.Failure("no app \(id)") }
        let task = try cluster.model.replaceTask(of: app)
        return (task.id, Clock.now.nanoseconds)
      }
      var sent = Clock.now.nanoseconds
      while probe.task(of: name) != task {
        if Clock.now.nanoseconds - changed > patienceNanoseconds { break }
        usleep(200)
        sent = Clock.now.nanoseconds
      }
      let delay = sent - changed
      if delay > patienceNanoseconds { lost += 1 }
      latencies.record(nanoseconds: delay)
      slowest = max(slowest, Double(delay) / 1e6)
      Harness.sleep(milliseconds: 20)
    }
    let after = try cluster.pulled()
    report.check("changes that no request saw", Double(lost), equals: 0)
    let medianMax: Double = mode == .lazy ? 50 : 500
    report.check("change to first request, p50", latencies.milliseconds(quantile: 0.5), max: medianMax, unit: "ms")
    let max99: Double = mode == .lazy ? 250 : 500
    // The histogram ends at 0.1 s.
    let p99 = latencies.milliseconds(quantile: 0.99)
    report.check("change to first request, p99", p99 >= 100 ? slowest : p99, max: max99, unit: "ms")
    report.note("slowest", slowest, unit: "ms")
    let pulled = Double(after.bytes - before.bytes) / Double(changes) / 1_024
    if mode == .lazy {
      report.check("pulled per change", pulled, max: 10, unit: "KiB")
    } else {
      report.note("pulled per change", pulled, unit: "KiB")
    }
    report.note("pulls per change", Double(after.requests - before.requests) / Double(changes))
    report.note("events per change", Double(after.streamed - before.streamed) / Double(changes) / 1_024, unit: "KiB")
    report.note("CPU per change", Double(router.nanoseconds - cpuBefore) / Double(changes) / 1e6, unit: "ms")
    try stage.end()
    return report.passes
  }
}

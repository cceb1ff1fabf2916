import ClusterSim
import Glibc
import MeshBase
import Net

/// A thousand events a second, most of them about apps that nobody uses: none is lost, and none waits.
enum EventRateBar {
  private static let eventsPerSecond = 1_000
  /// Of one replaced task: Marathon tells each of four in both generations of names.
  private static func eventsPerChange(_ source: ClusterSource) -> Int { source == .marathon ? 8 : 4 }

  static func run(binary: String, size: ClusterSize, seconds: Int) throws -> Bool {
    var passes = true
    for mode in size.source.modes {
      passes = try run(binary: binary, size: size, seconds: seconds, mode: mode) && passes
    }
    return passes
  }

  private static func run(binary: String, size: ClusterSize, seconds: Int, mode: ClusterMode) throws -> Bool {
    var report = BarReport("cluster \(size.source.rawValue) events \(mode.rawValue)")
    let stage = try ClusterStage(SimCluster(size), binary: binary, mode: mode)
    let (cluster, router, probe) = (stage.cluster, stage.router, stage.probe)
    try stage.waitUntilReached()
    stage.settle()
    let cpuBefore = router.nanoseconds
    let memoryBefore = router.residentBytes
    let started = Clock.now.nanoseconds
    let eventsPerChange = eventsPerChange(size.source)
    var random = SeededRandom(seed: 4)
    var changes = 0
    var backlog = 0
    var failed = 0
    while Clock.now.nanoseconds - started < UInt64(seconds) * 1_000_000_000 {
      let due = Int(Clock.now.nanoseconds - started) * eventsPerSecond / eventsPerChange / 1_000_000_000
      let batch = min(due - changes, 200)
      if batch > 0 {
        let seed = random.next()
        let inUse = size.inUse
        backlog = max(
          backlog,
          try cluster.run {
            var random = SeededRandom(seed: seed)
            for _ in 0..<batch {
              // Every tenth change is of an app in use.
              let ids = cluster.model.appIDs
              let id = random.below(10) == 0 ? ids[random.below(inUse)] : ids[random.below(ids.count)]
              let isInUse = cluster.ids.contains(id)
              cluster.model.backends = isInUse ? cluster.backends : nil
              if let app = cluster.model.app(id) { try cluster.model.replaceTask(of: app) }
            }
            return cluster.scheduler.streamBacklog
          })
        changes += batch
      }
      if probe.task(of: cluster.names[random.below(cluster.names.count)]) == nil { failed += 1 }
      usleep(4_000)
    }
    let elapsed = Double(Clock.now.nanoseconds - started) / 1e9
    report.note("changes", Double(changes))
    report.note("events per second", Double(changes * eventsPerChange) / elapsed)
    report.note("CPU per second", Double(router.nanoseconds - cpuBefore) / 1e9 / elapsed, unit: "s")
    report.note("memory gained", Double(router.residentBytes - memoryBefore) / 1_048_576, unit: "MiB")
    report.check("events waiting for the router at most", Double(backlog), max: 512)
    report.check("streams cut for slowness", Double(try cluster.run { cluster.scheduler.slowStreams }), equals: 0)
    report.check("failed requests", Double(failed), equals: 0)
    try stage.check(&report, withinMilliseconds: 8_000)
    try stage.end()
    return report.passes
  }
}

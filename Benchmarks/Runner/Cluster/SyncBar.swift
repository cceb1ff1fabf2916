import ClusterSim
import Glibc
import MeshBase
import Net

/// The whole list of a large Marathon is read: what that costs, and what requests notice of it.
enum SyncBar {
  private static let syncs = 4

  static func run(binary: String, size: ClusterSize) throws -> Bool {
    var report = BarReport("cluster sync")
    let cluster = try SimCluster(source: .marathon, apps: size.apps, tasksPerApp: size.tasksPerApp, inUse: 1, nodes: 2)
    let backend = try LoadBackend()
    // The answer is put together once before, so that only its transport and its reading are measured.
    let bytes = try cluster.run { cluster.model.apps.reduce(0) { $0 + $1.jsonBytes } }
    report.note("size of the list", Double(bytes) / 1e6, unit: "MB")
    let stage = try ClusterStage(cluster, binary: binary, mode: .eager) { folder in
      mkdir("\(folder)/disco", 0o755)
      try Harness.write("127.0.0.1 \(backend.port)\n", to: "\(folder)/disco/web")
    }
    let router = stage.router
    try waitForLists(cluster, 1)
    stage.settle()
    report.check("CPU of the first sync", Double(router.nanoseconds) / 1e9, max: 1.5, unit: "s")
    report.note("resident memory of its own after", Double(router.residentBytes) / 1_048_576, unit: "MiB")

    let request = Array("GET /file/web/x HTTP/1.1\r\nHost: cluster\r\n\r\n".utf8)
    let load = try LoadGenerator(.init(port: router.port, requests: [request], rate: 3_000))
    load.waitForCompleted(3_000)
    for number in 0..<syncs {
      load.phase = 0
      Harness.sleep(milliseconds: 3_000)
      let before = router.controlNanoseconds
      let lists = try self.lists(cluster)
      load.phase = 1
      // Another leader makes every client read everything anew.
      try cluster.run { cluster.marathon.elect((number + 1) % 2, losesHealth: false) }
      try waitForLists(cluster, lists + 1)
      stage.settle(below: 60_000_000)
      report.check(
        "CPU of sync \(number + 2)", Double(router.controlNanoseconds - before) / 1e9, max: 1.5, unit: "s")
    }
    let quiet = load.latencies[0].milliseconds(quantile: 0.99)
    let syncing = load.latencies[1].milliseconds(quantile: 0.99)
    load.stop()
    report.note("p99 without syncs", quiet, unit: "ms")
    report.note("p99 during syncs", syncing, unit: "ms")
    report.check("p99 during syncs against none", syncing / quiet, max: 1.1)
    report.check("failed requests", Double(load.failed), equals: 0)
    report.note("resident memory of its own at the end", Double(router.residentBytes) / 1_048_576, unit: "MiB")
    try stage.end()
    backend.stop()
    return report.passes
  }

  /// Times the whole list was asked for.
  private static func lists(_ cluster: SimCluster) throws -> Int {
    try cluster.run { cluster.marathon.traffic.entries["GET /v2/apps"]?.requests ?? 0 }
  }

  private static func waitForLists(_ cluster: SimCluster, _ count: Int) throws {
    for _ in 0..<6_000 {
      if try lists(cluster) >= count { return }
      Harness.sleep(milliseconds: 10)
    }
    throw Harness.Failure("the list of all apps was not asked for within 60 s")
  }
}

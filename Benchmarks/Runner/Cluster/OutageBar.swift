import ClusterSim
import Glibc
import MeshBase
import Net

/// The scheduler is away for a long time and comes back with half of its state: requests go on as if nothing had
/// happened.
enum OutageBar {
  static func run(binary: String, source: ClusterSource, awaySeconds: Int) throws -> Bool {
    var passes = true
    for mode in source == .marathon ? [ClusterMode.lazy, .eager] : [.eager] {
      passes = try run(binary: binary, source: source, awaySeconds: awaySeconds, mode: mode) && passes
    }
    return passes
  }

  private static func run(binary: String, source: ClusterSource, awaySeconds: Int, mode: ClusterMode) throws -> Bool {
    var report = BarReport("cluster \(source.rawValue) outage \(mode.rawValue)")
    Host.raiseDescriptorLimit()
    let folder = try Harness.scratchFolder()
    defer { Harness.removeFolder(folder) }
    let cluster = try SimCluster(source: source, apps: 40, tasksPerApp: 6, inUse: 20)
    let router = try cluster.router(binary, folder: folder, mode: mode)
    let probe = ProbeClient(port: router.port)
    for name in cluster.names {
      for _ in 0..<1_000 where probe.task(of: name) == nil { Harness.sleep(milliseconds: 10) }
    }
    let requests = cluster.names.map { Array("GET \($0) HTTP/1.1\r\nHost: cluster\r\n\r\n".utf8) }
    let load = try LoadGenerator(.init(port: router.port, connections: 32, requests: requests, rate: 1_000))
    load.waitForCompleted(1_000)
    try cluster.goAway()
    let attempts = try cluster.asked()
    Harness.sleep(milliseconds: awaySeconds * 1_000)
    try cluster.comeBackHalf()
    Harness.sleep(milliseconds: 20_000)
    let asked = try cluster.asked() - attempts
    report.note("requests to the scheduler since it is back", Double(asked))
    if asked == 0 { report.fail("the router has not come back to it within 20 s") }
    try cluster.becomeWhole()
    Harness.sleep(milliseconds: 10_000)
    load.stop()
    report.check(load)
    let wrong = try EventRateBar.unlike(cluster, router, withinMilliseconds: 5_000)
    report.check("apps whose endpoints are not the cluster's", Double(wrong.count), equals: 0)
    for text in wrong.prefix(3) { report.fail(text) }
    try router.end()
    try cluster.close()
    return report.passes
  }
}

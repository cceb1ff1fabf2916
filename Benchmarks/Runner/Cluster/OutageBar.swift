import ClusterSim
import Glibc
import MeshBase
import Net

/// The scheduler is away for a long time and comes back with half of its state: requests go on as if nothing had
/// happened.
enum OutageBar {
  static func run(binary: String, source: ClusterSource, awaySeconds: Int) throws -> Bool {
    var passes = true
    for mode in source.modes {
      passes = try run(binary: binary, source: source, awaySeconds: awaySeconds, mode: mode) && passes
    }
    return passes
  }

  private static func run(binary: String, source: ClusterSource, awaySeconds: Int, mode: ClusterMode) throws -> Bool {
    var report = BarReport("cluster \(source.rawValue) outage \(mode.rawValue)")
    let stage = try ClusterStage(
      SimCluster(source: source, apps: 40, tasksPerApp: 6, inUse: 20), binary: binary, mode: mode)
    let cluster = stage.cluster
    try stage.waitUntilReached()
    let requests = cluster.names.map { Array("GET \($0) HTTP/1.1\r\nHost: cluster\r\n\r\n".utf8) }
    let load = try LoadGenerator(.init(port: stage.router.port, connections: 32, requests: requests, rate: 1_000))
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
    try stage.check(&report, withinMilliseconds: 5_000)
    try stage.end()
    return report.passes
  }
}

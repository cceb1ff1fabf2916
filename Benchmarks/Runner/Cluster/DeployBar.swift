import ClusterSim
import Glibc
import MeshBase
import Net

/// Fifty tasks are replaced while requests flow, and the scheduler changes its leader in the middle.
enum DeployBar {
  static func run(binary: String, source: ClusterSource, tasks: Int = 50) throws -> Bool {
    var report = BarReport("cluster \(source.rawValue) deploy")
    let stage = try ClusterStage(
      SimCluster(source: source, apps: 1, tasksPerApp: tasks, inUse: 1, nodes: 3), binary: binary, mode: .lazy)
    let (cluster, router) = (stage.cluster, stage.router)
    let (name, id) = (cluster.names[0], cluster.ids[0])
    try stage.waitUntilReached()
    let request = Array("GET \(name) HTTP/1.1\r\nHost: cluster\r\n\r\n".utf8)
    let load = try LoadGenerator(.init(port: router.port, connections: 32, requests: [request], rate: 2_000))
    load.waitForCompleted(2_000)
    let pace = Pace(staging: 200, boot: 150, health: 250, killing: 400)
    try cluster.run {
      guard let app = cluster.model.app(id) else { throw Harness.Failure("no app \(id)") }
      var hasChanged = false
      try await cluster.model.rollingDeploy(app, atATime: 5, pace: pace) { new, _ in
        guard !hasChanged, new >= tasks / 2 else { return }
        hasChanged = true
        // While the next tasks come up and old ones are killed.
        Task { @ControlActor in
          try await ControlActor.sleep(milliseconds: 300)
          await cluster.changeLeader()
        }
      }
    }
    Harness.sleep(milliseconds: 2_500)
    load.stop()
    report.check(load)
    for (version, count) in cluster.backends.requestsByVersion.sorted(by: { $0.key < $1.key }) {
      report.note("requests to version \(version)", Double(count))
    }
    // Of tasks that ended while no leader told of it a Mesos agent must first be back for ten seconds without them.
    try stage.check(&report, withinMilliseconds: 15_000)
    try stage.end()
    return report.passes
  }
}

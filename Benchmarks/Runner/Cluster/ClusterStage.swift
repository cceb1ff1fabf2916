import ClusterSim
import MeshBase
import Net

/// A simulated cluster, a router that learns of its tasks, and one caller.
final class ClusterStage {
  let cluster: SimCluster
  let folder: String
  let router: RouterChild
  let probe: ProbeClient

  /// - Parameter prepare: puts files that the router needs into its folder.
  init(
    _ cluster: SimCluster, binary: String, mode: ClusterMode, prepare: (_ folder: String) throws -> Void = { _ in }
  ) throws {
    self.cluster = cluster
    folder = try Harness.scratchFolder()
    do {
      try prepare(folder)
      router = try cluster.router(binary, folder: folder, mode: mode)
    } catch {
      Harness.removeFolder(folder)
      throw error
    }
    probe = ProbeClient(port: router.port)
  }

  deinit { Harness.removeFolder(folder) }

  /// Returns once each app in use has answered.
  func waitUntilReached() throws {
    let started = Clock.now.nanoseconds
    for name in cluster.names {
      while probe.task(of: name) == nil {
        guard Clock.now.nanoseconds - started < 80_000_000_000 else {
          throw Harness.Failure("\(name) cannot be reached:\n\(Harness.read(router.log)?.suffix(2_000) ?? "")")
        }
        Harness.sleep(milliseconds: 10)
      }
    }
  }

  /// Returns once the control thread has had next to nothing to do for a while.
  func settle(below nanoseconds: UInt64 = 20_000_000) {
    var calm = 0
    var last = router.controlNanoseconds
    for _ in 0..<300 where calm < 3 {
      Harness.sleep(milliseconds: 200)
      let now = router.controlNanoseconds
      calm = now - last < nanoseconds / 5 ? calm + 1 : 0
      last = now
    }
  }

  /// Apps in use of which the router does not know exactly the running tasks, when there was time for it.
  func unlike(withinMilliseconds: Int) throws -> [String] {
    var left = Array(zip(cluster.ids, cluster.names))
    var texts: [String] = []
    for _ in 0..<(withinMilliseconds / 200 + 1) {
      texts = []
      left = try left.filter { id, name in
        let wanted = try cluster.addresses(of: id)
        let query = "/api/2/why?url=" + ControlQuery.encode("http://cluster\(name)").replacing("/", with: "%2F")
        let answer = try router.admin.call("GET", query, fields: [("Accept", "application/json")])
        let told = Set(WhyBar.values(of: "address", in: answer.body))
        if told == wanted { return false }
        texts.append("\(name): \(told.sorted()) instead of \(wanted.sorted())")
        return true
      }
      if left.isEmpty { break }
      Harness.sleep(milliseconds: 200)
    }
    return texts
  }

  /// Fails if the router is still wrong about an app after that time.
  func check(_ report: inout BarReport, withinMilliseconds: Int) throws {
    let wrong = try unlike(withinMilliseconds: withinMilliseconds)
    report.check("apps in use whose endpoints are not the cluster's", Double(wrong.count), equals: 0)
    for text in wrong.prefix(3) { report.fail(text) }
  }

  /// Ends the router and the cluster; throws if the router does not end well.
  func end() throws {
    try router.end()
    try cluster.close()
  }
}

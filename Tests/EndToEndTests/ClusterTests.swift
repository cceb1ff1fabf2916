import ClusterSim
import Net
import TestSupport
import Testing

/// The binary over a cluster that changes, loses its leader and goes away, while requests flow.
extension LoadTests {
  @ControlActor
  @Suite("names from a cluster, as callers see them", .serialized)
  struct ClusterTests {
    @Test(
      "a rolling deploy fails no request, with a change of the leader in the middle or without",
      arguments: ClusterSource.allCases, [false, true])
    func deploy(source: ClusterSource, changesLeader: Bool) async throws {
      let cluster = try await ClusterFixture(source, instances: 8)
      let old = cluster.app.version
      let pace = Pace(staging: 100, boot: 50, health: 100, killing: 300)
      var isFirst = true
      try await cluster.model.rollingDeploy(cluster.app, atATime: 2, pace: pace) { _, _ in
        guard changesLeader, isFirst else { return }
        isFirst = false
        Task { @ControlActor in try await cluster.changeLeader() }
      }
      let served = { (version: String) in cluster.load.versions[version] ?? 0 }
      #expect(await eventually(withinMilliseconds: 10_000) { served(cluster.app.version) > 100 })
      #expect(served(old) > 0)
      let before = served(old)
      #expect(await eventually(withinMilliseconds: 5_000) { served(cluster.app.version) > 400 })
      #expect(served(old) == before, "tasks of the old version are gone")
      #expect(await cluster.stop() == [])
    }

    @Test(
      "the scheduler is away and comes back with half of its state: no request fails", arguments: ClusterSource.allCases
    )
    func outage(source: ClusterSource) async throws {
      let cluster = try await ClusterFixture(source, instances: 6)
      await cluster.goAway()
      try await ControlActor.sleep(milliseconds: 2_000)
      let questions = cluster.questions
      try cluster.comeBackHalf()
      #expect(await eventually(withinMilliseconds: 20_000) { cluster.questions > questions }, "it has not come back")
      try await ControlActor.sleep(milliseconds: 2_000)
      cluster.learnTheRest()
      let answered = cluster.load.answered
      #expect(await eventually(withinMilliseconds: 5_000) { cluster.load.answered > answered + 100 })
      #expect(await cluster.stop() == [])
    }

    @Test("a task gets no request before it is healthy and none once it is gone", arguments: ClusterSource.allCases)
    func changes(source: ClusterSource) async throws {
      let cluster = try await ClusterFixture(source, instances: 3, requestsPerSecond: 100)
      let (model, app) = (cluster.model, cluster.app)
      let old = try #require(app.tasks.first)
      model.beginKill(old)
      try await ControlActor.sleep(milliseconds: 700)
      model.end(old, as: .killed)
      model.post(app)
      // It runs and refuses connections: whoever sends there without a verdict sees failures.
      let new = try model.launch(app)
      try model.start(new, listens: false)
      try await ControlActor.sleep(milliseconds: 500)
      #expect(cluster.load.versions[new.version] == nil)
      try model.listen(new)
      model.setHealth(new, alive: true)
      #expect(await eventually(withinMilliseconds: 5_000) { (cluster.load.versions[new.version] ?? 0) > 0 })
      #expect(await cluster.stop() == [])
    }

    @Test(
      "ZooKeeper alone tells who leads: another leader is followed, and without ZooKeeper the last one",
      arguments: ClusterSource.allCases)
    func zooKeeper(source: ClusterSource) async throws {
      let server = try ZooKeeperServer()
      let cluster = try await ClusterFixture(source, instances: 4, requestsPerSecond: 100, zooKeeper: server)
      let state = { @Sendable [router = cluster.router] in
        try AdminPage.get(router, "/namer_state/io.l5d.\(source).json") ?? ""
      }
      try await cluster.changeLeader()
      let leader = try #require(cluster.leader)
      #expect(
        await eventually(withinMilliseconds: 15_000) {
          let state = try? await Task.detached(operation: state).value
          return state?.contains(":\"http://\(leader)\"") == true
        }, "the leader is not followed")
      let pace = Pace(staging: 100, boot: 50, health: 100, killing: 300)
      let served = { cluster.load.versions[cluster.app.version] ?? 0 }
      try await cluster.model.rollingDeploy(cluster.app, atATime: 2, pace: pace)
      #expect(await eventually(withinMilliseconds: 10_000) { served() > 50 })
      server.stop()
      try await cluster.model.rollingDeploy(cluster.app, atATime: 2, pace: pace)
      #expect(await eventually(withinMilliseconds: 10_000) { served() > 50 })
      #expect(await cluster.stop() == [])
    }

    @Test(
      "over TLS, with a password; a list of roots that is replaced counts from the next connection on",
      arguments: ClusterSource.allCases)
    func secured(source: ClusterSource) async throws {
      let cluster = try await ClusterFixture(source, instances: 4, requestsPerSecond: 100, secured: .init())
      await cluster.goAway()
      try cluster.comeBack(with: "second", trusting: "other-ca")
      let pace = Pace(staging: 100, boot: 50, health: 100, killing: 2_000)
      try await cluster.model.rollingDeploy(cluster.app, atATime: 4, pace: pace)
      #expect(
        await eventually(withinMilliseconds: 20_000) { (cluster.load.versions[cluster.app.version] ?? 0) > 50 })
      #expect(await cluster.stop().filter { !$0.contains("connect") } == [])
    }
  }
}

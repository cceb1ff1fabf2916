import ClusterSim
import Foundation
import MeshBase
import Net
import TestSupport

/// Which scheduler the router learns of tasks from.
enum ClusterSource: String, CaseIterable, Sendable {
  case mesos, marathon
}

/// A simulated cluster with one app, `/shop/web`, a router that reads it, and requests to the app all the time.
@ControlActor
final class ClusterFixture {
  let model = ClusterModel(seed: 7)
  let app: SimApp
  let load: ClusterLoad
  let router: Router
  private let scheduler: Scheduler
  private let zooKeeper: ZooKeeperServer?
  /// The scheduler speaks TLS alone, and asks for a password.
  private let secured: Secured?

  /// Certificates for one name by two authorities, of which the router trusts what stands in one file.
  struct Secured {
    let folder = CertificateFolder("e2e-cluster")

    init() throws {
      folder.make("first", "DNS:cluster.test")
      folder.make("second", "DNS:cluster.test", signer: "other-ca")
      try trust("ca")
    }

    /// Replaces the file, as an operator does.
    func trust(_ authority: String) throws {
      try FileManager.default.copyItem(atPath: folder.path(authority + ".pem"), toPath: folder.path("new.pem"))
      rename(folder.path("new.pem"), folder.path("trust.pem"))
    }

    func context(_ name: String) throws -> TLSServerContext {
      let files = TLSIdentityFiles(certificate: folder.path(name + ".pem"), key: folder.path(name + ".key"))
      return try TLSServerContext(.init(certificates: [files]))
    }

    var keys: String {
      ", tls: {trustCertsBundle: \(folder.path("trust.pem")), commonName: cluster.test}"
        + ", auth: {user: router, password: secret}"
    }
  }

  private enum Scheduler {
    case mesos(FakeMesosMaster)
    case marathon(FakeMarathon)

    @ControlActor var server: FakeScheduler {
      switch self {
      case .mesos(let master): master
      case .marathon(let marathon): marathon
      }
    }
  }

  /// The nodes stand for election in their order, as the real ones do.
  private static func stand(
    _ addresses: [SocketAddress], in zooKeeper: ZooKeeperServer, _ source: ClusterSource
  ) async throws {
    var commands = ["create /\(source)"]
    if source == .marathon { commands.append("create /marathon/leader-curator") }
    for (number, address) in addresses.enumerated() {
      let data =
        source == .marathon
        ? "\(address)" : #"{"address":{"hostname":"m","ip":"127.0.0.1","port":\#(address.port)},"ip":16777343}"#
      commands.append("create \(candidate(number, source)) \(data)")
    }
    try await ask(zooKeeper, commands)
  }

  private static func candidate(_ number: Int, _ source: ClusterSource) -> String {
    source == .marathon
      ? "/marathon/leader-curator/_c_x-latch-000000000\(number)" : "/mesos/json.info_000000000\(number)"
  }

  /// Its command line takes a second, in which the schedulers go on.
  private static func ask(_ zooKeeper: ZooKeeperServer, _ commands: [String]) async throws {
    try await Task.detached { try zooKeeper.run(commands) }.value
  }

  /// Returns when requests are answered; those until then do not count.
  ///
  /// - Parameter zooKeeper: tells the router who leads, and nothing else does.
  init(
    _ source: ClusterSource, instances: Int, requestsPerSecond: UInt64 = 200, zooKeeper: ZooKeeperServer? = nil,
    secured: Secured? = nil
  ) async throws {
    self.zooKeeper = zooKeeper
    self.secured = secured
    let credentials = Credentials(secured == nil ? .none : .basic(user: "router", password: "secret"))
    let keys = secured?.keys ?? ""
    model.backends = try SimBackends()
    // Mesos knows the results of its own checks only.
    let plan = AppPlan(
      "/shop/web", checks: 1, checkProtocol: source == .mesos ? "MESOS_HTTP" : "HTTP", instances: instances)
    app = try model.addRunning(plan)
    let (dtab, namer): (String, String)
    switch source {
    case .mesos:
      let master = try FakeMesosMaster(model, credentials: credentials) {
        $0.masters = 2
        $0.heartbeatMilliseconds = 1_000
      }
      scheduler = .mesos(master)
      dtab = "/svc/web => /#/io.l5d.mesos/marathon/web.shop"
      let masters = zooKeeper.map { "\"zk://127.0.0.1:\($0.port)/mesos\"" } ?? Self.list(master.addresses)
      namer = "- {kind: io.l5d.mesos, masters: [\(masters)]\(keys)}"
    case .marathon:
      let marathon = try FakeMarathon(model, credentials: credentials) {
        $0.nodes = 2
        $0.keepaliveMilliseconds = 1_000
      }
      scheduler = .marathon(marathon)
      dtab = "/svc => /#/io.l5d.marathon/shop"
      let hosts = zooKeeper.map { "\"zk://127.0.0.1:\($0.port)/marathon\"" } ?? Self.list(marathon.addresses)
      namer = "- {kind: io.l5d.marathon, hosts: [\(hosts)]\(keys)}"
    }
    if let secured { scheduler.server.tls = try secured.context("first") }
    if let zooKeeper { try await Self.stand(scheduler.server.addresses, in: zooKeeper, source) }
    // Starting waits for the process, which asks the scheduler on this thread.
    router = try await Task.detached { try Router(dtab: dtab, namers: namer) }.value
    load = ClusterLoad(router, service: "web", requestsPerSecond: requestsPerSecond)
    guard await eventually(withinMilliseconds: 10_000, { load.answered > 20 }) else {
      throw Router.StartError(description: "no answers: \(load.failures.first ?? "none at all"); \(router.output)")
    }
    load.forget()
  }

  private static func list(_ addresses: [SocketAddress]) -> String {
    addresses.map { "\"\($0)\"" }.joined(separator: ", ")
  }

  /// Another node leads after a while without one. A Mesos master knows half of its agents at first; a Marathon knows no
  /// results of health checks.
  func changeLeader() async throws {
    switch scheduler {
    case .mesos(let master):
      if let zooKeeper, let leader = master.leader {
        try await Self.ask(zooKeeper, ["delete \(Self.candidate(leader, .mesos))"])
      }
      let next = ((master.leader ?? 0) + 1) % master.addresses.count
      master.elect(nil)
      try await ControlActor.sleep(milliseconds: 300)
      master.elect(next, registered: 0.5)
      try await ControlActor.sleep(milliseconds: 800)
      master.registerAgents()
    case .marathon(let marathon):
      if let zooKeeper, let leader = marathon.leader {
        try await Self.ask(zooKeeper, ["delete \(Self.candidate(leader, .marathon))"])
      }
      await marathon.changeLeader(withoutLeaderMilliseconds: 300, refillMilliseconds: 800)
    }
  }

  /// Where the leader listens.
  var leader: SocketAddress? {
    scheduler.server.leader.map { scheduler.server.addresses[$0] }
  }

  /// No node answers any more.
  func goAway() async { await scheduler.server.goAway() }

  /// They are back, with another certificate, by another authority.
  func comeBack(with certificate: String, trusting authority: String) throws {
    try secured?.trust(authority)
    scheduler.server.tls = try secured?.context(certificate)
    try scheduler.server.comeBack()
  }

  /// They are back, with half of what they knew.
  func comeBackHalf() throws {
    switch scheduler {
    case .mesos(let master):
      master.elect(master.leader, registered: 0.5)
      try master.comeBack()
    case .marathon(let marathon):
      marathon.faults.add(ServerFault(.halfLoaded(share: 0.5)))
      model.loseHealthResults()
      try marathon.comeBack()
    }
  }

  /// The other half is known again.
  func learnTheRest() {
    switch scheduler {
    case .mesos(let master): master.registerAgents()
    case .marathon(let marathon):
      marathon.faults.clear()
      model.refillHealthResults()
      model.post(app)
    }
  }

  /// Requests that the scheduler has got.
  var questions: Int {
    scheduler.server.traffic.total().requests
  }

  /// Ends everything; the failures of all requests since the start.
  func stop() async -> [String] {
    await load.stop()
    await scheduler.server.close()
    return load.failures
  }
}

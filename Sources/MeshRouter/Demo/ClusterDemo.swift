import ClusterSim
import MeshBase
import Net

/// What `meshrouter demo --cluster` adds to a router: a Marathon of three nodes with a few apps whose tasks really
/// listen, requests to them, and one rolling deploy after the other, every second one with a change of the leader.
@ControlActor
public final class ClusterDemo {
  /// The service that the requests ask for.
  public nonisolated static let name = "web"
  private static let appID = "/shop/web"
  private static let instances = 6
  private static let atATime = 2
  private static let nodes = 3
  /// Slow enough to be watched.
  private static let pace = Pace(staging: 700, boot: 300, health: 500, killing: 1_000)
  private static let pauseMilliseconds: UInt64 = 4_000

  private let model: ClusterModel
  private let app: SimApp
  private let marathon: FakeMarathon
  private let ports: Demo.Ports
  private var tally = ClusterTally()

  /// Starts Marathon and the tasks.
  public init(ports: Demo.Ports = Demo.Ports()) throws {
    self.ports = ports
    model = ClusterModel(seed: 1)
    model.backends = try SimBackends()
    app = try model.addRunning(AppPlan(Self.appID, checks: 1, instances: Self.instances))
    try model.addRunning(AppPlan("/shop/api/v1", checks: 1, instances: 3))
    try model.addRunning(AppPlan("/billing", instances: 2))
    var options = FakeMarathon.Options()
    options.nodes = Self.nodes
    marathon = try FakeMarathon(model, options: options)
  }

  /// Variables of the configuration.
  public func environment() -> [String: String] {
    var variables = [
      "MESHROUTER_DEMO_PORT": String(ports.router), "MESHROUTER_DEMO_ADMIN_PORT": String(ports.admin),
    ]
    for (index, address) in marathon.addresses.enumerated() {
      variables["MESHROUTER_DEMO_MARATHON_\(index + 1)"] = address.description
    }
    return variables
  }

  /// For the banner: each app with how many tasks it has.
  public var apps: String { model.apps.map { "\($0.id) (\($0.tasks.count) tasks)" }.joined(separator: ", ") }

  /// Where its first node listens.
  public var marathonAddress: String { marathon.address.description }

  /// What came of the requests so far.
  public var summary: String { tally.summary }

  /// Sends requests and deploys one version after the other, telling each step, until the router drains.
  public func run(
    through router: RouterProcess, at address: SocketAddress, requestsPerSecond: Int,
    tell: @escaping @ControlActor (String) -> Void
  ) async throws {
    let tell = { @ControlActor (line: String) in if !router.isDraining { tell(line) } }
    tally.note(app.version)
    if requestsPerSecond > 0 {
      let traffic = DemoTraffic(to: address, service: { Self.name }, took: { self.count($0) })
      Task { @ControlActor in await traffic.run(requestsPerSecond: requestsPerSecond) { router.isDraining } }
    }
    while !router.isDraining {
      try await ControlActor.sleep(milliseconds: Self.pauseMilliseconds)
      tell(line("steady"))
      let changesLeader = tally.deployed % 2 == 0
      tell(
        "        deploying v\(tally.deployed + 1), \(Self.atATime) tasks at a time"
          + (changesLeader ? "; Marathon changes its leader meanwhile" : ""))
      try await deploy(changesLeader: changesLeader, tell)
      try await ControlActor.sleep(milliseconds: 1_000)
      tell(line("done"))
    }
  }

  private func deploy(changesLeader: Bool, _ tell: @escaping @ControlActor (String) -> Void) async throws {
    let watch = Task { @ControlActor in
      while true {
        try await ControlActor.sleep(milliseconds: 1_000)
        tell(line("deploy"))
      }
    }
    defer { watch.cancel() }
    var isFirst = true
    try await model.rollingDeploy(app, atATime: Self.atATime, pace: Self.pace) { _, _ in
      guard changesLeader, isFirst else { return }
      isFirst = false
      Task { @ControlActor in
        tell("        Marathon has no leader")
        await self.marathon.changeLeader(withoutLeaderMilliseconds: 600)
        tell("        Marathon's leader is node \((self.marathon.leader ?? 0) + 1), which knows no health results yet")
        for share in [0.25, 0.5, 0.75, 1] {
          try await ControlActor.sleep(milliseconds: 500)
          self.model.refillHealthResults(share: share)
        }
      }
    }
  }

  private func count(_ answer: DemoTraffic.Answer) {
    switch answer {
    case .success(let response) where response.status == 200:
      tally.answer(from: response.headers["X-Version"] ?? "")
    case .success(let response): tally.failure("\(response.status) \(response.headers["l5d-err"] ?? "")")
    case .failure(let error): tally.failure("\(error)")
    }
  }

  private func line(_ step: String) -> String {
    tally.note(app.version)
    let running = tally.running(app.tasks.filter { $0.state == .running }.map(\.version))
    return Self.padded(step, 6) + "  running: " + Self.padded(running, 10) + "   " + tally.requests
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.utf8.count))
  }
}

import MeshBase
import Net

/// The truth about a cluster: its agents, frameworks, apps and tasks, of which the fake schedulers show their views.
///
/// What it draws is determined by the seed. Every change is told to the schedulers at once, in its order. Confined to
/// the control thread.
@ControlActor
public final class ClusterModel {
  /// Where tasks of this cluster really listen; `nil`: their addresses are mere names.
  public var backends: SimBackends?
  public private(set) var agents: [SimAgent] = []
  /// Places in `agents` by id.
  private var agentIndex: [String: Int] = [:]
  public internal(set) var frameworks: [SimFramework] = []
  /// Marathon's, in the order in which it lists them.
  public internal(set) var appIDs: [String] = []
  var appsByID: [String: SimApp] = [:]
  /// Those the master knows, by id and by framework in the order in which it lists them.
  var tasksByID: [String: SimTask] = [:]
  var tasksByFramework: [String: [SimTask]] = [:]
  /// Bumped by each change; what is rendered from the model may be kept until then.
  public internal(set) var changes: UInt64 = 0
  var random: SeededRandom
  var now = SimTime.start
  let masterID: String
  private var observers: [UInt64: (ClusterEvent) -> Void] = [:]
  private var observerSequence: UInt64 = 0
  private var nextAgent = 0
  private var nextPort: [String: Int] = [:]
  private var nextAddress = 0
  /// Health results that `loseHealthResults` took away.
  var lostHealth: [String: [SimTask.HealthResult]] = [:]
  var fixture: ClusterFixture?

  static let marathonName = "marathon"
  /// The first port that Mesos offers on an agent.
  private static let firstPort = 31_000

  public init(seed: UInt64 = 1) {
    random = SeededRandom(seed: seed)
    masterID = Self.uuid(&random)
  }

  // MARK: Looking

  public func app(_ id: String) -> SimApp? { appsByID[id] }

  public var apps: [SimApp] { appIDs.compactMap { appsByID[$0] } }

  public var taskCount: Int { apps.reduce(0) { $0 + $1.tasks.count } }

  public func agent(_ id: String) -> SimAgent? { agentIndex[id].map { agents[$0] } }

  public func tasks(of framework: SimFramework) -> [SimTask] { tasksByFramework[framework.id] ?? [] }

  /// The framework of the Marathon apps; registered on first use.
  public var marathon: SimFramework {
    if let known = frameworks.first(where: { $0.name == Self.marathonName }) { return known }
    let framework = SimFramework(id: "\(masterID)-0001", name: Self.marathonName)
    addFramework(framework)
    return framework
  }

  // MARK: Telling

  /// Ends with `forget`.
  func observe(_ body: @escaping (ClusterEvent) -> Void) -> UInt64 {
    observerSequence += 1
    observers[observerSequence] = body
    return observerSequence
  }

  func forget(_ observer: UInt64) { observers[observer] = nil }

  func tell(_ event: ClusterEvent) {
    now += 1
    for observer in observers.sorted(by: { $0.key < $1.key }) { observer.value(event) }
  }

  func didChange(_ task: SimTask) {
    changes += 1
    task.forgetTexts()
    if let id = task.appID { appsByID[id]?.changed() }
  }

  func didChange(_ app: SimApp) {
    changes += 1
    app.changed()
  }

  // MARK: Members

  public func addFramework(_ framework: SimFramework) {
    changes += 1
    frameworks.append(framework)
    tell(.frameworkAdded(framework))
  }

  public func removeFramework(_ id: String) {
    guard let framework = frameworks.first(where: { $0.id == id }) else { return }
    changes += 1
    for task in tasksByFramework[id] ?? [] { end(task, as: .killed) }
    frameworks.removeAll { $0.id == id }
    tasksByFramework[id] = nil
    tell(.frameworkRemoved(framework))
  }

  @discardableResult
  public func addAgent(hostname: String? = nil, ip: String? = nil) -> SimAgent {
    let number = (agents.map(\.number).max() ?? -1) + 1
    let ip =
      ip ?? backends?.agentAddress(number) ?? "10.\(64 + number / 62_500).\(number / 250 % 250).\(2 + number % 250)"
    let agent = SimAgent(number: number, id: "\(masterID)-S\(number)", hostname: hostname ?? ip, ip: ip)
    insert(agent)
    changes += 1
    tell(.agentAdded(agent))
    return agent
  }

  func insert(_ agent: SimAgent) {
    agentIndex[agent.id] = agents.count
    agents.append(agent)
  }

  func update(agent id: String, _ body: (inout SimAgent) -> Void) {
    guard let index = agentIndex[id] else { return }
    changes += 1
    body(&agents[index])
  }

  /// The agent that gets the next task: in turn, those that are lost left out.
  func nextFreeAgent() -> SimAgent {
    if agents.isEmpty { addAgent() }
    for _ in agents.indices {
      nextAgent = (nextAgent + 1) % agents.count
      if !agents[nextAgent].isLost { return agents[nextAgent] }
    }
    return addAgent()
  }

  func nextHostPort(on agent: SimAgent) throws -> Int {
    if let backends { return Int(try backends.reserve(on: agent.ip).port) }
    let port = nextPort[agent.id, default: Self.firstPort]
    nextPort[agent.id] = port + 1
    return port
  }

  func containerAddress(_ mode: NetworkMode) -> String {
    nextAddress += 1
    let (high, low) = (nextAddress / 250, 2 + nextAddress % 250)
    return mode == .bridge ? "172.17.\(high % 250).\(low)" : "9.\(high / 250 % 250).\(high % 250).\(low)"
  }

  static func uuid(_ random: inout SeededRandom) -> String {
    let (high, low) = (random.next(), random.next())
    func hex(_ value: UInt64, _ digits: Int) -> String {
      let text = String(value & (digits == 16 ? .max : 1 << (4 * UInt64(digits)) - 1), radix: 16)
      return String(repeating: "0", count: digits - text.utf8.count) + text
    }
    return [hex(high >> 32, 8), hex(high >> 16, 4), hex(high, 4), hex(low >> 48, 4), hex(low, 12)].joined(
      separator: "-")
  }

  func uuid() -> String { Self.uuid(&random) }
}

import ClusterSim
import Foundation
import HTTP
import MeshBase
import Net
import TestSupport
import Testing

@ControlActor
@Suite("the model of a cluster")
struct ModelTests {
  @Test("one seed makes one cluster")
  func seeds() throws {
    func ids(_ seed: UInt64) throws -> [String] {
      let model = ClusterModel(seed: seed)
      try model.generate(apps: 20, tasksPerApp: 3)
      return model.apps.flatMap { $0.tasks.map(\.id) }
    }
    #expect(try ids(1) == ids(1))
    #expect(try ids(1) != ids(2))
  }

  @Test("JSON that is written is read as what it was")
  func json() throws {
    var random = SeededRandom(seed: 11)
    func node(_ depth: Int) -> JSONNode {
      switch random.below(depth > 4 ? 4 : 6) {
      case 0: return .null
      case 1: return .bool(random.below(2) == 0)
      case 2: return .number(String(Int(random.below(1_000_000)) - 500_000))
      case 3:
        return .string(
          String(
            String.UnicodeScalarView(
              (0..<random.below(6)).map { _ in
                "a\"\\\n\u{1}é😀"
                  .unicodeScalars.randomElement(using: &random) ?? "a"
              })))
      case 4: return .array((0..<random.below(4)).map { _ in node(depth + 1) })
      default: return .object((0..<random.below(4)).map { .init("k\($0)", node(depth + 1)) })
      }
    }
    for _ in 0..<500 {
      let tree = node(0)
      #expect(try JSONNode(parsing: Array(tree.json.utf8)) == tree, "seed 11: \(tree.json)")
    }
    for bad in ["", "{", "[1,]", "{\"a\"}", "nul", "\"\\x\"", "1 2", "-"] {
      #expect(throws: JSONNodeError.self, "\(bad)") { try JSONNode(parsing: Array(bad.utf8)) }
    }
  }

  @Test("an agent that is cut off and comes back has its tasks again")
  func lostAgent() throws {
    let model = ClusterModel(seed: 2)
    let app = try model.addRunning(AppPlan("/shop", instances: 6))
    let agent = try #require(app.tasks.first).agentID
    let states = { app.tasks.filter { $0.agentID == agent }.map(\.state) }
    let count = states().count
    model.lose(agent: agent)
    #expect(model.agent(agent)?.isLost == true)
    #expect(states() == Array(repeating: .unreachable, count: count))
    try model.recover(agent: agent)
    #expect(model.agent(agent)?.isLost == false)
    #expect(states() == Array(repeating: .running, count: count))
  }

  @Test("a rolling deploy replaces every task, and enough of them answer at each moment")
  func deploy() async throws {
    let backends = try SimBackends()
    let model = ClusterModel()
    model.backends = backends
    let app = try model.addRunning(AppPlan("/shop", checks: 1, instances: 4))
    let old = app.version
    var counts: [Int] = []
    let pace = Pace(staging: 5, boot: 5, health: 5, killing: 10)
    try await model.rollingDeploy(app, atATime: 2, pace: pace) { new, _ in counts.append(new) }
    #expect(counts == [2, 4])
    #expect(app.tasks.count == 4)
    #expect(app.tasks.allSatisfy { $0.version != old && $0.state == .running && $0.health?.first?.isAlive == true })
    for task in app.tasks {
      let ip = try #require(model.agent(task.agentID)).ip
      let address = try #require(SocketAddress(ip: ip, port: UInt16(task.hostPorts[0])))
      let answer = try await Sim.get(address, "/")
      #expect(answer.headers["X-Task"] == task.id)
      #expect(answer.headers["X-Version"] == app.version)
    }
    let task = try #require(app.tasks.first)
    let ip = try #require(model.agent(task.agentID)).ip
    let address = try #require(SocketAddress(ip: ip, port: UInt16(task.hostPorts[0])))
    model.end(task, as: .killed)
    await #expect(throws: (any Error).self) { try await Sim.get(address, "/") }
    #expect(backends.requestsByVersion[app.version] == 4)
  }
}

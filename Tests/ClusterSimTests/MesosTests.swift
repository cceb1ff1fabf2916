import ClusterSim
import Foundation
import HTTP
import MeshBase
import Net
import TestSupport
import Testing

@ControlActor
@Suite("the fake Mesos master")
struct MesosTests {
  /// A subscription whose records are cut apart as they come.
  @ControlActor
  final class Subscription {
    let stream: ControlHTTPStream
    private(set) var bytes: [UInt8] = []
    /// Each is parsed once, as it comes: the snapshot is large, and conditions ask again and again.
    private(set) var records: [JSONNode] = []
    private var parsedBytes = 0
    private(set) var isAtEnd = false

    init(_ address: SocketAddress) async throws {
      stream = try await ControlHTTPClient(to: address).open(
        "POST", "/api/v1", headers: ControlHeaders(["Content-Type": "application/json", "Accept": "application/json"]),
        body: Array(#"{"type":"SUBSCRIBE"}"#.utf8))
      stream.pieceMilliseconds = nil
      Task { @ControlActor in
        while let piece = try? await stream.next() {
          bytes += piece
          parse()
        }
        isAtEnd = true
      }
    }

    private func parse() {
      var rest = bytes[parsedBytes...]
      while let end = rest.firstIndex(of: 10), let length = Int(String(decoding: rest[..<end], as: UTF8.self)),
        rest.endIndex - end - 1 >= length
      {
        if let node = try? JSONNode(parsing: Array(rest[(end + 1)..<(end + 1 + length)])) { records.append(node) }
        rest = rest[(end + 1 + length)...]
      }
      parsedBytes = rest.startIndex
    }

    var types: [String] { records.compactMap { $0["type"]?.text } }
  }

  @Test("answers what the fixture holds, and replays its records")
  func fixture() async throws {
    let model = try Sim.recorded()
    let master = try FakeMesosMaster(model) { $0.streamPieceBytesMax = 5_000 }
    for path in ["/state", "/master/state"] {
      #expect(try await Sim.get(master.address, path).body == (try Sim.fixture("mesos/state.json")))
    }
    let subscription = try await Subscription(master.address)
    for record in model.recordedRecords() { master.send(record: record) }
    let recorded = try Sim.fixture("mesos/subscribe.recordio")
    #expect(await eventually { subscription.bytes == recorded })
    #expect(subscription.types.count == 17)
    subscription.stream.close()
    await master.close()
  }

  @Test("both forms of a generated cluster show the same tasks, and changes come as records")
  func changes() async throws {
    let model = ClusterModel(seed: 5)
    try model.generate(apps: 30, tasksPerApp: 3)
    let master = try FakeMesosMaster(model) { $0.heartbeatMilliseconds = 30 }
    let subscription = try await Subscription(master.address)
    #expect(await eventually { subscription.types.contains("HEARTBEAT") })
    let snapshot = subscription.records[0]["subscribed"]?["get_state"]?["get_tasks"]?["tasks"]?.elements ?? []
    let flat = try await Sim.node(master.address, "/state")["frameworks"]?.elements[0]["tasks"]?.elements ?? []
    #expect(snapshot.count == 90)
    #expect(flat.compactMap { $0["id"]?.text } == snapshot.compactMap { $0["task_id"]?["value"]?.text })
    #expect(flat.map { $0["discovery"] } == snapshot.map { $0["discovery"] })

    let app = model.apps[0]
    let task = try model.launch(app)
    try model.start(task)
    model.beginKill(task)
    model.end(task, as: .killed)
    let agent = try #require(app.tasks.first).agentID
    model.lose(agent: agent)
    let states = ["TASK_ADDED", "TASK_UPDATED", "TASK_UPDATED", "TASK_UPDATED"]
    #expect(await eventually { subscription.types.contains("AGENT_REMOVED") })
    #expect(Array(subscription.types.dropFirst().filter { $0 != "HEARTBEAT" }.prefix(4)) == states)
    let unreachable = try await Sim.node(master.address, "/state")["frameworks"]?.elements[0]["unreachable_tasks"]
    #expect((unreachable?.elements.count ?? 0) > 0)
    subscription.stream.close()
    await master.close()
  }

  @Test("others send to the leader; a failover lists agents as recovered until they are back")
  func failover() async throws {
    let model = ClusterModel(seed: 9)
    try model.generate(apps: 60, tasksPerApp: 10)
    let master = try FakeMesosMaster(model) { $0.masters = 3 }
    let answer = try await Sim.get(master.addresses[2], "/state")
    #expect(answer.status == 307)
    #expect(answer.headers["Location"] == "//\(master.addresses[0])/state")
    master.elect(nil)
    #expect(try await Sim.get(master.address, "/state").status == 503)
    master.elect(1, registered: 0.5)
    let state = try await Sim.node(master.addresses[1], "/state")
    #expect(state["leader"]?.text == "master@\(master.addresses[1])")
    let recovered = state["recovered_slaves"]?.elements.count ?? 0
    #expect(recovered > 0)
    #expect(recovered + (state["slaves"]?.elements.count ?? 0) == model.agents.count)
    let known = state["frameworks"]?.elements[0]["tasks"]?.elements.count ?? 0
    #expect(known < 600)
    let subscription = try await Subscription(master.addresses[1])
    #expect(await eventually { !subscription.records.isEmpty })
    let agents = subscription.records[0]["subscribed"]?["get_state"]?["get_agents"]
    #expect(agents?["recovered_agents"]?.elements.count == recovered)
    master.registerAgents()
    #expect(await eventually { subscription.types.count { $0 == "TASK_ADDED" } == 600 - known })
    subscription.stream.close()
    await master.close()
  }
}

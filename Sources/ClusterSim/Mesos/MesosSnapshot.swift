import MeshBase
import Net

/// All the master knows, in either of its forms, in pieces of moderate size.
@ControlActor
struct MesosSnapshot {
  let model: ClusterModel
  /// `master@ip:port` of the one that leads.
  let master: String
  /// Of the tasks, the share that is known.
  var shares = 1.0

  /// Whether the recorded answers still hold.
  private var recorded: ClusterFixture? {
    guard shares >= 1, let fixture = model.fixture, fixture.changes == model.changes else { return nil }
    return fixture
  }

  private func tasks(of framework: SimFramework, isUnreachable: Bool) -> [SimTask] {
    model.tasks(of: framework).filter { task in
      (task.state == .unreachable) == isUnreachable && ServerFaults.shows(task.id, share: shares)
        && (model.agent(task.agentID)?.isRegistered ?? true)
    }
  }

  /// Joins texts without building one string of everything.
  private struct Pieces {
    private static let pieceBytes = 262_144

    var pieces: [[UInt8]] = []
    private var open: [UInt8] = []

    mutating func add(_ text: String) {
      open += text.utf8
      if open.count >= Self.pieceBytes { flush() }
    }

    mutating func add<Element>(_ elements: [Element], _ text: (Element) -> String) {
      for (index, element) in elements.enumerated() {
        if index > 0 { add(",") }
        add(text(element))
      }
    }

    mutating func flush() {
      if !open.isEmpty { pieces.append(open) }
      open = []
      open.reserveCapacity(Self.pieceBytes + 8_192)
    }
  }

  // MARK: Operator API

  /// The first record of a stream, its length in front.
  func subscribed(heartbeatSeconds: Double) -> [[UInt8]] {
    if let record = recorded?.records.first { return [MesosRecords.frame(record)] }
    var out = Pieces()
    out.add(#"{"type":"SUBSCRIBED","subscribed":{"get_state":{"#)
    state(&out)
    out.add(#"},"heartbeat_interval_seconds":\#(heartbeatSeconds)}}"#)
    out.flush()
    let length = out.pieces.reduce(0) { $0 + $1.count }
    return [Array("\(length)\n".utf8)] + out.pieces
  }

  /// The answer to one of the GET calls; `nil` for one that is not known.
  func call(_ type: String) -> [[UInt8]]? {
    var out = Pieces()
    out.add(#"{"type":"\#(type)","\#(type.lowercased())":{"#)
    switch type {
    case "GET_STATE": state(&out)
    case "GET_TASKS": tasks(&out)
    case "GET_AGENTS": agents(&out)
    case "GET_FRAMEWORKS": frameworks(&out)
    default: return nil
    }
    out.add("}}")
    out.flush()
    return out.pieces
  }

  private func state(_ out: inout Pieces) {
    out.add(#""get_tasks":{"#)
    tasks(&out)
    out.add(#"},"get_executors":{},"get_frameworks":{"#)
    frameworks(&out)
    out.add(#"},"get_agents":{"#)
    agents(&out)
    out.add("}")
  }

  private func tasks(_ out: inout Pieces) {
    out.add(#""tasks":["#)
    out.add(model.frameworks.flatMap { tasks(of: $0, isUnreachable: false) }, MesosText.operatorTask)
    out.add("]")
    let unreachable = model.frameworks.flatMap { tasks(of: $0, isUnreachable: true) }
    if !unreachable.isEmpty {
      out.add(#","unreachable_tasks":["#)
      out.add(unreachable, MesosText.operatorTask)
      out.add("]")
    }
  }

  private func frameworks(_ out: inout Pieces) {
    out.add(#""frameworks":["#)
    out.add(model.frameworks, MesosText.operatorFramework)
    out.add("]")
  }

  private func agents(_ out: inout Pieces) {
    out.add(#""agents":["#)
    out.add(model.agents.filter { $0.isRegistered && !$0.isLost }, MesosText.operatorAgent)
    out.add("]")
    let recovered = model.agents.filter { !$0.isRegistered && !$0.isLost }
    if !recovered.isEmpty {
      out.add(#","recovered_agents":["#)
      out.add(recovered, MesosText.recoveredAgent)
      out.add("]")
    }
  }

  // MARK: /state

  /// `self`: the pid of the master that answers.
  func flat(answeredBy pid: String) -> [[UInt8]] {
    if let state = recorded?.state { return [state] }
    var out = Pieces()
    let place = master.split(separator: "@").last.map(String.init) ?? ""
    let address = SocketAddress(place)
    var head = JSONText()
    head.object { json in
      json.member("version", "1.9.0")
      json.member("id", model.masterID)
      json.member("pid", pid)
      json.member("leader", master)
      json.key("leader_info")
      json.object {
        $0.member("id", model.masterID)
        $0.member("pid", master)
        $0.member("port", UInt64(address?.port ?? 0))
        $0.member("hostname", address?.ip ?? "")
      }
      json.member("cluster", "sim")
    }
    out.add(String(head.text.dropLast()))
    out.add(#","slaves":["#)
    out.add(model.agents.filter { $0.isRegistered && !$0.isLost }, MesosText.stateAgent)
    out.add(#"],"recovered_slaves":["#)
    out.add(model.agents.filter { !$0.isRegistered && !$0.isLost }, MesosText.stateAgent)
    out.add(#"],"frameworks":["#)
    for (index, framework) in model.frameworks.enumerated() {
      if index > 0 { out.add(",") }
      out.add("{" + MesosText.stateFramework(framework) + #","tasks":["#)
      out.add(tasks(of: framework, isUnreachable: false), MesosText.stateTask)
      out.add(#"],"unreachable_tasks":["#)
      out.add(tasks(of: framework, isUnreachable: true), MesosText.stateTask)
      out.add(#"],"completed_tasks":[],"offers":[],"executors":[]}"#)
    }
    out.add(#"],"completed_frameworks":[],"orphan_tasks":[],"unregistered_frameworks":[]}"#)
    out.flush()
    return out.pieces
  }
}

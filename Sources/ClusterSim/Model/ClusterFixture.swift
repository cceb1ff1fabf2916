import MeshBase
import Net

/// Recorded answers of both schedulers about one cluster, and what they said next.
struct ClusterFixture: Sendable {
  /// `GET /state`.
  var state: [UInt8]?
  /// The records of a SUBSCRIBE; the first is the snapshot.
  var records: [[UInt8]] = []
  /// A body of `GET /v2/events` that follows the snapshot.
  var events: [UInt8]?
  /// `GET /v2/apps?embed=apps.tasks` after those events.
  var appsAfter: [UInt8]?
  /// The model's count of changes at which the recorded answers hold.
  var changes: UInt64 = 0
}

/// A file that is not what it is taken for.
public struct FixtureError: Error, CustomStringConvertible {
  public let description: String
}

extension ClusterModel {
  /// Fills an empty model from a folder with `marathon/apps-embed-tasks.json`, `mesos/state.json` and, where there are
  /// any, `mesos/subscribe.recordio`, `marathon/events.sse` and `marathon/apps-after-events.json`.
  ///
  /// Until something changes, the schedulers answer with these files' own content.
  public func load(folder: String) throws {
    precondition(apps.isEmpty && agents.isEmpty, "the model is in use already")
    let read = { (name: String) -> [UInt8]? in
      do throws(SystemError) {
        return try FileSystem.read("\(folder)/\(name)")
      } catch {
        if error.isMissingFile { return nil }
        throw error
      }
    }
    var fixture = ClusterFixture()
    if let state = try read("mesos/state.json") {
      fixture.state = state
      try load(state: try Self.parse(state, "mesos/state.json"))
    }
    if let stream = try read("mesos/subscribe.recordio") {
      fixture.records = try Self.records(stream)
      if let first = fixture.records.first { try loadSnapshot(try Self.parse(first, "mesos/subscribe.recordio")) }
    }
    guard let apps = try read("marathon/apps-embed-tasks.json") else {
      throw FixtureError(description: "\(folder)/marathon/apps-embed-tasks.json: there is no such file")
    }
    load(apps: try Self.parse(apps, "marathon/apps-embed-tasks.json"))
    fixture.events = try read("marathon/events.sse")
    fixture.appsAfter = try read("marathon/apps-after-events.json")
    changes += 1
    fixture.changes = changes
    self.fixture = fixture
  }

  /// The bytes of the recorded event stream; from now on Marathon answers as it did after them.
  public func takeRecordedEvents() throws -> [UInt8] {
    guard let events = fixture?.events, let after = fixture?.appsAfter else {
      throw FixtureError(description: "no event stream was loaded")
    }
    for id in appIDs { appsByID[id] = nil }
    appIDs = []
    load(apps: try Self.parse(after, "marathon/apps-after-events.json"))
    return events
  }

  /// The records that follow the recorded snapshot, as their JSON text.
  public func recordedRecords() -> [[UInt8]] { Array(fixture?.records.dropFirst() ?? []) }

  private static func parse(_ bytes: [UInt8], _ name: String) throws -> JSONNode {
    do throws(JSONNodeError) { return try JSONNode(parsing: bytes) } catch {
      throw FixtureError(description: "\(name): \(error)")
    }
  }

  private static func records(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let length = Int(String(decoding: rest[..<end], as: UTF8.self))
      guard let length, rest.endIndex - end - 1 >= length else {
        throw FixtureError(description: "mesos/subscribe.recordio: no whole record at byte \(rest.startIndex)")
      }
      records.append(Array(rest[(end + 1)..<(end + 1 + length)]))
      rest = rest[(end + 1 + length)...]
    }
    return records
  }

  // MARK: Marathon

  private func load(apps node: JSONNode) {
    for entry in node["apps"]?.elements ?? [] {
      guard let id = entry["id"]?.text else { continue }
      let app = SimApp(Self.plan(id, entry), version: entry["version"]?.text ?? "")
      app.instances = entry["instances"]?.integer ?? 0
      app.definition = entry.members.filter { $0.name != "id" && !MarathonText.changing.contains($0.name) }
      app.deployments = (entry["deployments"]?.elements ?? []).compactMap { $0["id"]?.text }
      app.tasks = (entry["tasks"]?.elements ?? []).compactMap { marathonTask($0, of: app) }
      app.setRendered(Array(entry.json.utf8))
      appIDs.append(id)
      appsByID[id] = app
    }
  }

  private static func plan(_ id: String, _ node: JSONNode) -> AppPlan {
    var plan = AppPlan(id, labels: KeyValues(node["labels"]))
    let checks = node["healthChecks"]?.elements ?? []
    plan.checks = checks.count
    plan.checkProtocol = checks.first?["protocol"]?.text ?? "HTTP"
    plan.instances = node["instances"]?.integer ?? 0
    plan.isLegacy = node["uris"] != nil
    let network = node["networks"]?.elements.first
    let docker = node["container"]?["docker"]
    let discovered = node["ipAddress"]?["discovery"]?["ports"]?.elements ?? []
    switch (network?["mode"]?.text, docker?["network"]?.text) {
    case ("container/bridge", _), (_, "BRIDGE"): plan.mode = .bridge
    case ("container", _), (_, "USER"): plan.mode = .container
    default: plan.mode = discovered.isEmpty ? .host : .ipAddress
    }
    if let name = network?["name"]?.text ?? node["ipAddress"]?["networkName"]?.text { plan.network = name }
    let mappings = node["container"]?["portMappings"]?.elements ?? docker?["portMappings"]?.elements ?? []
    let definitions =
      plan.mode == .host
      ? node["portDefinitions"]?.elements ?? [] : plan.mode == .ipAddress ? discovered : mappings
    plan.ports = definitions.map { node in
      SimPort(
        name: node["name"]?.text, protocolName: node["protocol"]?.text ?? "tcp",
        containerPort: node["containerPort"]?.integer ?? node["number"]?.integer ?? 0,
        servicePort: node["servicePort"]?.integer ?? node["port"]?.integer ?? 0,
        isMapped: plan.mode == .host || plan.mode == .bridge || node["hostPort"] != nil,
        labels: KeyValues(node["labels"]))
    }
    return plan
  }

  private func marathonTask(_ node: JSONNode, of app: SimApp) -> SimTask? {
    guard let id = node["id"]?.text, let state = node["state"]?.text.flatMap(TaskState.init) else { return nil }
    let known = tasksByID[id].flatMap { $0.appID == app.id ? $0 : nil }
    let task =
      known
      ?? SimTask(
        id: id, appID: app.id, name: app.id.split(separator: "/").reversed().joined(separator: "."),
        frameworkID: marathon.id, agentID: node["slaveId"]?.text ?? "", host: node["host"]?.text ?? "",
        version: node["version"]?.text ?? "", stagedAt: now)
    task.state = state
    task.host = node["host"]?.text ?? ""
    task.version = node["version"]?.text ?? ""
    task.hostPorts = (node["ports"]?.elements ?? []).compactMap(\.integer)
    task.addresses = (node["ipAddresses"]?.elements ?? []).compactMap { $0["ipAddress"]?.text }
    task.servicePorts = (node["servicePorts"]?.elements ?? []).compactMap(\.integer)
    task.startedAt = node["startedAt"] == nil ? nil : now
    task.isLegacy = app.plan.isLegacy
    task.isCheckedByMesos = app.plan.checks > 0 && app.plan.checkProtocol.hasPrefix("MESOS")
    task.health = node["healthCheckResults"].map { results in
      results.elements.map {
        .init(isAlive: $0["alive"]?.flag ?? false, consecutiveFailures: $0["consecutiveFailures"]?.integer ?? 0)
      }
    }
    task.marathonText = node.json
    return task
  }

  // MARK: Mesos

  private func load(state: JSONNode) throws {
    for node in state["slaves"]?.elements ?? [] {
      guard let id = node["id"]?.text, let hostname = node["hostname"]?.text else { continue }
      let pid = node["pid"]?.text ?? ""
      let ip = pid.split(separator: "@").last?.split(separator: ":").first.map(String.init)
      insert(SimAgent(number: agents.count, id: id, hostname: hostname, ip: ip ?? hostname))
    }
    for node in state["frameworks"]?.elements ?? [] {
      guard let id = node["id"]?.text, let name = node["name"]?.text else { continue }
      frameworks.append(
        SimFramework(
          id: id, name: name, hostname: node["hostname"]?.text ?? "", isHTTP: node["pid"] == nil))
      for list in ["tasks", "unreachable_tasks"] {
        for task in node[list]?.elements ?? [] { mesosTask(task, framework: id, isMarathon: name == Self.marathonName) }
      }
    }
  }

  private func mesosTask(_ node: JSONNode, framework: String, isMarathon: Bool) {
    guard let id = node["id"]?.text, let state = node["state"]?.text.flatMap(TaskState.init) else { return }
    let name = node["name"]?.text ?? ""
    let agentID = node["slave_id"]?.text ?? ""
    let task = SimTask(
      id: id, appID: isMarathon ? "/" + name.split(separator: ".").reversed().joined(separator: "/") : nil, name: name,
      frameworkID: framework, agentID: agentID, host: agent(agentID)?.hostname ?? "", state: state, version: "",
      stagedAt: now)
    let ranges = node["resources"]?["ports"]?.text ?? ""
    for range in ranges.split(whereSeparator: { "[], ".contains($0) }) {
      let ends = range.split(separator: "-").compactMap { Int($0) }
      if ends.count == 2, ends[0] <= ends[1] { task.hostPorts += Array(ends[0]...ends[1]) }
    }
    task.statuses = (node["statuses"]?.elements ?? []).compactMap { status in
      status["state"]?.text.flatMap(TaskState.init).map {
        let infos = status["container_status"]?["network_infos"]?.elements ?? []
        return SimTask.Status(
          state: $0, timestamp: status["timestamp"]?.real ?? 0,
          addresses: infos.flatMap { $0["ip_addresses"]?.elements ?? [] }.compactMap { $0["ip_address"]?.text },
          isHealthy: status["healthy"]?.flag)
      }
    }
    task.addresses = task.statuses.last?.addresses ?? []
    task.labels = (node["labels"]?.elements ?? []).compactMap { label in
      label["key"]?.text.flatMap { key in label["value"]?.text.map { (key, $0) } }
    }
    task.discovery = node["discovery"]?.json
    task.container = node["container"]?.json
    task.isCheckedByMesos = node["health_check"] != nil
    task.stateText = node.json
    tasksByID[id] = task
    tasksByFramework[framework, default: []].append(task)
  }

  /// The wrapped form of the tasks that `/state` listed.
  private func loadSnapshot(_ record: JSONNode) throws {
    let lists = record["subscribed"]?["get_state"]?["get_tasks"]?.members ?? []
    for node in lists.flatMap(\.value.elements) {
      guard let id = node["task_id"]?["value"]?.text else { continue }
      tasksByID[id]?.operatorText = node.json
    }
  }
}

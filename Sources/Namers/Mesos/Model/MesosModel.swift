import MeshBase

/// What is known of a Mesos cluster: agents, frameworks and the tasks that have not ended, merged from snapshots and
/// events by these rules.
///
/// - What a status leaves out (health, addresses) stays as it was; only a terminal state removes a task.
/// - A task may be told of before its agent or its framework: it waits, and cannot be found by a name, or has no
///   address, until they are known.
/// - A snapshot removes what it does not tell of, except the tasks of recovered agents: after a master failover those are
///   alive and merely not counted yet.
/// - A snapshot that lacks more than half of the tasks is believed only if the next one says the same.
///
/// Pure, and confined to one thread.
final class MesosModel {
  private(set) var frameworks: [String: MesosFramework] = [:]
  private(set) var agents: [String: MesosAgent] = [:]
  private(set) var taskCount = 0
  /// Whether a snapshot was complete: what is not known since then does not exist.
  private(set) var isComplete = false
  /// The last snapshot lacked too much to be believed alone.
  private(set) var isHolding = false
  /// Status updates for tasks that are not known.
  private(set) var unknownUpdateCount: UInt64 = 0

  private var generation: UInt32 = 1
  private var snapshotGeneration: UInt32 = 0
  private var isInSnapshot = false
  /// Agents with a `confirmBy`.
  private var unconfirmed: [MesosAgent] = []
  private var unresolved: [String] = []
  private var changed: [(workload: MesosWorkload, name: MesosName)] = []
  private var changedVips: Set<VipKey> = []

  /// A returning agent's tasks are told of with it: what was not told of again after this long is gone.
  static let confirmMilliseconds: UInt64 = 10_000
  /// The unreachable tasks of an agent that is gone are forgotten after this long: their addresses may be someone
  /// else's by then.
  static let removedMilliseconds: UInt64 = 900_000
  /// A cluster as small as this may lose all its tasks at once.
  static let holdTasksMin = 8

  // MARK: Snapshots

  func beginSnapshot() {
    generation += 1
    snapshotGeneration = generation
    isInSnapshot = true
  }

  /// False: the snapshot lacks more than half of the tasks; they are kept until another one lacks them too.
  @discardableResult
  func endSnapshot() -> Bool {
    var missing: [MesosTask] = []
    for framework in frameworks.values {
      for task in framework.tasks.values where task.generation < snapshotGeneration {
        let agent = task.agent
        if !(agent.isRecovered && agent.generation >= snapshotGeneration) { missing.append(task) }
      }
    }
    isHolding = !isHolding && taskCount > Self.holdTasksMin && missing.count * 2 > taskCount
    if !isHolding {
      for task in missing { remove(task) }
    }
    for agent in agents.values where agent.generation < snapshotGeneration {
      agent.isKnown = isHolding && agent.isKnown
      agent.isRecovered = false
    }
    forgetUnused()
    isComplete = true
    isInSnapshot = false
    return !isHolding
  }

  // MARK: What the master tells

  func report(_ report: MesosFrameworkReport) {
    guard !report.id.isEmpty else { return }
    let framework = framework(report.id)
    framework.generation = generation
    if !report.webURL.isEmpty { framework.webURL = report.webURL }
    guard framework.name != report.name else { return }
    touchAll(of: framework)
    framework.name = report.name
    framework.label = DnsText.labels(report.name)
    touchAll(of: framework)
  }

  /// `isRecovered`: known from before the failover of the master, and not back yet.
  func report(_ report: MesosAgentReport, isRecovered: Bool, at now: MonotonicInstant) {
    guard !report.id.isEmpty else { return }
    let agent = agent(report.id)
    let wasRecovered = agent.isRecovered
    agent.generation = generation
    agent.isRecovered = isRecovered
    agent.hostname = report.hostname
    if let port = report.port { agent.port = port }
    // Recovered agents are told of without their pid, which is the better source.
    let isBrief = report.pid.isEmpty && agent.address != nil
    let address = isBrief || report.address == nil ? agent.address : report.address
    let isNews = !agent.isKnown || agent.address != address
    agent.needsName = report.address == nil && (address == nil || agent.needsName) && !report.hostname.isEmpty
    if agent.needsName { unresolved.append(report.id) }
    agent.isKnown = true
    agent.isHeardOf = true
    agent.address = address
    if isNews { touchTasks(of: agent) }
    // A snapshot tells of the tasks itself.
    if wasRecovered && !isRecovered && !isInSnapshot { awaitTasks(of: agent, until: now) }
  }

  /// The agents that were told of by name only since this was asked for last.
  func takeUnresolved() -> [String] {
    defer { unresolved = [] }
    return unresolved
  }

  /// An agent's name was resolved.
  func resolved(_ agent: MesosAgent, to address: SocketAddress) {
    guard agent.address != address else { return }
    agent.address = address
    touchTasks(of: agent)
  }

  func removeAgent(_ id: String, at now: MonotonicInstant) {
    guard let agent = agents[id] else { return }
    agent.isKnown = false
    agent.isRecovered = false
    var hasTasks = false
    for framework in frameworks.values {
      for task in framework.tasks.values where task.agent === agent {
        if task.state == .unreachable { hasTasks = true } else { remove(task) }
      }
    }
    if hasTasks {
      generation += 1
      agent.confirmGeneration = generation
      expect(agent, by: now.advanced(byMilliseconds: Self.removedMilliseconds))
    } else {
      agents[id] = nil
    }
  }

  func removeFramework(_ id: String) {
    guard let framework = frameworks[id] else { return }
    for task in Array(framework.tasks.values) { remove(task) }
    frameworks[id] = nil
  }

  func report(_ report: MesosTaskReport) {
    guard !report.id.isEmpty, !report.frameworkID.isEmpty else { return }
    guard !report.state.isTerminal else {
      if let task = frameworks[report.frameworkID]?.tasks[report.id] { remove(task) }
      return
    }
    let framework = framework(report.frameworkID)
    let name = report.serviceName
    if let task = framework.tasks[report.id] {
      if task.workload.name == name { return update(task, report) }
      remove(task)
    }
    let workload = workload(name, of: framework)
    let task = MesosTask(
      report, ports: shared(report.ports, in: workload), workload: workload, agent: agent(report.agentID),
      generation: generation)
    workload.tasks.append(task)
    framework.tasks[task.id] = task
    taskCount += 1
    index(task.ports, of: workload)
    touch(workload)
  }

  func report(_ status: MesosStatusReport) {
    guard let task = frameworks[status.frameworkID]?.tasks[status.taskID] else {
      if !status.state.isTerminal { unknownUpdateCount += 1 }
      return
    }
    task.generation = generation
    if status.state.isTerminal { return remove(task) }
    let addresses = status.addresses ?? task.addresses
    let verdict = status.verdict ?? task.verdict
    guard task.state != status.state || task.addresses != addresses || task.verdict != verdict else { return }
    touch(task)
    task.state = status.state
    task.addresses = addresses
    task.verdict = verdict
  }

  /// Whether tasks are kept only because their agents may yet come back after a master failover.
  var hasRecoveredTasks: Bool {
    frameworks.values.contains { $0.tasks.values.contains { $0.agent.isRecovered } }
  }

  // MARK: Time

  /// When `expire` has something to do; `nil`: nothing waits.
  var nextExpiry: MonotonicInstant? { unconfirmed.compactMap(\.confirmBy).min() }

  /// Removes the tasks that were not told of again in time.
  func expire(at now: MonotonicInstant) {
    let due = unconfirmed.filter { $0.confirmBy.map { $0 <= now } ?? true }
    unconfirmed.removeAll { agent in due.contains { $0 === agent } }
    for agent in due where agent.confirmBy != nil {
      agent.confirmBy = nil
      for framework in frameworks.values {
        for task in framework.tasks.values where task.agent === agent && task.generation < agent.confirmGeneration {
          remove(task)
        }
      }
    }
    if !due.isEmpty { forgetUnused() }
  }

  private func awaitTasks(of agent: MesosAgent, until now: MonotonicInstant) {
    generation += 1
    agent.confirmGeneration = generation
    expect(agent, by: now.advanced(byMilliseconds: Self.confirmMilliseconds))
  }

  private func expect(_ agent: MesosAgent, by time: MonotonicInstant) {
    if agent.confirmBy == nil && !unconfirmed.contains(where: { $0 === agent }) { unconfirmed.append(agent) }
    agent.confirmBy = time
  }

  // MARK: Changes

  /// What has changed since it was asked for last.
  func takeChanges() -> MesosChanges {
    let changes = MesosChanges(names: changed.map(\.name), vips: changedVips)
    for (workload, _) in changed { workload.isChanged = false }
    changed = []
    changedVips = []
    return changes
  }

  private func touch(_ workload: MesosWorkload) {
    guard !workload.isChanged, let framework = workload.framework.name else { return }
    workload.isChanged = true
    let name = MesosName(
      framework: framework, name: workload.name, label: workload.label, frameworkLabel: workload.framework.label)
    changed.append((workload, name))
  }

  private func touch(_ task: MesosTask) {
    touch(task.workload)
    touchVips(task.ports, of: task.workload.framework)
  }

  private func touchVips(_ ports: [MesosPort], of framework: MesosFramework) {
    guard framework.name != nil else { return }
    for port in ports {
      for label in port.vips { changedVips.insert(VipKey(label, framework: framework.label)) }
    }
  }

  private func touchAll(of framework: MesosFramework) {
    guard framework.name != nil else { return }
    for workload in framework.workloads.values {
      // Its name may be another one now.
      workload.isChanged = false
      touch(workload)
    }
    for label in framework.byVip.keys { changedVips.insert(VipKey(label, framework: framework.label)) }
  }

  private func touchTasks(of agent: MesosAgent) {
    for framework in frameworks.values {
      for task in framework.tasks.values where task.agent === agent { touch(task) }
    }
  }

  // MARK: Upkeep

  private func framework(_ id: String) -> MesosFramework {
    if let known = frameworks[id] { return known }
    let framework = MesosFramework(id: id)
    framework.generation = generation
    frameworks[id] = framework
    return framework
  }

  private func agent(_ id: String) -> MesosAgent {
    if let known = agents[id] { return known }
    let agent = MesosAgent(id: id)
    agents[id] = agent
    return agent
  }

  private func workload(_ name: String, of framework: MesosFramework) -> MesosWorkload {
    if let known = framework.workloads[name] { return known }
    let workload = MesosWorkload(name, framework: framework)
    framework.workloads[name] = workload
    framework.byLabel[workload.label, default: []].append(workload)
    return workload
  }

  private func update(_ task: MesosTask, _ report: MesosTaskReport) {
    task.generation = generation
    let ports = report.ports
    let agent = agent(report.agentID)
    let addresses = report.addresses ?? task.addresses
    let verdict = report.verdict ?? task.verdict
    let arePortsNew = task.ports != ports
    guard
      arePortsNew || task.agent !== agent || task.state != report.state || task.addresses != addresses
        || task.verdict != verdict || task.isChecked != report.isChecked
        || task.hasDiscovery != (report.discovery != nil)
    else { return }
    touch(task)
    task.agent = agent
    task.state = report.state
    task.addresses = addresses
    task.verdict = verdict
    task.isChecked = report.isChecked
    task.hasDiscovery = report.discovery != nil
    guard arePortsNew else { return }
    unindex(task.ports, of: task.workload)
    task.ports = shared(ports, in: task.workload)
    index(task.ports, of: task.workload)
  }

  private func remove(_ task: MesosTask) {
    let workload = task.workload
    let framework = workload.framework
    touch(task)
    unindex(task.ports, of: workload)
    taskCount -= 1
    let last = workload.tasks.removeLast()
    if last !== task {
      workload.tasks[task.place] = last
      last.place = task.place
    }
    framework.tasks[task.id] = nil
    guard workload.tasks.isEmpty else { return }
    framework.workloads[workload.name] = nil
    framework.byLabel[workload.label]?.removeAll { $0 === workload }
    if framework.byLabel[workload.label]?.isEmpty == true { framework.byLabel[workload.label] = nil }
  }

  private func index(_ ports: [MesosPort], of workload: MesosWorkload) {
    for port in ports {
      for label in port.vips {
        let count = workload.vips[label] ?? 0
        workload.vips[label] = count + 1
        if count == 0 { workload.framework.byVip[label, default: []].append(workload) }
      }
    }
    touchVips(ports, of: workload.framework)
  }

  private func unindex(_ ports: [MesosPort], of workload: MesosWorkload) {
    for port in ports {
      for label in port.vips {
        let count = workload.vips[label] ?? 0
        workload.vips[label] = count > 1 ? count - 1 : nil
        guard count <= 1 else { continue }
        workload.framework.byVip[label]?.removeAll { $0 === workload }
        if workload.framework.byVip[label]?.isEmpty == true { workload.framework.byVip[label] = nil }
      }
    }
  }

  /// The ports with their texts and VIPs in the memory of a sibling's.
  private func shared(_ ports: [MesosPort], in workload: MesosWorkload) -> [MesosPort] {
    guard let sibling = workload.tasks.first?.ports else { return ports }
    if sibling == ports { return sibling }
    var ports = ports
    for index in ports.indices where index < sibling.count {
      if ports[index].name == sibling[index].name { ports[index].name = sibling[index].name }
      if ports[index].vips == sibling[index].vips { ports[index].vips = sibling[index].vips }
    }
    return ports
  }

  /// Agents and frameworks that are gone and that nothing hangs on.
  private func forgetUnused() {
    var used: Set<ObjectIdentifier> = []
    for framework in frameworks.values {
      for task in framework.tasks.values { used.insert(ObjectIdentifier(task.agent)) }
    }
    agents = agents.filter { $0.value.isKnown || used.contains(ObjectIdentifier($0.value)) }
    frameworks = frameworks.filter { !$0.value.tasks.isEmpty || $0.value.generation >= snapshotGeneration }
  }
}

/// The tasks that go by one name in one framework.
struct MesosName: Hashable, Sendable {
  var framework: String
  var name: String
  /// The name as mesos-dns mangles it.
  var label: String
  /// The framework as DNS labels.
  var frameworkLabel: String
}

struct MesosChanges {
  var names: [MesosName] = []
  var vips: Set<VipKey> = []

  var isEmpty: Bool { names.isEmpty && vips.isEmpty }
}

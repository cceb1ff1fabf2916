import MeshBase
import Net

/// Apps come, change and go; their tasks do so one step at a time. None of these waits.
extension ClusterModel {
  /// Adds an app without tasks; `launch` starts them.
  @discardableResult
  public func add(_ plan: AppPlan) -> SimApp {
    precondition(appsByID[plan.id] == nil, "\(plan.id) is an app already")
    let app = SimApp(plan, version: nextVersion())
    appIDs.append(plan.id)
    appsByID[plan.id] = app
    changes += 1
    tell(.appPosted(app))
    return app
  }

  /// Adds an app with all of its tasks running and healthy.
  @discardableResult
  public func addRunning(_ plan: AppPlan) throws -> SimApp {
    let app = add(plan)
    for _ in 0..<plan.instances {
      let task = try launch(app)
      try start(task)
      if plan.checks > 0 { setHealth(task, alive: true) }
    }
    return app
  }

  /// So many apps `/<word>/<word>/svc-00000` of so many running tasks, of every network mode (with `backends`: of host
  /// networking, whose tasks can be reached). Only the tasks of the first `reachable` apps really listen.
  public func generate(
    apps count: Int, tasksPerApp: Int, reachable: Int = .max, checks: Int = 0, checkProtocol: String = "HTTP"
  ) throws {
    let words = Self.words
    let agentCount = max(4, count * tasksPerApp / 100)
    while agents.count < agentCount { addAgent() }
    let modes: [NetworkMode] = [.host, .host, .bridge, .bridge, .container]
    let listening = backends
    defer { backends = listening }
    for number in 0..<count {
      backends = number < reachable ? listening : nil
      let digits = String(number)
      let name = "svc-" + String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
      let mode = backends == nil ? modes[number % modes.count] : .host
      var labels: KeyValues = ["team": words[number % words.count]]
      if number % 3 == 0 {
        labels.pairs.append(.init(key: "HAPROXY_GROUP", value: number % 6 == 0 ? "external" : "internal"))
        labels.pairs.append(.init(key: "HAPROXY_0_VHOST", value: "\(name).example"))
      }
      let port = SimPort(
        name: "http", servicePort: 100 + number % 60_000, isMapped: mode != .container,
        labels: number % 4 == 0 ? ["VIP_0": "/\(name):80"] : [:])
      let plan = AppPlan(
        "/\(words[number % words.count])/\(words[number / words.count % words.count])/\(name)", mode: mode,
        ports: [port], labels: labels, checks: checks, checkProtocol: checkProtocol, instances: tasksPerApp)
      try addRunning(plan)
    }
  }

  private static let words = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "heron", "inlet", "jetty", "kelp", "larch", "marsh",
    "north", "onyx", "pearl", "quill", "ridge", "shoal", "thorn", "umber", "vale", "wharf", "xenon", "yarrow", "zephyr",
  ]

  /// Kills what is left of it; the app itself is gone at once.
  public func remove(app id: String) {
    guard let app = appsByID[id] else { return }
    for task in app.tasks { end(task, as: .killed) }
    appsByID[id] = nil
    appIDs.removeAll { $0 == id }
    changes += 1
    tell(.appTerminated(id))
  }

  public func setLabels(_ labels: KeyValues, of app: SimApp) {
    app.plan.labels = labels
    app.version = nextVersion()
    didChange(app)
    tell(.appPosted(app))
  }

  /// A new version of the definition; tasks that run keep the version they were launched with.
  public func post(_ app: SimApp, instances: Int? = nil) {
    if let instances { app.instances = instances }
    app.version = nextVersion()
    didChange(app)
    tell(.appPosted(app))
  }

  func nextVersion() -> String {
    now += 1_000
    return SimTime.text(now)
  }

  // MARK: Tasks

  /// Stages a task: it has its place and ports, and nothing listens there yet.
  @discardableResult
  public func launch(_ app: SimApp, on wanted: SimAgent? = nil) throws -> SimTask {
    let agent = wanted ?? nextFreeAgent()
    let plan = app.plan
    let underscored = plan.id.dropFirst().replacing("/", with: "_")
    let id = plan.isLegacy ? "\(underscored).\(uuid())" : "\(underscored).instance-\(uuid())._app.1"
    var ports: [Int] = []
    if plan.mode != .ipAddress {
      for _ in 0..<plan.ports.count(where: \.isMapped) { ports.append(try nextHostPort(on: agent)) }
    }
    let task = SimTask(
      id: id, appID: plan.id, name: plan.id.split(separator: "/").reversed().joined(separator: "."),
      frameworkID: marathon.id, agentID: agent.id, host: agent.hostname, hostPorts: ports, version: app.version,
      stagedAt: now)
    task.isLegacy = plan.isLegacy
    task.servicePorts = plan.ports.map(\.servicePort)
    task.labels = plan.labels.pairs.map { ($0.key, $0.value) }
    task.isCheckedByMesos = plan.checks > 0 && plan.checkProtocol.hasPrefix("MESOS")
    task.discovery = MesosText.discovery(plan, task)
    task.container = MesosText.container(plan, task)
    app.tasks.append(task)
    tasksByID[id] = task
    tasksByFramework[task.frameworkID, default: []].append(task)
    didChange(task)
    tell(.task(task, isNew: true))
    return task
  }

  /// The task runs. `listens`: its ports take connections from now on; otherwise `listen` makes them do so.
  public func start(_ task: SimTask, listens: Bool = true) throws {
    task.startedAt = now
    if listens { try listen(task) }
    let mode = task.appID.flatMap { appsByID[$0] }?.plan.mode ?? .host
    if task.addresses.isEmpty {
      task.addresses = [mode == .host ? agent(task.agentID)?.ip ?? task.host : containerAddress(mode)]
    }
    set(task, .running)
  }

  public func listen(_ task: SimTask) throws {
    guard let backends, let agent = agent(task.agentID) else { return }
    for port in task.hostPorts {
      guard let address = SocketAddress(ip: agent.ip, port: UInt16(port)) else { continue }
      try backends.open(at: address, task: task.id, version: task.version)
    }
  }

  /// Its process is gone: connections are refused from now on, those in use are reset. Nobody has been told yet.
  public func stopListening(_ task: SimTask) {
    guard let backends, let agent = agent(task.agentID) else { return }
    for port in task.hostPorts {
      if let address = SocketAddress(ip: agent.ip, port: UInt16(port)) { backends.close(address) }
    }
  }

  /// A state that is not terminal.
  public func set(_ task: SimTask, _ state: TaskState) {
    precondition(!state.isTerminal, "see end(_:as:)")
    task.state = state
    task.statuses.append(.init(state: state, timestamp: SimTime.seconds(now), addresses: task.addresses))
    if task.statuses.count > 3 { task.statuses.removeFirst() }
    didChange(task)
    tell(.task(task, isNew: false))
  }

  /// Marathon asks the task to end; it serves on until `end`.
  public func beginKill(_ task: SimTask) { set(task, .killing) }

  /// The task has ended and is forgotten.
  public func end(_ task: SimTask, as state: TaskState) {
    precondition(state.isTerminal, "see set(_:_:)")
    stopListening(task)
    task.state = state
    task.statuses.append(.init(state: state, timestamp: SimTime.seconds(now), addresses: task.addresses))
    didChange(task)
    if let id = task.appID { appsByID[id]?.tasks.removeAll { $0 === task } }
    tasksByID[task.id] = nil
    tasksByFramework[task.frameworkID]?.removeAll { $0 === task }
    tell(.task(task, isNew: false))
  }

  // MARK: Health

  /// The verdict of every check of the task, as Marathon or Mesos sees it from now on.
  public func setHealth(_ task: SimTask, alive: Bool, consecutiveFailures: Int? = nil) {
    let checks = task.appID.flatMap { appsByID[$0] }?.plan.checks ?? 1
    setHealth(task, Array(repeating: alive, count: max(checks, 1)), consecutiveFailures: consecutiveFailures)
  }

  /// The verdicts of its checks; fewer than there are: the others have not reported.
  public func setHealth(_ task: SimTask, _ verdicts: [Bool], consecutiveFailures: Int? = nil) {
    task.health = verdicts.map { .init(isAlive: $0, consecutiveFailures: $0 ? 0 : consecutiveFailures ?? 1) }
    if task.isCheckedByMesos {
      task.statuses.append(
        .init(
          state: task.state, timestamp: SimTime.seconds(now), addresses: task.addresses,
          isHealthy: verdicts.allSatisfy { $0 }))
      if task.statuses.count > 3 { task.statuses.removeFirst() }
    }
    didChange(task)
    tell(.health(task, isAlive: verdicts.allSatisfy { $0 }))
    if task.isCheckedByMesos { tell(.task(task, isNew: false)) }
  }

  /// As after a change of Marathon's leader: no task has a result any more, and nobody is told so.
  public func loseHealthResults() {
    for app in apps {
      for task in app.tasks {
        guard let health = task.health else { continue }
        lostHealth[task.id] = health
        task.health = nil
        didChange(task)
      }
    }
  }

  /// The results that were lost come back; `share` of them at a time if it is less than 1.
  public func refillHealthResults(share: Double = 1) {
    for app in apps {
      for task in app.tasks {
        guard let health = lostHealth[task.id], random.unit() < share else { continue }
        lostHealth[task.id] = nil
        guard task.health == nil else { continue }
        task.health = health
        didChange(task)
        tell(.health(task, isAlive: health.allSatisfy(\.isAlive)))
      }
    }
    if share >= 1 { lostHealth = [:] }
  }

  // MARK: Agents

  /// The agent is cut off: its tasks become unreachable, then the master drops it. Their processes live on or do not.
  public func lose(agent id: String, processesDie: Bool = false) {
    update(agent: id) { $0.isLost = true }
    for task in tasksByID.values.filter({ $0.agentID == id }).sorted(by: { $0.id < $1.id }) {
      if processesDie { stopListening(task) }
      set(task, .unreachable)
    }
    tell(.agentRemoved(id))
  }

  /// The agent is back with all of its tasks.
  public func recover(agent id: String) throws {
    update(agent: id) { $0.isLost = false }
    if let agent = agent(id) { tell(.agentAdded(agent)) }
    for task in tasksByID.values.filter({ $0.agentID == id && $0.state == .unreachable }).sorted(by: { $0.id < $1.id })
    {
      try listen(task)
      set(task, .running)
    }
  }
}

import MeshBase

/// What is held of one app: Marathon's last answer, what events have told since, and what must not be forgotten.
///
/// An answer may be older than an event, half-loaded, or without the health results that were there before. So the end
/// of a task is believed at once from an event, and from an answer that has as many tasks as there should be; what is
/// merely missing stays for a while. A task that has proven itself stays so when its results vanish.
///
/// Pure: clocks are handed in.
struct MarathonRecord: Sendable {
  /// Definition and tasks as merged.
  private(set) var app: MarathonApp
  let policy: MarathonHealthPolicy
  /// Tasks that have passed their checks, by id.
  private var proven: Set<String> = []
  /// What events told of tasks.
  private var told: [String: (state: MarathonTask.State, at: MonotonicInstant)] = [:]
  /// Since when answers lack a task that nobody said had ended.
  private var missing: [String: MonotonicInstant] = [:]

  /// How long a task that is merely missing stays.
  static let missingMilliseconds: UInt64 = 30_000
  /// A task that ended does not come back; late answers and events may still name it.
  private static let endedMilliseconds: UInt64 = 600_000
  /// What an event told of a task that goes on counts against answers for so long.
  private static let toldMilliseconds: UInt64 = 60_000

  init(_ answer: MarathonApp, policy: MarathonHealthPolicy) {
    self.policy = policy
    app = answer
    prove()
  }

  /// Whether tasks are kept that answers lack: another answer is needed.
  var isHolding: Bool { !missing.isEmpty }

  // MARK: Answers

  /// Takes an answer to a request that was sent at `asked`.
  ///
  /// - Returns: whether anything has changed.
  mutating func accept(_ answer: MarathonApp, asked: MonotonicInstant, now: MonotonicInstant) -> Bool {
    forgetOld(now)
    let before = app
    let known = Dictionary(app.tasks.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    var next = answer
    next.tasks = answer.tasks.compactMap { task in
      var task = task
      if let told = told[task.id] {
        switch told.state {
        case .ended: return nil
        case .killing: task.state = .killing
        case .running, .starting, .unreachable: if told.at > asked { task.state = told.state }
        }
      }
      // Fewer results than before: they are being collected anew.
      if let old = known[task.id], task.health.reported < old.health.reported,
        answer.checks == app.checks
      {
        task.health = old.health
      }
      return task.state == .ended ? nil : task
    }
    let present = Set(next.tasks.map(\.id))
    missing = missing.filter { !present.contains($0.key) }
    let serving = next.tasks.count { $0.state == .running || $0.state == .starting }
    let isComplete = answer.instances.map { serving >= $0 } ?? false
    for task in app.tasks where !present.contains(task.id) {
      if keeps(task, isComplete: isComplete, asked: asked, now: now) {
        next.tasks.append(task)
      } else {
        missing[task.id] = nil
      }
    }
    app = next
    prove()
    let ids = Set(app.tasks.map(\.id))
    proven.formIntersection(ids)
    return app != before
  }

  private mutating func keeps(
    _ task: MarathonTask, isComplete: Bool, asked: MonotonicInstant, now: MonotonicInstant
  )
    -> Bool
  {
    if let told = told[task.id] {
      if told.state == .ended { return false }
      if told.at > asked { return true }
      // It was being killed, and is gone.
      if told.state == .killing { return false }
    }
    if isComplete || task.state == .starting || task.state == .killing { return false }
    let since = missing[task.id] ?? now
    missing[task.id] = since
    return now.nanoseconds(since: since) < Self.missingMilliseconds * 1_000_000
  }

  /// Marathon says that there is no such app, and nobody has deleted it: whether to believe it by now.
  mutating func acceptAbsence(now: MonotonicInstant) -> Bool {
    for task in app.tasks where missing[task.id] == nil { missing[task.id] = now }
    return app.tasks.allSatisfy {
      now.nanoseconds(since: missing[$0.id] ?? now) >= Self.missingMilliseconds * 1_000_000
    }
  }

  private mutating func prove() {
    for task in app.tasks where policy.hasProven(task.health, app.checks) && task.state == .running {
      proven.insert(task.id)
    }
  }

  private mutating func forgetOld(_ now: MonotonicInstant) {
    if told.isEmpty { return }
    told = told.filter { _, told in
      let age = now.nanoseconds(since: told.at) / 1_000_000
      return age < (told.state == .ended ? Self.endedMilliseconds : Self.toldMilliseconds)
    }
  }

  // MARK: Events

  /// Takes what an event tells of the app. `needsPull`: it is not all there is to know.
  mutating func apply(_ change: MarathonEvent.Change, now: MonotonicInstant) -> (
    changed: Bool, needsPull: Bool
  ) {
    switch change {
    case .task(let task): return apply(task, now)
    case .instance(let id, let state): return apply(id, state, now)
    case .health(let id, let isGood, let isWhole):
      return apply(id, isGood: isGood, isWhole: isWhole)
    case .kill(let id):
      _ = apply(id, .killing, now)
      return (true, true)
    case .definition, .deployment, .terminated: return (false, true)
    case .attached, .reregistered, .ignored, .unknown: return (false, false)
    }
  }

  private mutating func apply(_ task: MarathonTask, _ now: MonotonicInstant) -> (
    changed: Bool, needsPull: Bool
  ) {
    if told[task.id]?.state == .ended { return (false, false) }
    if told[task.id]?.state == .killing, task.state != .ended { return (false, false) }
    told[task.id] = (task.state, now)
    missing[task.id] = nil
    let place = app.tasks.firstIndex { $0.id == task.id }
    switch task.state {
    case .ended:
      guard let place else { return (false, false) }
      app.tasks.remove(at: place)
      return (true, true)
    case .killing, .unreachable:
      guard let place else { return (false, true) }
      let changed = app.tasks[place].state != task.state
      app.tasks[place].state = task.state
      return (changed, true)
    case .starting:
      if place == nil { app.tasks.append(task) }
      return (false, false)
    case .running:
      guard let place else {
        app.tasks.append(task)
        if app.checks.count == 0 { proven.insert(task.id) }
        return (true, true)
      }
      let before = app.tasks[place]
      app.tasks[place].state = .running
      if !task.host.isEmpty { app.tasks[place].host = task.host }
      if !task.ports.isEmpty { app.tasks[place].ports = task.ports }
      if !task.addresses.isEmpty { app.tasks[place].addresses = task.addresses }
      return (app.tasks[place] != before, app.tasks[place] != before)
    }
  }

  /// Of an instance, whose tasks are named after it.
  private mutating func apply(_ id: String, _ state: MarathonTask.State, _ now: MonotonicInstant)
    -> (changed: Bool, needsPull: Bool)
  {
    var changed = false
    var found = false
    for place in app.tasks.indices.reversed() where app.tasks[place].isNamed(id) {
      found = true
      let task = app.tasks[place]
      if task.state == state || task.state == .killing && state != .ended { continue }
      // An instance that runs has a task that runs, of which another event tells more.
      if state == .running || state == .starting { continue }
      changed = true
      told[task.id] = (state, now)
      if state == .ended { app.tasks.remove(at: place) } else { app.tasks[place].state = state }
    }
    if found { return (changed, changed) }
    return (false, state == .running)
  }

  private mutating func apply(_ id: String, isGood: Bool?, isWhole: Bool) -> (
    changed: Bool, needsPull: Bool
  ) {
    guard let isGood, let place = app.tasks.firstIndex(where: { $0.isNamed(id) }) else {
      return (false, true)
    }
    let count = app.checks.count
    var health = app.tasks[place].health
    if isGood {
      // One of several checks does not tell of the others.
      guard isWhole || count <= 1 else { return (false, true) }
      health = MarathonTask.Health(reported: count, alive: count, passed: count)
    } else {
      health.reported = max(health.reported, 1)
      health.alive = min(health.alive, max(0, min(count, health.reported) - 1))
      health.failuresInARow = max(health.failuresInARow, 1)
    }
    let changed = health != app.tasks[place].health
    app.tasks[place].health = health
    if policy.hasProven(health, app.checks) { proven.insert(app.tasks[place].id) }
    return (changed, !isGood || isWhole && count > 1)
  }

  // MARK: Endpoints

  /// Whether the port has an endpoint that takes new requests.
  func hasEndpoints(portIndex: Int, nowSeconds: Int64) -> Bool {
    guard app.ports.indices.contains(portIndex) else { return false }
    let port = app.ports[portIndex]
    return app.tasks.contains { task in
      let tier = policy.tier(
        task, app.checks, isProven: proven.contains(task.id), nowSeconds: nowSeconds)
      return (tier == .live || tier == .lastResort) && !app.addresses(of: task, at: port).isEmpty
    }
  }

  /// The endpoints of one port, in the order of the tasks. Those of the last resort have a weight only where no live
  /// one is; those that drain have none.
  func endpoints(portIndex: Int, nowSeconds: Int64) -> [HostEntry] {
    guard app.ports.indices.contains(portIndex) else { return [] }
    let port = app.ports[portIndex]
    var found: [(task: MarathonTask, tier: EndpointTier, addresses: [(host: String, port: UInt16)])] = []
    for task in app.tasks {
      let isProven = proven.contains(task.id)
      guard let tier = policy.tier(task, app.checks, isProven: isProven, nowSeconds: nowSeconds)
      else { continue }
      let addresses = app.addresses(of: task, at: port)
      if !addresses.isEmpty { found.append((task, tier, addresses)) }
    }
    let hasLive = found.contains { $0.tier == .live }
    return found.map { task, tier, addresses in
      var metadata = ["tier": tier.rawValue, "task": task.id]
      if !task.agent.isEmpty { metadata["agent"] = task.agent }
      if !task.version.isEmpty { metadata["version"] = task.version }
      if let zone = task.zone { metadata["zone"] = zone }
      if addresses.count > 1 {
        metadata["alternates"] = addresses.dropFirst()
          .map { "\($0.host.contains(":") ? "[\($0.host)]" : $0.host):\($0.port)" }.joined(
            separator: ",")
      }
      return HostEntry(
        host: addresses[0].host, port: addresses[0].port, weight: tier.weight(hasLive: hasLive), metadata: metadata)
    }
  }
}

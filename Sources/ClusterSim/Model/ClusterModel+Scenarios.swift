import MeshBase
import Net

/// How long the steps of a task's life take.
public struct Pace: Sendable {
  /// From the offer to TASK_RUNNING.
  public var stagingMilliseconds: UInt64
  /// From TASK_RUNNING until its port takes connections: those that come earlier are refused.
  public var bootMilliseconds: UInt64
  /// From there to the first good health check.
  public var healthMilliseconds: UInt64
  /// From TASK_KILLING to its end; it serves until then.
  public var killingMilliseconds: UInt64

  public init(staging: UInt64 = 50, boot: UInt64 = 20, health: UInt64 = 50, killing: UInt64 = 200) {
    stagingMilliseconds = staging
    bootMilliseconds = boot
    healthMilliseconds = health
    killingMilliseconds = killing
  }
}

/// What takes its time.
extension ClusterModel {
  /// A task from its launch to its first good health check.
  @discardableResult
  public func bringUp(_ app: SimApp, pace: Pace = Pace()) async throws -> SimTask {
    let task = try launch(app)
    try await ControlActor.sleep(milliseconds: pace.stagingMilliseconds)
    try start(task, listens: pace.bootMilliseconds == 0)
    if pace.bootMilliseconds > 0 {
      try await ControlActor.sleep(milliseconds: pace.bootMilliseconds)
      try listen(task)
    }
    if app.plan.checks > 0 {
      try await ControlActor.sleep(milliseconds: pace.healthMilliseconds)
      setHealth(task, alive: true)
    }
    return task
  }

  /// A task from TASK_KILLING to its end.
  public func takeDown(_ task: SimTask, pace: Pace = Pace()) async throws {
    beginKill(task)
    try await ControlActor.sleep(milliseconds: pace.killingMilliseconds)
    end(task, as: .killed)
  }

  /// As many tasks as are wanted, `atATime` of them in one step.
  public func scale(_ app: SimApp, to instances: Int, atATime: Int = 5, pace: Pace = Pace()) async throws {
    post(app, instances: instances)
    try await deployment(of: app) {
      while app.tasks.count < instances {
        try await self.together(min(atATime, instances - app.tasks.count)) { _ in
          try await self.bringUp(app, pace: pace)
        }
      }
      while app.tasks.count > instances {
        let old = Array(app.tasks.prefix(min(atATime, app.tasks.count - instances)))
        try await self.together(old.count) { try await self.takeDown(old[$0], pace: pace) }
      }
    }
  }

  /// Every task is replaced by one of a new version: new ones come up first, then as many old ones are killed.
  public func rollingDeploy(
    _ app: SimApp, atATime: Int = 5, pace: Pace = Pace(), progress: ((_ new: Int, _ old: Int) -> Void)? = nil
  ) async throws {
    post(app)
    let version = app.version
    try await deployment(of: app) {
      while true {
        let old = Array(app.tasks.filter { $0.version != version && $0.state == .running }.prefix(atATime))
        if old.isEmpty { break }
        try await self.together(old.count) { _ in try await self.bringUp(app, pace: pace) }
        try await self.together(old.count) { try await self.takeDown(old[$0], pace: pace) }
        progress?(app.tasks.count { $0.version == version }, app.tasks.count { $0.version != version })
      }
    }
  }

  /// A task is killed without notice and replaced, so many times.
  public func flap(_ app: SimApp, times: Int, pace: Pace = Pace()) async throws {
    for _ in 0..<times {
      guard !app.tasks.isEmpty else { return }
      let task = app.tasks[random.below(app.tasks.count)]
      end(task, as: .failed)
      try await bringUp(app, pace: pace)
    }
  }

  /// One task gives way to another in one step, with nothing in between: what a load of changes is made of.
  @discardableResult
  public func replaceTask(of app: SimApp) throws -> SimTask {
    let task = try launch(app)
    try start(task)
    if app.plan.checks > 0 { setHealth(task, alive: true) }
    if let old = app.tasks.first, old !== task { end(old, as: .killed) }
    return task
  }

  private func deployment(of app: SimApp, _ body: @ControlActor () async throws -> Void) async throws {
    let id = uuid()
    app.deployments.append(id)
    didChange(app)
    tell(.deploymentStarted(id: id, apps: [app.id]))
    var succeeds = false
    defer {
      app.deployments.removeAll { $0 == id }
      didChange(app)
      tell(.deploymentEnded(id: id, apps: [app.id], succeeds: succeeds))
    }
    try await body()
    succeeds = true
  }

  private func together(_ count: Int, _ body: @escaping @ControlActor @Sendable (Int) async throws -> Void) async throws
  {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<count { group.addTask { try await body(index) } }
      try await group.waitForAll()
    }
  }
}

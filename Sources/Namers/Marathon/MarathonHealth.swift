/// Which tasks of an app get traffic.
public enum MarathonHealthPolicy: String, Sendable, CaseIterable {
  /// Every running task: the balancer finds out who fails.
  case off
  /// Running tasks that have passed every check once, until one fails as often as Marathon would tolerate.
  case fresh
  /// Running tasks of which every check's last result is a pass.
  case strict
  /// Running tasks of which one check's last result is a pass, as marathon-lb has it.
  case any
}

extension MarathonHealthPolicy {
  /// Whether the task's results alone show that it can serve. Kept by the caller for as long as the task is known:
  /// results vanish when Marathon's leader changes, and that says nothing about the task.
  func hasProven(_ health: MarathonTask.Health, _ checks: MarathonApp.Checks) -> Bool {
    switch self {
    case .off: true
    case .any: checks.count == 0 || health.passed > 0
    case .fresh, .strict: health.passed >= checks.count
    }
  }

  /// `nil`: no traffic.
  ///
  /// - Parameter isProven: `hasProven` held now or before.
  func tier(
    _ task: MarathonTask, _ checks: MarathonApp.Checks, isProven: Bool, nowSeconds: Int64
  ) -> EndpointTier? {
    switch task.state {
    case .starting, .ended: return nil
    case .killing: return .draining
    case .unreachable: return .lastResort
    case .running: break
    }
    if self == .off || checks.count == 0 { return .live }
    guard isProven else {
      // A task in its grace period waits. One that has run for long without any result is of a Marathon that has just
      // lost them all, and of a router that was not there before.
      let isLong =
        task.startedSeconds > 0 && nowSeconds - task.startedSeconds > checks.patienceSeconds + 60
      return task.health.reported == 0 && isLong ? .lastResort : nil
    }
    let isFailing =
      switch self {
      case .off: false
      case .fresh: task.health.failuresInARow >= checks.failuresMax
      case .strict: task.health.alive < task.health.reported
      case .any: task.health.reported > 0 && task.health.alive == 0
      }
    return isFailing ? .lastResort : .live
  }
}

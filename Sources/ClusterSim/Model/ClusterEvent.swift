/// What the schedulers tell those who listen.
enum ClusterEvent {
  /// `isNew`: launched just now.
  case task(SimTask, isNew: Bool)
  /// A verdict of Marathon's checks; `nil`: it is not known any more.
  case health(SimTask, isAlive: Bool?)
  case appPosted(SimApp)
  case appTerminated(String)
  case deploymentStarted(id: String, apps: [String])
  case deploymentEnded(id: String, apps: [String], succeeds: Bool)
  case agentAdded(SimAgent)
  case agentRemoved(String)
  case frameworkAdded(SimFramework)
  case frameworkRemoved(SimFramework)
}

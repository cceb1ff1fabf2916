import Net

/// A task as both schedulers know it. Confined to the control thread.
@ControlActor
public final class SimTask {
  /// One result of Marathon's own health checks.
  public struct HealthResult: Sendable, Equatable {
    public var isAlive: Bool
    public var consecutiveFailures = 0

    public init(isAlive: Bool, consecutiveFailures: Int = 0) {
      self.isAlive = isAlive
      self.consecutiveFailures = consecutiveFailures
    }
  }

  /// A status update as the master has stored it.
  struct Status: Sendable {
    var state: TaskState
    /// Seconds since 1970.
    var timestamp: Double
    var addresses: [String]
    /// Of checks that Mesos makes; `nil`: the update said nothing about it.
    var isHealthy: Bool?
  }

  public nonisolated let id: String
  /// The Marathon app it is of; `nil` for tasks of other frameworks.
  public nonisolated let appID: String?
  /// What Mesos calls it: for an app `/a/b` it is `b.a`.
  public nonisolated let name: String
  public nonisolated let frameworkID: String
  public internal(set) var agentID: String
  public internal(set) var host: String
  public internal(set) var state: TaskState
  /// On the agent, in the order of the app's mapped ports.
  public internal(set) var hostPorts: [Int]
  /// Of its container or of its agent; none while it is staged.
  public internal(set) var addresses: [String]
  /// The app's version it was launched with.
  public internal(set) var version: String
  public internal(set) var stagedAt: UInt64
  public internal(set) var startedAt: UInt64?
  /// One per check that has reported; `nil`: the member is left out.
  public internal(set) var health: [HealthResult]?
  var statuses: [Status] = []
  var labels: [(key: String, value: String)] = []
  /// JSON text, the same in both of the master's forms.
  var discovery: String?
  var container: String?
  var isCheckedByMesos = false
  var isLegacy = false
  var servicePorts: [Int] = []
  /// What a fixture said about it, until something about it changes.
  var marathonText: String?
  var stateText: String?
  var operatorText: String?

  init(
    id: String, appID: String?, name: String, frameworkID: String, agentID: String, host: String,
    state: TaskState = .staging, hostPorts: [Int] = [], addresses: [String] = [], version: String, stagedAt: UInt64
  ) {
    self.id = id
    self.appID = appID
    self.name = name
    self.frameworkID = frameworkID
    self.agentID = agentID
    self.host = host
    self.state = state
    self.hostPorts = hostPorts
    self.addresses = addresses
    self.version = version
    self.stagedAt = stagedAt
  }

  /// `a_b.instance-<uuid>` of `a_b.instance-<uuid>._app.1`.
  public nonisolated var instanceID: String {
    guard let range = id.firstRange(of: "._app") else { return id }
    return String(id[..<range.lowerBound])
  }

  func forgetTexts() {
    marathonText = nil
    stateText = nil
    operatorText = nil
  }
}

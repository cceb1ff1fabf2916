/// States of a task, with the words of Marathon and Mesos.
public enum TaskState: String, Sendable, CaseIterable {
  case staging = "TASK_STAGING"
  case starting = "TASK_STARTING"
  case running = "TASK_RUNNING"
  case killing = "TASK_KILLING"
  case unreachable = "TASK_UNREACHABLE"
  case lost = "TASK_LOST"
  case finished = "TASK_FINISHED"
  case failed = "TASK_FAILED"
  case killed = "TASK_KILLED"
  case error = "TASK_ERROR"
  case dropped = "TASK_DROPPED"
  case gone = "TASK_GONE"
  case goneByOperator = "TASK_GONE_BY_OPERATOR"
  case unknown = "TASK_UNKNOWN"

  /// Nothing follows: the task is forgotten.
  public var isTerminal: Bool {
    switch self {
    case .staging, .starting, .running, .killing, .unreachable, .unknown: false
    case .lost, .finished, .failed, .killed, .error, .dropped, .gone, .goneByOperator: true
    }
  }

  /// `Running` for TASK_RUNNING: the word of `instance_changed_event`.
  var condition: String {
    switch self {
    case .staging: "Staging"
    case .starting: "Starting"
    case .running: "Running"
    case .killing: "Killing"
    case .unreachable: "Unreachable"
    case .lost: "Unreachable"
    case .finished: "Finished"
    case .failed: "Failed"
    case .killed: "Killed"
    case .error: "Error"
    case .dropped: "Dropped"
    case .gone, .goneByOperator: "Gone"
    case .unknown: "Unknown"
    }
  }
}

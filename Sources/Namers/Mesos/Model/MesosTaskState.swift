/// What a task is doing, in Mesos' words.
enum MesosTaskState: UInt8, Sendable {
  case staging, starting, running, killing
  /// Its agent does not answer the master; the task may well be alive.
  case unreachable
  case finished, failed, killed, error, lost, dropped, gone, goneByOperator
  /// `TASK_UNKNOWN`, and words of later versions.
  case unknown

  init(_ text: some StringProtocol) {
    switch text {
    case "TASK_STAGING": self = .staging
    case "TASK_STARTING": self = .starting
    case "TASK_RUNNING": self = .running
    case "TASK_KILLING": self = .killing
    case "TASK_UNREACHABLE": self = .unreachable
    case "TASK_FINISHED": self = .finished
    case "TASK_FAILED": self = .failed
    case "TASK_KILLED": self = .killed
    case "TASK_ERROR": self = .error
    case "TASK_LOST": self = .lost
    case "TASK_DROPPED": self = .dropped
    case "TASK_GONE": self = .gone
    case "TASK_GONE_BY_OPERATOR": self = .goneByOperator
    default: self = .unknown
    }
  }

  /// It will not run again: there is no other word of a task's end.
  var isTerminal: Bool {
    switch self {
    case .finished, .failed, .killed, .error, .lost, .dropped, .gone, .goneByOperator: true
    case .staging, .starting, .running, .killing, .unreachable, .unknown: false
    }
  }
}

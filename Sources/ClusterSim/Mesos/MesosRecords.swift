import MeshBase
import Net

/// Changes of the model as events of the operator API.
@ControlActor
enum MesosRecords {
  /// RecordIO: the length in decimal, LF, so many bytes.
  static func frame(_ record: [UInt8]) -> [UInt8] { Array("\(record.count)\n".utf8) + record }

  static func record(for change: ClusterEvent) -> String? {
    switch change {
    case .task(let task, true):
      return event("TASK_ADDED") { $0.member("task", raw: MesosText.operatorTask(task)) }
    case .task(let task, false):
      return event("TASK_UPDATED") { json in
        MesosText.wrapped(&json, "framework_id", task.frameworkID)
        if let status = task.statuses.last { json.member("status", raw: MesosText.status(task, status)) }
        json.member("state", task.state.rawValue)
      }
    case .agentAdded(let agent):
      return event("AGENT_ADDED") { $0.member("agent", raw: MesosText.operatorAgent(agent)) }
    case .agentRemoved(let id): return event("AGENT_REMOVED") { MesosText.wrapped(&$0, "agent_id", id) }
    case .frameworkAdded(let framework):
      return event("FRAMEWORK_ADDED") { $0.member("framework", raw: MesosText.operatorFramework(framework)) }
    case .frameworkRemoved(let framework):
      return event("FRAMEWORK_REMOVED") { $0.member("framework_info", raw: MesosText.frameworkInfo(framework)) }
    case .health, .appPosted, .appTerminated, .deploymentStarted, .deploymentEnded: return nil
    }
  }

  private static func event(_ type: String, _ body: (inout JSONText) -> Void) -> String {
    var json = JSONText()
    json.object { json in
      json.member("type", type)
      json.key(type.lowercased())
      json.object(body)
    }
    return json.text
  }
}

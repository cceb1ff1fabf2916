/// One event of Marathon's stream, of either generation of names.
struct MarathonEvent: Equatable, Sendable {
  enum Change: Equatable, Sendable {
    /// The stream is open.
    case attached
    /// Marathon has found its agents anew: health results may vanish.
    case reregistered
    /// What a task is now; its health is not told.
    case task(MarathonTask)
    case instance(id: String, MarathonTask.State)
    /// `nil`: not known. `isWhole`: of all checks together, else of one.
    case health(id: String, isGood: Bool?, isWhole: Bool)
    /// Marathon is about to kill it.
    case kill(id: String)
    /// The app's definition was changed, or a deployment touches it.
    case definition
    /// A deployment by its id, which later events of it may name alone.
    case deployment(id: String, isOver: Bool)
    case terminated
    /// Nothing that routing depends on.
    case ignored
    /// A type that is not known.
    case unknown
  }

  var type: String
  /// The apps it is about, as far as it names them.
  var apps: [String]
  var change: Change

  /// - Parameter name: the stream's `event` field; the data name the type as well.
  init(name: String, data: Span<UInt8>) throws(JSONError) {
    var fields = Fields()
    var reader = JSONReader(data)
    try fields.read(&reader)
    type = name == "message" || name.isEmpty ? fields.type : name
    apps = fields.app.map { [$0] } ?? []
    switch type {
    case "event_stream_attached": change = .attached
    case "status_update_event":
      var task = fields.task
      task.id = fields.taskID ?? ""
      change = task.id.isEmpty ? .definition : .task(task)
    case "instance_changed_event":
      change = .instance(id: fields.instance, MarathonTask.State(fields.condition))
    case "health_status_changed_event":
      change = .health(id: fields.instance, isGood: fields.alive, isWhole: false)
    case "instance_health_changed_event":
      change = .health(id: fields.instance, isGood: fields.healthy, isWhole: true)
    case "failed_health_check_event":
      change = .health(id: fields.instance, isGood: nil, isWhole: false)
    case "unhealthy_task_kill_event", "unhealthy_instance_kill_event":
      change = .kill(id: fields.instance)
    case "api_post_event": change = .definition
    case "app_terminated_event": change = .terminated
    case "unknown_instance_terminated_event", "unknown_task_terminated_event": change = .definition
    case "deployment_info", "deployment_step_success", "deployment_step_failure",
      "deployment_success",
      "deployment_failed":
      apps = fields.deployedApps
      change = .deployment(
        id: fields.deployment, isOver: type == "deployment_success" || type == "deployment_failed")
    case "scheduler_registered_event", "scheduler_reregistered_event": change = .reregistered
    case "group_change_success", "group_change_failed", "event_stream_detached",
      "scheduler_disconnected_event",
      "subscribe_event", "unsubscribe_event", "framework_message_event", "add_health_check_event",
      "remove_health_check_event", "pod_created_event", "pod_updated_event", "pod_deleted_event",
      "":
      apps = []
      change = .ignored
    default:
      apps = []
      change = .unknown
    }
  }

  /// Members of any event, by what they mean.
  private struct Fields {
    var type = ""
    var app: String?
    var taskID: String?
    var instanceID: String?
    var condition = ""
    var alive: Bool?
    var healthy: Bool?
    var task = MarathonTask(
      id: "", host: "", state: .starting, ports: [], addresses: [], version: "", agent: "")
    var id = ""
    var planID: String?
    var deployedApps: [String] = []

    var instance: String { taskID ?? instanceID ?? "" }
    var deployment: String { planID ?? id }

    mutating func read(_ reader: inout JSONReader) throws(JSONError) {
      guard try reader.beginObject() else { return }
      while try reader.nextKey() {
        if reader.isKey("eventType") {
          type = try reader.string() ?? ""
        } else if reader.isKey("appId") || reader.isKey("runSpecId") {
          app = try reader.string()
        } else if reader.isKey("taskId") {
          taskID = try reader.string()
        } else if reader.isKey("instanceId") {
          instanceID = try reader.string()
        } else if reader.isKey("taskStatus") {
          task.state = MarathonTask.State(try reader.string() ?? "")
        } else if reader.isKey("condition") {
          condition = try reader.string() ?? ""
        } else if reader.isKey("host") {
          task.host = try reader.string() ?? ""
        } else if reader.isKey("ports") {
          task.ports = try reader.ports()
        } else if reader.isKey("ipAddresses") {
          task.addresses = try MarathonTask.addresses(&reader)
        } else if reader.isKey("slaveId") {
          task.agent = try reader.string() ?? ""
        } else if reader.isKey("version") {
          task.version = try reader.string() ?? ""
        } else if reader.isKey("alive") {
          alive = try reader.boolean()
        } else if reader.isKey("healthy") {
          healthy = try reader.boolean()
        } else if reader.isKey("id") {
          id = try reader.peek() == .string ? reader.string() ?? "" : ""
        } else if reader.isKey("appDefinition"), try reader.beginObject() {
          while try reader.nextKey() { if reader.isKey("id") { app = try reader.string() } }
        } else if reader.isKey("plan"), try reader.beginObject() {
          while try reader.nextKey() {
            if reader.isKey("id") {
              planID = try reader.string()
            } else if reader.isKey("steps") {
              try readSteps(&reader)
            }
          }
        }
      }
    }

    private mutating func readSteps(_ reader: inout JSONReader) throws(JSONError) {
      guard try reader.beginArray() else { return }
      while try reader.nextElement() {
        guard try reader.beginObject() else { continue }
        while try reader.nextKey() {
          guard reader.isKey("actions"), try reader.beginArray() else { continue }
          while try reader.nextElement() {
            guard try reader.beginObject() else { continue }
            while try reader.nextKey() {
              if reader.isKey("app"), let app = try reader.string(), !deployedApps.contains(app) {
                deployedApps.append(app)
              }
            }
          }
        }
      }
    }
  }
}

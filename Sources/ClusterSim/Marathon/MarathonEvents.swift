import MeshBase
import Net

/// Which events a Marathon sends about a change.
public enum EventGeneration: Sendable, CaseIterable {
  /// Up to 1.3: tasks only, whose health is told by task id.
  case tasks
  /// 1.4 and later: tasks and instances, each change twice.
  case both
  /// Instances only, which 1.4 announced for later.
  case instances
}

/// Changes of the model as Marathon's events: name and text of the data line.
@ControlActor
struct MarathonEvents {
  let generation: EventGeneration
  let model: ClusterModel

  /// `event: X CRLF data: {...} CRLF CRLF`.
  static func frame(_ event: String, _ data: String) -> [UInt8] {
    Array("event: \(event)\r\ndata: \(data)\r\n\r\n".utf8)
  }

  private var time: String { SimTime.text(model.now) }

  private func event(_ name: String, _ body: (inout JSONText) -> Void) -> (name: String, data: String) {
    var json = JSONText()
    json.object { json in
      body(&json)
      json.member("eventType", name)
      json.member("timestamp", time)
    }
    return (name, json.text)
  }

  func attached(_ peer: String) -> (name: String, data: String) {
    event("event_stream_attached") { $0.member("remoteAddress", peer) }
  }

  func events(for change: ClusterEvent) -> [(name: String, data: String)] {
    switch change {
    case .task(let task, _): return task.appID.map { events(for: task, of: $0) } ?? []
    case .health(let task, let isAlive): return task.appID.map { health(task, of: $0, isAlive: isAlive) } ?? []
    case .appPosted(let app):
      let definition = MarathonText.app(app, tasks: nil)
      return [
        event("api_post_event") {
          $0.member("clientIp", "10.40.9.1")
          $0.member("uri", "/v2/apps" + app.id)
          $0.member("appDefinition", raw: definition)
        }
      ]
    case .appTerminated(let id): return [event("app_terminated_event") { $0.member("appId", id) }]
    case .deploymentStarted(let id, let apps): return [event("deployment_info") { plan(&$0, id, apps) }]
    case .deploymentEnded(let id, let apps, let succeeds):
      return [
        event("deployment_step_\(succeeds ? "success" : "failure")") { plan(&$0, id, apps) },
        event(succeeds ? "deployment_success" : "deployment_failed") { json in
          json.member("id", id)
          // Old versions name nothing but the deployment.
          if generation != .tasks { plan(&json, id, apps) }
        },
      ]
    case .agentAdded, .agentRemoved, .frameworkAdded, .frameworkRemoved: return []
    }
  }

  private func events(for task: SimTask, of appID: String) -> [(name: String, data: String)] {
    var events: [(name: String, data: String)] = []
    if generation != .instances {
      events.append(
        event("status_update_event") { json in
          json.member("slaveId", task.agentID)
          json.member("taskId", task.id)
          json.member("taskStatus", task.state.rawValue)
          json.member("message", "")
          json.member("appId", appID)
          json.member("host", task.host)
          json.key("ipAddresses")
          json.array(task.addresses) { json, address in
            json.object {
              $0.member("ipAddress", address)
              $0.member("protocol", address.contains(":") ? "IPv6" : "IPv4")
            }
          }
          json.key("ports")
          json.array(task.hostPorts) { $0.element(raw: String($1)) }
          json.member("version", task.version)
        })
    }
    if generation != .tasks {
      events.append(
        event("instance_changed_event") { json in
          json.member("instanceId", task.instanceID)
          json.member("condition", task.state.condition)
          json.member("runSpecId", appID)
          json.member("agentId", task.agentID)
          json.member("host", task.host)
          json.member("runSpecVersion", task.version)
        })
    }
    return events
  }

  private func health(_ task: SimTask, of appID: String, isAlive: Bool?) -> [(name: String, data: String)] {
    var events: [(name: String, data: String)] = []
    if generation != .instances, let isAlive {
      events.append(
        event("health_status_changed_event") { json in
          json.member("appId", appID)
          if generation == .tasks {
            json.member("taskId", task.id)
          } else {
            json.member("instanceId", task.instanceID)
          }
          json.member("version", task.version)
          json.member("alive", isAlive)
        })
    }
    if generation != .tasks {
      events.append(
        event("instance_health_changed_event") { json in
          json.member("instanceId", task.instanceID)
          json.member("runSpecId", appID)
          json.member("healthy", raw: isAlive.map(String.init) ?? "null")
          json.member("runSpecVersion", task.version)
        })
    }
    return events
  }

  private func plan(_ json: inout JSONText, _ id: String, _ apps: [String]) {
    // Up to 1.3 the kind of an action is its `type`.
    let kind = generation == .tasks ? "type" : "action"
    func step(_ json: inout JSONText) {
      json.object { json in
        json.key("actions")
        json.array(apps) { json, app in
          json.object {
            $0.member(kind, "ScaleApplication")
            $0.member("app", app)
          }
        }
      }
    }
    json.key("plan")
    json.object { json in
      json.member("id", id)
      json.member("version", time)
      json.key("steps")
      json.array([0]) { json, _ in step(&json) }
    }
    json.key("currentStep")
    step(&json)
  }
}

import MeshBase
import Net

/// Agents, frameworks and tasks as the Mesos master writes them: flat in `/state`, wrapped in the operator API.
@ControlActor
enum MesosText {
  // MARK: What both forms share

  /// Marathon's discovery information for a new task.
  static func discovery(_ plan: AppPlan, _ task: SimTask) -> String {
    var json = JSONText()
    json.object { json in
      json.member("visibility", "FRAMEWORK")
      json.member("name", task.name)
      json.key("ports")
      json.object { json in
        json.key("ports")
        json.array(discovered(plan, task)) { json, entry in
          json.object { json in
            json.member("number", UInt64(entry.number))
            json.member("protocol", entry.protocolName)
            if let name = entry.port.name { json.member("name", name) }
            if !entry.labels.isEmpty {
              json.key("labels")
              labels(&json, entry.labels, wrapped: true)
            }
          }
        }
      }
    }
    return json.text
  }

  private struct Discovered {
    var port: SimPort
    var number: Int
    var protocolName: String
    var labels: [(key: String, value: String)]
  }

  private static func discovered(_ plan: AppPlan, _ task: SimTask) -> [Discovered] {
    var free = task.hostPorts[...]
    var entries: [Discovered] = []
    for port in plan.ports {
      var labels = port.labels.pairs.map { (key: $0.key, value: $0.value) }
      let number: Int
      switch plan.mode {
      case .host:
        guard let first = free.popFirst() else { continue }
        number = first
      case .ipAddress: number = port.containerPort
      case .bridge, .container:
        if port.isMapped {
          guard let first = free.popFirst() else { continue }
          number = first
          labels.append(("network-scope", "host"))
        } else {
          number = port.containerPort
          labels += [("network-scope", "container"), ("network-name", plan.network)]
        }
      }
      for name in port.protocolName.split(separator: ",") {
        entries.append(Discovered(port: port, number: number, protocolName: String(name), labels: labels))
      }
    }
    return entries
  }

  /// `nil` for host networking.
  static func container(_ plan: AppPlan, _ task: SimTask) -> String? {
    guard plan.mode != .host else { return nil }
    var free = task.hostPorts[...]
    var mapped: [(host: Int, container: Int, protocolName: String)] = []
    for port in plan.ports where port.isMapped && plan.mode != .ipAddress {
      guard let host = free.popFirst() else { continue }
      for name in port.protocolName.split(separator: ",") { mapped.append((host, port.containerPort, String(name))) }
    }
    var json = JSONText()
    json.object { json in
      json.member("type", "MESOS")
      json.key("network_infos")
      json.array([plan.mode == .bridge ? "mesos-bridge" : plan.network]) { json, name in
        json.object { json in
          json.member("name", name)
          if mapped.isEmpty { return }
          json.key("port_mappings")
          json.array(mapped) { json, mapping in
            json.object {
              $0.member("host_port", UInt64(mapping.host))
              $0.member("container_port", UInt64(mapping.container))
              $0.member("protocol", mapping.protocolName)
            }
          }
        }
      }
    }
    return json.text
  }

  private static func labels(_ json: inout JSONText, _ labels: [(key: String, value: String)], wrapped: Bool) {
    func list(_ json: inout JSONText) {
      json.array(labels) { json, label in
        json.object {
          $0.member("key", label.key)
          $0.member("value", label.value)
        }
      }
    }
    if wrapped {
      json.object {
        $0.key("labels")
        list(&$0)
      }
    } else {
      list(&json)
    }
  }

  private static func networks(_ json: inout JSONText, _ addresses: [String]) {
    json.array([addresses]) { json, addresses in
      json.object { json in
        json.key("ip_addresses")
        json.array(addresses) { json, address in
          json.object {
            $0.member("protocol", address.contains(":") ? "IPv6" : "IPv4")
            $0.member("ip_address", address)
          }
        }
      }
    }
  }

  private static func containerStatus(_ json: inout JSONText, _ task: SimTask, _ addresses: [String]) {
    json.object { json in
      json.key("container_id")
      json.object { $0.member("value", "container-" + task.id) }
      if !addresses.isEmpty {
        json.key("network_infos")
        networks(&json, addresses)
      }
    }
  }

  private static func tail(_ json: inout JSONText, _ task: SimTask) {
    if let discovery = task.discovery { json.member("discovery", raw: discovery) }
    if let container = task.container { json.member("container", raw: container) }
    if task.isCheckedByMesos {
      json.member(
        "health_check",
        raw: #"{"type":"HTTP","http":{"scheme":"http","path":"/health"},"interval_seconds":10.0,"#
          + #""timeout_seconds":5.0,"grace_period_seconds":60.0,"consecutive_failures":3}"#)
    }
  }

  // MARK: /state

  static func stateTask(_ task: SimTask) -> String {
    if let text = task.stateText { return text }
    var json = JSONText()
    json.object { json in
      json.member("id", task.id)
      json.member("name", task.name)
      json.member("framework_id", task.frameworkID)
      json.member("executor_id", "")
      json.member("slave_id", task.agentID)
      json.member("state", task.state.rawValue)
      let ports = task.hostPorts.map { "\($0)-\($0)" }.joined(separator: ", ")
      json.member(
        "resources",
        raw: #"{"disk":0.0,"gpus":0.0,"mem":128.0,"cpus":0.25"# + (ports.isEmpty ? "}" : #","ports":"[\#(ports)]"}"#))
      json.member("role", "*")
      json.key("statuses")
      json.array(task.statuses) { json, status in
        json.object { json in
          json.member("state", status.state.rawValue)
          json.member("timestamp", status.timestamp)
          json.key("container_status")
          containerStatus(&json, task, status.addresses)
          if let isHealthy = status.isHealthy { json.member("healthy", isHealthy) }
        }
      }
      if !task.labels.isEmpty {
        json.key("labels")
        labels(&json, task.labels, wrapped: false)
      }
      tail(&json, task)
    }
    return json.text
  }

  static func stateAgent(_ agent: SimAgent) -> String {
    var json = JSONText()
    json.object { json in
      json.member("id", agent.id)
      json.member("hostname", agent.hostname)
      json.member("port", UInt64(5_051))
      json.member("attributes", raw: "{}")
      json.member("pid", "slave(1)@\(agent.ip):5051")
      json.member("active", !agent.isLost)
      json.member("deactivated", false)
      json.member("version", "1.9.0")
      json.member("capabilities", raw: #"["MULTI_ROLE","HIERARCHICAL_ROLE","RESERVATION_REFINEMENT"]"#)
    }
    return json.text
  }

  /// Members of a framework in `/state` before its tasks, without braces.
  static func stateFramework(_ framework: SimFramework) -> String {
    var json = JSONText()
    json.object { json in
      json.member("id", framework.id)
      json.member("name", framework.name)
      if !framework.isHTTP { json.member("pid", "scheduler-\(framework.id)@127.0.0.1:8081") }
      json.member("hostname", framework.hostname)
      json.member("webui_url", "http://\(framework.hostname):8080")
      json.member("active", true)
      json.member("connected", true)
      json.member("recovered", false)
      json.member("user", "root")
    }
    return String(json.text.dropFirst().dropLast())
  }

  // MARK: The operator API

  static func operatorTask(_ task: SimTask) -> String {
    if let text = task.operatorText { return text }
    var json = JSONText()
    json.object { json in
      json.member("name", task.name)
      wrapped(&json, "task_id", task.id)
      wrapped(&json, "framework_id", task.frameworkID)
      wrapped(&json, "agent_id", task.agentID)
      json.member("state", task.state.rawValue)
      let ranges = task.hostPorts.sorted().map { #"{"begin":\#($0),"end":\#($0)}"# }.joined(separator: ",")
      let scalar = { (name: String, value: String) in
        #"{"name":"\#(name)","type":"SCALAR","scalar":{"value":\#(value)},"allocation_info":{"role":"*"}}"#
      }
      var resources = [scalar("cpus", "0.25"), scalar("mem", "128.0")]
      if !ranges.isEmpty {
        resources.append(
          #"{"name":"ports","type":"RANGES","allocation_info":{"role":"*"},"ranges":{"range":[\#(ranges)]}}"#)
      }
      json.key("resources")
      json.array(resources) { $0.element(raw: $1) }
      if let last = task.statuses.last {
        json.key("statuses")
        json.array(task.statuses) { $0.element(raw: status(task, $1)) }
        json.member("status_update_state", last.state.rawValue)
      }
      if !task.labels.isEmpty {
        json.key("labels")
        labels(&json, task.labels, wrapped: true)
      }
      tail(&json, task)
    }
    return json.text
  }

  static func status(_ task: SimTask, _ status: SimTask.Status) -> String {
    var json = JSONText()
    json.object { json in
      wrapped(&json, "task_id", task.id)
      json.member("state", status.state.rawValue)
      json.member("source", "SOURCE_EXECUTOR")
      wrapped(&json, "agent_id", task.agentID)
      wrapped(&json, "executor_id", task.id)
      json.member("timestamp", status.timestamp)
      json.key("container_status")
      containerStatus(&json, task, status.addresses)
      if let isHealthy = status.isHealthy {
        json.member("healthy", isHealthy)
        json.member("reason", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")
      }
    }
    return json.text
  }

  static func operatorAgent(_ agent: SimAgent) -> String {
    var json = JSONText()
    json.object { json in
      json.key("agent_info")
      info(&json, agent)
      json.member("active", !agent.isLost)
      json.member("version", "1.9.0")
      json.member("pid", "slave(1)@\(agent.ip):5051")
      json.member("registered_time", raw: #"{"nanoseconds":1473854400000000000}"#)
      json.member("capabilities", raw: #"[{"type":"MULTI_ROLE"},{"type":"HIERARCHICAL_ROLE"}]"#)
    }
    return json.text
  }

  /// As `recovered_agents` lists them: without what only a registered agent has told.
  static func recoveredAgent(_ agent: SimAgent) -> String {
    var json = JSONText()
    info(&json, agent)
    return json.text
  }

  private static func info(_ json: inout JSONText, _ agent: SimAgent) {
    json.object { json in
      json.member("hostname", agent.hostname)
      json.member("port", UInt64(5_051))
      wrapped(&json, "id", agent.id)
    }
  }

  static func operatorFramework(_ framework: SimFramework) -> String {
    var json = JSONText()
    json.object { json in
      json.member("framework_info", raw: frameworkInfo(framework))
      json.member("active", true)
      json.member("connected", true)
      json.member("recovered", false)
    }
    return json.text
  }

  static func frameworkInfo(_ framework: SimFramework) -> String {
    var json = JSONText()
    json.object { json in
      json.member("user", "root")
      json.member("name", framework.name)
      wrapped(&json, "id", framework.id)
      json.member("hostname", framework.hostname)
      json.member("webui_url", "http://\(framework.hostname):8080")
      json.member("capabilities", raw: #"[{"type":"TASK_KILLING_STATE"},{"type":"PARTITION_AWARE"}]"#)
    }
    return json.text
  }

  static func wrapped(_ json: inout JSONText, _ name: String, _ value: String) {
    json.key(name)
    json.object { $0.member("value", value) }
  }
}

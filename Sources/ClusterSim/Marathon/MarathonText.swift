import MeshBase
import Net

/// Apps and tasks as Marathon's REST API writes them: 1.5 and later, and the older shapes of legacy apps.
@ControlActor
enum MarathonText {
  /// Members of an app that change here; the rest of a fixture's definition is kept as it stood.
  static let changing: Set<String> = [
    "instances", "labels", "version", "versionInfo", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy",
    "deployments", "tasks",
  ]

  static func app(_ app: SimApp, tasks: [SimTask]?) -> String {
    var json = JSONText()
    json.object { json in
      json.member("id", app.id)
      if let definition = app.definition {
        for member in definition { json.member(member.name, raw: member.value.json) }
      } else {
        define(app.plan, &json)
      }
      json.member("instances", UInt64(app.instances))
      json.member("labels", raw: app.plan.labels.json)
      json.member("version", app.version)
      json.key("versionInfo")
      json.object {
        $0.member("lastScalingAt", app.version)
        $0.member("lastConfigChangeAt", app.version)
      }
      let running = app.tasks.filter { $0.state == .running }
      let counts: [(String, Int)] = [
        ("tasksStaged", app.tasks.count { $0.state == .staging || $0.state == .starting }),
        ("tasksRunning", running.count),
        ("tasksHealthy", running.count { isHealthy($0, checks: app.plan.checks) }),
        ("tasksUnhealthy", running.count { $0.health?.contains { !$0.isAlive } ?? false }),
      ]
      for (name, count) in counts { json.member(name, UInt64(count)) }
      json.key("deployments")
      json.array(app.deployments) { json, id in json.object { $0.member("id", id) } }
      if let tasks {
        json.key("tasks")
        json.array(tasks) { $0.element(raw: task($1)) }
      }
    }
    return json.text
  }

  private static func isHealthy(_ task: SimTask, checks: Int) -> Bool {
    guard checks > 0, let results = task.health else { return false }
    return results.count >= checks && results.allSatisfy(\.isAlive)
  }

  static func task(_ task: SimTask) -> String {
    if let text = task.marathonText { return text }
    var json = JSONText()
    json.object { json in
      json.member("id", task.id)
      json.member("appId", task.appID)
      json.member("slaveId", task.agentID)
      json.member("host", task.host)
      json.member("state", task.state.rawValue)
      json.key("ports")
      json.array(task.state.isTerminal ? [] : task.hostPorts) { $0.element(raw: String($1)) }
      json.key("ipAddresses")
      json.array(task.addresses) { json, address in
        json.object {
          $0.member("ipAddress", address)
          $0.member("protocol", address.contains(":") ? "IPv6" : "IPv4")
        }
      }
      if !task.servicePorts.isEmpty {
        json.key("servicePorts")
        json.array(task.servicePorts) { $0.element(raw: String($1)) }
      }
      json.member("stagedAt", SimTime.text(task.stagedAt))
      if let startedAt = task.startedAt { json.member("startedAt", SimTime.text(startedAt)) }
      if !task.state.isTerminal { json.member("version", task.version) }
      if let health = task.health {
        json.key("healthCheckResults")
        json.array(health) { result(&$0, $1, task) }
      }
      if !task.isLegacy {
        json.member("localVolumes", raw: "[]")
        json.member("role", "*")
      }
    }
    return json.text
  }

  private static func result(_ json: inout JSONText, _ result: SimTask.HealthResult, _ task: SimTask) {
    let started = task.startedAt ?? task.stagedAt
    json.object { json in
      json.member("alive", result.isAlive)
      json.member("consecutiveFailures", UInt64(result.consecutiveFailures))
      json.member("firstSuccess", SimTime.text(started + 20_000))
      json.member("lastSuccess", SimTime.text(started + (result.isAlive ? 410_000 : 380_000)))
      json.member("lastFailure", result.isAlive ? nil : SimTime.text(started + 400_000))
      json.member("lastFailureCause", result.isAlive ? nil : "ConnectException: Connection refused")
      json.member(task.isLegacy ? "taskId" : "instanceId", task.isLegacy ? task.id : task.instanceID)
    }
  }

  // MARK: Definitions

  private static func define(_ plan: AppPlan, _ json: inout JSONText) {
    json.member("cmd", plan.mode == .host || plan.mode == .ipAddress ? "exec ./serve" : nil)
    json.member("args", raw: "null")
    json.member("user", raw: "null")
    json.member("env", raw: "{}")
    json.member("cpus", raw: "0.25")
    json.member("mem", raw: "128")
    json.member("disk", raw: "0")
    json.member("gpus", raw: "0")
    json.member("executor", "")
    json.member("constraints", raw: "[]")
    json.member("backoffSeconds", raw: "1")
    json.member("backoffFactor", raw: "1.15")
    json.member("maxLaunchDelaySeconds", raw: "300")
    json.key("healthChecks")
    json.array(Array(0..<plan.checks)) { json, index in
      check(&json, index: min(index, max(plan.ports.count - 1, 0)), plan.checkProtocol)
    }
    json.member("readinessChecks", raw: "[]")
    json.member("dependencies", raw: "[]")
    json.member("upgradeStrategy", raw: #"{"minimumHealthCapacity":1,"maximumOverCapacity":1}"#)
    if plan.isLegacy { legacy(plan, &json) } else { modern(plan, &json) }
  }

  private static func check(_ json: inout JSONText, index: Int, _ kind: String) {
    json.object { json in
      json.member("protocol", kind)
      if !kind.hasSuffix("TCP") { json.member("path", "/health") }
      json.member("portIndex", UInt64(index))
      json.member("gracePeriodSeconds", raw: "60")
      json.member("intervalSeconds", raw: "10")
      json.member("timeoutSeconds", raw: "5")
      json.member("maxConsecutiveFailures", raw: "3")
      if !kind.hasPrefix("MESOS") { json.member("ignoreHttp1xx", false) }
    }
  }

  private static func modern(_ plan: AppPlan, _ json: inout JSONText) {
    json.member("fetch", raw: "[]")
    json.member("requirePorts", false)
    json.member("secrets", raw: "{}")
    json.member("killSelection", "YOUNGEST_FIRST")
    json.member("unreachableStrategy", raw: #"{"inactiveAfterSeconds":0,"expungeAfterSeconds":0}"#)
    json.member("role", "*")
    switch plan.mode {
    case .host:
      json.member("networks", raw: #"[{"mode":"host"}]"#)
      json.key("portDefinitions")
      json.array(plan.ports) { json, port in
        json.object {
          describe(port, &$0)
          $0.member("port", UInt64(port.servicePort))
        }
      }
    case .bridge, .container, .ipAddress:
      json.key("networks")
      json.array([plan.network]) { json, network in
        json.object {
          $0.member("mode", plan.mode == .bridge ? "container/bridge" : "container")
          if plan.mode != .bridge { $0.member("name", network) }
        }
      }
      json.key("container")
      json.object { json in
        json.member("type", "MESOS")
        json.member("volumes", raw: "[]")
        json.key("portMappings")
        json.array(plan.ports) { mapping(&$0, $1) }
        json.key("docker")
        json.object {
          $0.member("image", image(plan))
          $0.member("forcePullImage", false)
          $0.member("pullConfig", raw: "{}")
        }
      }
    }
  }

  private static func legacy(_ plan: AppPlan, _ json: inout JSONText) {
    json.member("uris", raw: "[]")
    json.member("storeUrls", raw: "[]")
    json.member("requirePorts", false)
    json.key("ports")
    json.array(plan.mode == .ipAddress ? [] : plan.ports) { $0.element(raw: String($1.servicePort)) }
    switch plan.mode {
    case .host:
      json.member("container", raw: "null")
      json.member("ipAddress", raw: "null")
      json.key("portDefinitions")
      json.array(plan.ports) { json, port in
        json.object {
          describe(port, &$0)
          $0.member("port", UInt64(port.servicePort))
        }
      }
    case .bridge, .container:
      json.key("container")
      json.object { json in
        json.member("type", "DOCKER")
        json.member("volumes", raw: "[]")
        json.key("docker")
        json.object { json in
          json.member("image", image(plan))
          json.member("network", plan.mode == .bridge ? "BRIDGE" : "USER")
          json.key("portMappings")
          json.array(plan.ports) { mapping(&$0, $1) }
        }
      }
      json.key("ipAddress")
      if plan.mode == .bridge {
        json.value(raw: "null")
      } else {
        json.object {
          $0.member("networkName", plan.network)
          $0.member("discovery", raw: #"{"ports":[]}"#)
        }
      }
    case .ipAddress:
      json.member("container", raw: "null")
      json.member("portDefinitions", raw: "[]")
      json.key("ipAddress")
      json.object { json in
        json.member("groups", raw: "[]")
        json.member("labels", raw: "{}")
        json.member("networkName", plan.network)
        json.key("discovery")
        json.object { json in
          json.key("ports")
          json.array(plan.ports) { json, port in
            json.object {
              describe(port, &$0)
              $0.member("number", UInt64(port.containerPort))
            }
          }
        }
      }
    }
  }

  private static func image(_ plan: AppPlan) -> String {
    "example" + plan.id.replacing(".", with: "-") + ":1"
  }

  private static func describe(_ port: SimPort, _ json: inout JSONText) {
    json.member("protocol", port.protocolName)
    json.member("labels", raw: port.labels.json)
    if let name = port.name { json.member("name", name) }
  }

  private static func mapping(_ json: inout JSONText, _ port: SimPort) {
    json.object { json in
      describe(port, &json)
      json.member("containerPort", UInt64(port.containerPort))
      json.member("servicePort", UInt64(port.servicePort))
      if port.isMapped { json.member("hostPort", UInt64(0)) }
    }
  }
}

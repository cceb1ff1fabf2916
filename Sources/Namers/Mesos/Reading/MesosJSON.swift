import MeshBase

/// Reads what the master says of tasks, agents and frameworks, as `/state` and as the v1 operator API write it: the
/// former has plain ids and lists, the latter wraps both.
enum MesosJSON {
  /// `{"value": "…"}` or `"…"`.
  static func id(_ json: inout JSONReader) throws(JSONError) -> String {
    if try json.peek() != .object { return try json.string() ?? "" }
    var id = ""
    guard try json.beginObject() else { return id }
    while try json.nextKey() { if json.isKey("value") { id = try json.string() ?? "" } }
    return id
  }

  // MARK: Tasks

  static func task(_ bytes: Span<UInt8>) throws(JSONError) -> MesosTaskReport {
    var json = JSONReader(bytes)
    var task = MesosTaskReport()
    var labels: [(key: String, value: String)] = []
    guard try json.beginObject() else { return task }
    while try json.nextKey() {
      if json.isKey("name") {
        task.name = try json.string() ?? ""
      } else if json.isKey("id") || json.isKey("task_id") {
        task.id = try id(&json)
      } else if json.isKey("framework_id") {
        task.frameworkID = try id(&json)
      } else if json.isKey("agent_id") || json.isKey("slave_id") {
        task.agentID = try id(&json)
      } else if json.isKey("state") {
        task.state = MesosTaskState(try json.string() ?? "")
      } else if json.isKey("resources") {
        task.resourcePorts = try ports(&json)
      } else if json.isKey("statuses") {
        try statuses(&json, &task)
      } else if json.isKey("discovery") {
        task.discovery = try discovery(&json)
      } else if json.isKey("container") {
        try container(&json, &task)
      } else if json.isKey("labels") {
        labels = try self.labels(&json) { VipLabel.isVipKey($0.prefix(3)) || $0.lowercased().hasPrefix("vip") }
      } else if json.isKey("health_check") {
        task.isChecked = try json.peek() == .object
      }
    }
    for (key, value) in labels {
      if let index = VipLabel.taskPortIndex(key: key), let label = VipLabel(taskLabel: value) {
        task.vips.append(MesosTaskVip(index: index, label: label))
      }
    }
    return task
  }

  /// The labels with a wanted key: a list of pairs, or that wrapped once more.
  private static func labels(
    _ json: inout JSONReader, where isWanted: (String) -> Bool
  ) throws(JSONError) -> [(key: String, value: String)] {
    var found: [(key: String, value: String)] = []
    if try json.peek() == .object {
      guard try json.beginObject() else { return found }
      while try json.nextKey() {
        if json.isKey("labels") { found = try labels(&json, where: isWanted) }
      }
      return found
    }
    guard try json.beginArray() else { return found }
    while try json.nextElement() {
      var key = ""
      var value = ""
      guard try json.beginObject() else { continue }
      while try json.nextKey() {
        if json.isKey("key") {
          key = try json.string() ?? ""
        } else if json.isKey("value") {
          value = try json.string() ?? ""
        }
      }
      if isWanted(key) { found.append((key, value)) }
    }
    return found
  }

  /// The ports of a task's resources, single: `{"ports": "[31000-31002, 31005-31005]"}` or a list of resources.
  private static func ports(_ json: inout JSONReader) throws(JSONError) -> [UInt16] {
    var ports: [UInt16] = []
    if try json.peek() != .array {
      guard try json.beginObject() else { return ports }
      while try json.nextKey() {
        if json.isKey("ports"), let text = try json.string() { addRanges(text, to: &ports) }
      }
      return ports
    }
    guard try json.beginArray() else { return ports }
    while try json.nextElement() {
      var isPorts = false
      var ranges: [(Int, Int)] = []
      guard try json.beginObject() else { continue }
      while try json.nextKey() {
        if json.isKey("name") {
          isPorts = try json.string() == "ports"
        } else if json.isKey("ranges") {
          ranges = try self.ranges(&json)
        }
      }
      if isPorts { for (begin, end) in ranges { add(begin, end, to: &ports) } }
    }
    return ports
  }

  private static func ranges(_ json: inout JSONReader) throws(JSONError) -> [(Int, Int)] {
    var ranges: [(Int, Int)] = []
    guard try json.beginObject() else { return ranges }
    while try json.nextKey() {
      guard json.isKey("range"), try json.beginArray() else { continue }
      while try json.nextElement() {
        var begin = 0
        var end = 0
        guard try json.beginObject() else { continue }
        while try json.nextKey() {
          if json.isKey("begin") {
            begin = try json.integer() ?? 0
          } else if json.isKey("end") {
            end = try json.integer() ?? 0
          }
        }
        ranges.append((begin, end))
      }
    }
    return ranges
  }

  static func addRanges(_ text: String, to ports: inout [UInt16]) {
    let inner = text.utf8.filter { Ascii.isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ",") }
    for range in inner.split(separator: UInt8(ascii: ",")) {
      let ends = range.split(separator: UInt8(ascii: "-")).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
      if ends.count == 2 { add(ends[0], ends[1], to: &ports) }
    }
  }

  private static func add(_ begin: Int, _ end: Int, to ports: inout [UInt16]) {
    guard begin > 0, begin <= end, end <= 65_535 else { return }
    for port in begin...end where ports.count < MesosTaskReport.portsMax { ports.append(UInt16(port)) }
  }

  // MARK: Statuses

  private static func statuses(_ json: inout JSONReader, _ task: inout MesosTaskReport) throws(JSONError) {
    guard try json.beginArray() else { return }
    var addressesAt = -Double.infinity
    var verdictAt = -Double.infinity
    while try json.nextElement() {
      let status = try status(&json)
      if let addresses = status.addresses, status.timestamp >= addressesAt {
        addressesAt = status.timestamp
        task.addresses = addresses
      }
      if let verdict = status.verdict, status.timestamp >= verdictAt {
        verdictAt = status.timestamp
        task.verdict = verdict
      }
    }
  }

  private struct Status {
    var taskID = ""
    var state = MesosTaskState.unknown
    var timestamp = 0.0
    var addresses: [SocketAddress]?
    var verdict: Bool?
  }

  private static func status(_ json: inout JSONReader) throws(JSONError) -> Status {
    var status = Status()
    guard try json.beginObject() else { return status }
    while try json.nextKey() {
      if json.isKey("task_id") {
        status.taskID = try id(&json)
      } else if json.isKey("state") {
        status.state = MesosTaskState(try json.string() ?? "")
      } else if json.isKey("timestamp") {
        status.timestamp = try json.double() ?? 0
      } else if json.isKey("healthy") {
        status.verdict = try json.boolean()
      } else if json.isKey("container_status"), try json.beginObject() {
        while try json.nextKey() {
          guard json.isKey("network_infos") else { continue }
          let addresses = try self.addresses(&json)
          // None is the same as nothing said.
          if !addresses.isEmpty { status.addresses = addresses }
        }
      }
    }
    return status
  }

  private static func addresses(_ json: inout JSONReader) throws(JSONError) -> [SocketAddress] {
    var found: [SocketAddress] = []
    guard try json.beginArray() else { return found }
    while try json.nextElement() {
      guard try json.beginObject() else { continue }
      while try json.nextKey() {
        if json.isKey("ip_addresses"), try json.beginArray() {
          while try json.nextElement() {
            guard try json.beginObject() else { continue }
            while try json.nextKey() { if json.isKey("ip_address") { try address(&json, &found) } }
          }
        } else if json.isKey("ip_address") {
          // Before Mesos 0.26.
          try address(&json, &found)
        }
      }
    }
    return found
  }

  private static func address(_ json: inout JSONReader, _ found: inout [SocketAddress]) throws(JSONError) {
    guard let text = try json.string(), let address = SocketAddress(ip: text, port: 0), !found.contains(address) else {
      return
    }
    found.append(address)
  }

  /// The body of `task_updated`.
  static func update(_ bytes: Span<UInt8>) throws(JSONError) -> MesosStatusReport {
    var json = JSONReader(bytes)
    var report = MesosStatusReport()
    var inner = Status()
    var outer: MesosTaskState?
    guard try json.beginObject() else { return report }
    while try json.nextKey() {
      if json.isKey("framework_id") {
        report.frameworkID = try id(&json)
      } else if json.isKey("status") {
        inner = try status(&json)
      } else if json.isKey("state"), let text = try json.string() {
        outer = MesosTaskState(text)
      }
    }
    report.taskID = inner.taskID
    report.state = outer ?? inner.state
    report.addresses = inner.addresses
    report.verdict = inner.verdict
    return report
  }

  // MARK: Discovery and networks

  private static func discovery(_ json: inout JSONReader) throws(JSONError) -> MesosDiscovery? {
    var discovery = MesosDiscovery()
    guard try json.beginObject() else { return nil }
    while try json.nextKey() {
      if json.isKey("name") {
        discovery.name = try json.string()
      } else if json.isKey("ports"), try json.beginObject() {
        while try json.nextKey() {
          guard json.isKey("ports"), try json.beginArray() else { continue }
          while try json.nextElement() { discovery.ports.append(try discoveryPort(&json)) }
        }
      }
    }
    return discovery
  }

  private static func discoveryPort(_ json: inout JSONReader) throws(JSONError) -> MesosDiscoveryPort {
    var port = MesosDiscoveryPort()
    guard try json.beginObject() else { return port }
    while try json.nextKey() {
      if json.isKey("number") {
        port.number = try portNumber(&json)
      } else if json.isKey("name") {
        port.name = try json.string()
      } else if json.isKey("protocol") {
        port.isUDP = isUDP(try json.string())
      } else if json.isKey("labels") {
        for (key, value) in try labels(&json, where: { VipLabel.isVipKey($0) || $0 == "network-scope" }) {
          if key != "network-scope" {
            port.vips.append(value)
          } else if value == "host" {
            port.scope = .host
          } else if value == "container" {
            port.scope = .container
          }
        }
      }
    }
    return port
  }

  private static func container(_ json: inout JSONReader, _ task: inout MesosTaskReport) throws(JSONError) {
    guard try json.beginObject() else { return }
    while try json.nextKey() {
      if json.isKey("network_infos"), try json.beginArray() {
        while try json.nextElement() { try network(&json, &task) }
      } else if json.isKey("docker") {
        try network(&json, &task)
      }
    }
  }

  /// A network of a container, or the Docker part of it.
  private static func network(_ json: inout JSONReader, _ task: inout MesosTaskReport) throws(JSONError) {
    guard try json.beginObject() else { return }
    while try json.nextKey() {
      if json.isKey("name") {
        let name = try json.string()
        if name == "mesos-bridge" || name == "bridge" { task.isBridged = true }
      } else if json.isKey("network") {
        if try json.string() == "BRIDGE" { task.isBridged = true }
      } else if json.isKey("port_mappings"), try json.beginArray() {
        while try json.nextElement() {
          var mapping = MesosPortMapping()
          guard try json.beginObject() else { continue }
          while try json.nextKey() {
            if json.isKey("host_port") {
              mapping.hostPort = try portNumber(&json)
            } else if json.isKey("container_port") {
              mapping.containerPort = try portNumber(&json)
            } else if json.isKey("protocol") {
              mapping.isUDP = isUDP(try json.string())
            }
          }
          task.mappings.append(mapping)
        }
      }
    }
  }

  private static func isUDP(_ text: String?) -> Bool { text?.lowercased() == "udp" }

  /// 0 for what is no port.
  private static func portNumber(_ json: inout JSONReader) throws(JSONError) -> UInt16 {
    try json.integer().flatMap { UInt16(exactly: $0) } ?? 0
  }

  // MARK: Agents and frameworks

  /// An agent of `/state` (flat) or of the v1 API (`agent_info` within).
  static func agent(_ bytes: Span<UInt8>) throws(JSONError) -> MesosAgentReport {
    var json = JSONReader(bytes)
    var agent = MesosAgentReport()
    try self.agent(&json, &agent)
    return agent
  }

  private static func agent(_ json: inout JSONReader, _ agent: inout MesosAgentReport) throws(JSONError) {
    guard try json.beginObject() else { return }
    while try json.nextKey() {
      if json.isKey("id") {
        agent.id = try id(&json)
      } else if json.isKey("hostname") {
        agent.hostname = try json.string() ?? ""
      } else if json.isKey("pid") {
        agent.pid = try json.string() ?? ""
      } else if json.isKey("agent_info") {
        try self.agent(&json, &agent)
      }
    }
  }

  /// The body of `agent_removed`.
  static func removedAgent(_ bytes: Span<UInt8>) throws(JSONError) -> String {
    var json = JSONReader(bytes)
    var agent = ""
    guard try json.beginObject() else { return agent }
    while try json.nextKey() { if json.isKey("agent_id") { agent = try id(&json) } }
    return agent
  }

  /// A framework, or the body of an event with `framework_info` or `framework` within.
  static func framework(_ bytes: Span<UInt8>) throws(JSONError) -> MesosFrameworkReport {
    var json = JSONReader(bytes)
    var framework = MesosFrameworkReport()
    try self.framework(&json, &framework)
    return framework
  }

  private static func framework(
    _ json: inout JSONReader, _ framework: inout MesosFrameworkReport
  ) throws(JSONError) {
    guard try json.beginObject() else { return }
    while try json.nextKey() {
      if json.isKey("id") {
        framework.id = try id(&json)
      } else if json.isKey("name") {
        framework.name = try json.string() ?? ""
      } else if json.isKey("webui_url") {
        framework.webURL = try json.string() ?? ""
      } else if json.isKey("framework_info") {
        try self.framework(&json, &framework)
      }
    }
  }
}

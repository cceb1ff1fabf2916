/// What Marathon knows of one app and its tasks, as far as routing needs it; read from any shape that versions 0.x to 1.x
/// answer with. Absent, null and empty are alike.
struct MarathonApp: Equatable, Sendable {
  enum Network: String, Equatable, Sendable {
    case host
    case bridge = "container/bridge"
    /// Each container has an address of its own.
    case container
  }

  struct Checks: Equatable, Sendable {
    var count = 0
    /// Failures in a row after which Marathon gives a task up.
    var failuresMax = 3
    /// How long a task may go without a result: grace period and interval of the slowest check.
    var patienceSeconds: Int64 = 0
  }

  /// Begins with `/`.
  var id = ""
  var version = ""
  var network = Network.host
  var ports: [MarathonPort] = []
  var checks = Checks()
  /// How many tasks there should be; `nil`: not said.
  var instances: Int?
  var tasks: [MarathonTask] = []

  init() {}

  /// Reads an element of `apps`, or what stands behind `app`.
  init(_ reader: inout JSONReader) throws(JSONError) {
    var draft = Draft()
    if try reader.beginObject() {
      while try reader.nextKey() {
        if reader.isKey("id") {
          id = try reader.string() ?? ""
        } else if reader.isKey("version") {
          version = try reader.string() ?? ""
        } else if reader.isKey("instances") {
          instances = try reader.integer()
        } else if reader.isKey("healthChecks") {
          checks = try Self.checks(&reader)
        } else if reader.isKey("tasks") {
          try readTasks(&reader)
        } else {
          try draft.read(&reader)
        }
      }
    }
    network = draft.kind
    ports = draft.ports(network)
    for (slot, value) in draft.taskVips {
      if let index = ports.firstIndex(where: { $0.slot == slot }) { ports[index].taskVips.append(value) }
    }
  }

  /// Reads the answer for one app, `{"app":{…}}`. `nil`: there is none in it.
  init?(answer: Span<UInt8>) throws(JSONError) {
    var reader = JSONReader(answer)
    var found: MarathonApp?
    if try reader.beginObject() {
      while try reader.nextKey() { if reader.isKey("app") { found = try MarathonApp(&reader) } }
    }
    try reader.end()
    guard let found, !found.id.isEmpty else { return nil }
    self = found
  }

  private mutating func readTasks(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginArray() else { return }
    while try reader.nextElement() {
      guard var task = try MarathonTask(&reader) else { continue }
      // Tasks of one version share its text.
      if task.version == version { task.version = version }
      tasks.append(task)
    }
  }

  private static func checks(_ reader: inout JSONReader) throws(JSONError) -> Checks {
    var checks = Checks()
    guard try reader.beginArray() else { return checks }
    checks.failuresMax = 0
    while try reader.nextElement() {
      checks.count += 1
      var failures = 3
      var patience: Int64 = 0
      guard try reader.beginObject() else { continue }
      while try reader.nextKey() {
        if reader.isKey("maxConsecutiveFailures") {
          failures = try reader.integer() ?? 3
        } else if reader.isKey("gracePeriodSeconds") {
          patience += Int64(try reader.integer() ?? 300)
        } else if reader.isKey("intervalSeconds") {
          patience += 2 * Int64(try reader.integer() ?? 60)
        }
      }
      // 0: Marathon never kills for it, which says nothing about routing.
      checks.failuresMax = max(checks.failuresMax, failures > 0 ? failures : 3)
      checks.patienceSeconds = max(checks.patienceSeconds, min(patience, 86_400))
    }
    if checks.count == 0 { checks.failuresMax = 3 }
    return checks
  }

  /// The members that tell network and ports, as they come.
  private struct Draft {
    var networkModes: [String] = []
    var hasIPAddress = false
    var dockerNetwork: String?
    var definitions: [MarathonPort.Draft] = []
    var mappings: [MarathonPort.Draft] = []
    var dockerMappings: [MarathonPort.Draft] = []
    var discovery: [MarathonPort.Draft] = []
    var servicePorts: [Int] = []
    /// Labels such as `vip_port0`, by the port they are about.
    var taskVips: [(slot: Int, value: String)] = []

    mutating func read(_ reader: inout JSONReader) throws(JSONError) {
      if reader.isKey("networks"), try reader.beginArray() {
        while try reader.nextElement() {
          guard try reader.beginObject() else { continue }
          while try reader.nextKey() {
            if reader.isKey("mode"), let mode = try reader.string() { networkModes.append(mode) }
          }
        }
      } else if reader.isKey("portDefinitions") {
        definitions = try MarathonPort.Draft.list(&reader)
      } else if reader.isKey("ports") {
        servicePorts = try reader.integers()
      } else if reader.isKey("labels"), try reader.beginObject() {
        while try reader.nextKey() {
          guard let slot = VipLabel.taskPortIndex(key: reader.key), try reader.peek() == .string else { continue }
          if let value = try reader.string() { taskVips.append((slot, value)) }
        }
        taskVips.sort { ($0.slot, $0.value) < ($1.slot, $1.value) }
      } else if reader.isKey("ipAddress"), try reader.beginObject() {
        hasIPAddress = true
        while try reader.nextKey() {
          guard reader.isKey("discovery"), try reader.beginObject() else { continue }
          while try reader.nextKey() {
            if reader.isKey("ports") { discovery = try MarathonPort.Draft.list(&reader) }
          }
        }
      } else if reader.isKey("container"), try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("portMappings") {
            mappings = try MarathonPort.Draft.list(&reader)
          } else if reader.isKey("docker"), try reader.beginObject() {
            while try reader.nextKey() {
              if reader.isKey("network") {
                dockerNetwork = try reader.string()
              } else if reader.isKey("portMappings") {
                dockerMappings = try MarathonPort.Draft.list(&reader)
              }
            }
          }
        }
      }
    }

    /// `networks` is of Marathon 1.5 and later, and decides where it is there.
    var kind: Network {
      if let mode = networkModes.first { return Network(rawValue: mode) ?? .host }
      switch dockerNetwork {
      case "BRIDGE": return .bridge
      case "USER": return .container
      case "HOST", "NONE": return hasIPAddress ? .container : .host
      default: break
      }
      if hasIPAddress { return .container }
      return mappings.isEmpty && dockerMappings.isEmpty ? .host : .bridge
    }

    func ports(_ network: Network) -> [MarathonPort] {
      let mappings = mappings.isEmpty ? dockerMappings : mappings
      switch network {
      case .host:
        let list =
          definitions.isEmpty
          ? servicePorts.map { MarathonPort.Draft(servicePort: $0) } : definitions
        return list.enumerated().map { $1.port(.agent(slot: $0)) }
      case .bridge: return mappings.enumerated().map { $1.port(.agent(slot: $0)) }
      case .container:
        if mappings.isEmpty {
          return discovery.map { $0.port(.container(number: $0.number, slot: nil)) }
        }
        // A task lists its mapped ports only.
        var slots = 0
        return mappings.map { mapping in
          defer { if mapping.hasHostPort { slots += 1 } }
          return mapping.port(
            .container(number: mapping.number, slot: mapping.hasHostPort ? slots : nil))
        }
      }
    }
  }
}

extension MarathonApp {
  /// Which port a name's `:port` segment means: by name, else by index, else by service port; without one, the first.
  func portIndex(_ selector: String?) -> Int? {
    guard let selector else { return ports.isEmpty ? nil : 0 }
    if let index = ports.firstIndex(where: { $0.name == selector }) { return index }
    guard let number = Int(selector) else { return nil }
    return ports.indices.contains(number) ? number : ports.firstIndex { $0.servicePort == number }
  }

  /// Where a task has a port: the address to use first, and others of the same endpoint behind it; none if it has none.
  func addresses(of task: MarathonTask, at port: MarathonPort) -> [(host: String, port: UInt16)] {
    func onAgent(_ slot: Int) -> [(host: String, port: UInt16)] {
      guard task.ports.indices.contains(slot), task.ports[slot] > 0, !task.host.isEmpty else {
        return []
      }
      return [(task.host, task.ports[slot])]
    }
    switch port.place {
    case .agent(let slot): return onAgent(slot)
    case .container(let number, let slot):
      let mapped = slot.map(onAgent) ?? []
      let number = number > 0 ? number : mapped.first?.port ?? 0
      if number == 0 { return [] }
      return task.addresses.map { ($0, number) } + mapped
    }
  }
}

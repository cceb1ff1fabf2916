import MeshBase

/// A task as the master tells of it whole, in a snapshot or when it is added.
struct MesosTaskReport: Equatable, Sendable {
  var id = ""
  var frameworkID = ""
  var agentID = ""
  var name = ""
  var state = MesosTaskState.unknown
  /// `nil`: the task has no discovery information.
  var discovery: MesosDiscovery?
  /// The `ports` resource, single ports in their order; `portsMax` at most.
  var resourcePorts: [UInt16] = []
  var mappings: [MesosPortMapping] = []
  /// Its network is a bridge of the agent's own: its addresses mean nothing elsewhere.
  var isBridged = false
  /// Task-level VIPs and the places in `resourcePorts` they are about.
  var vips: [MesosTaskVip] = []
  /// Those of the last status that has any, port 0; `nil`: none has.
  var addresses: [SocketAddress]?
  /// Of the last status with a word on it.
  var verdict: Bool?
  /// A health check of the Mesos level is declared.
  var isChecked = false

  /// Of one task; the rest is left out.
  static let portsMax = 1_024

  /// The task's name for those who look for it.
  var serviceName: String {
    if let name = discovery?.name, !name.isEmpty { return name }
    return name
  }
}

struct MesosDiscovery: Equatable, Sendable {
  var name: String?
  var ports: [MesosDiscoveryPort] = []
}

struct MesosDiscoveryPort: Equatable, Sendable {
  enum Scope: UInt8, Sendable { case unstated, host, container }

  var number: UInt16 = 0
  var name: String?
  var isUDP = false
  var scope = Scope.unstated
  /// The values of its VIP labels.
  var vips: [String] = []
}

struct MesosTaskVip: Equatable, Sendable {
  var index: Int
  var label: VipLabel
}

struct MesosPortMapping: Equatable, Sendable {
  var hostPort: UInt16 = 0
  var containerPort: UInt16 = 0
  var isUDP = false
}

/// What has become of a task that is known: what is missing stays as it was.
struct MesosStatusReport: Equatable, Sendable {
  var frameworkID = ""
  var taskID = ""
  /// The outer state, which is newer than that in the status.
  var state = MesosTaskState.unknown
  var addresses: [SocketAddress]?
  var verdict: Bool?
}

struct MesosAgentReport: Equatable, Sendable {
  var id = ""
  var hostname = ""
  /// Such as `slave(1)@10.0.1.7:5051`.
  var pid = ""

  /// Where it listens itself, as the pid says.
  var port: UInt16? { pid.lastIndex(of: ":").flatMap { UInt16(pid[pid.index(after: $0)...]) } }

  /// Its address with port 0: that of the pid, else that of the host name; `nil` if both are names.
  var address: SocketAddress? {
    if let at = pid.lastIndex(of: "@"), let address = SocketAddress(String(pid[pid.index(after: at)...])) {
      return address.withPort(0)
    }
    return SocketAddress(ip: hostname, port: 0)
  }
}

struct MesosFrameworkReport: Equatable, Sendable {
  var id = ""
  var name = ""
  /// Of its own pages; empty: it says none.
  var webURL = ""
}

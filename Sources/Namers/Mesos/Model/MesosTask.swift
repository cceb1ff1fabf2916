import MeshBase

/// A task that the model knows and that has not ended. Confined to its model.
final class MesosTask {
  let id: String
  unowned let workload: MesosWorkload
  var agent: MesosAgent
  /// The newest known.
  var state: MesosTaskState
  /// The last word of its health check, if there was one.
  var verdict: Bool?
  var isChecked: Bool
  var hasDiscovery: Bool
  /// Its own, port 0.
  var addresses: [SocketAddress]
  var ports: [MesosPort]
  /// The last snapshot, or an event since, that told of it.
  var generation: UInt32
  /// Its place in `workload.tasks`.
  var place: Int

  init(_ report: MesosTaskReport, ports: [MesosPort], workload: MesosWorkload, agent: MesosAgent, generation: UInt32) {
    id = report.id
    self.workload = workload
    self.agent = agent
    state = report.state
    verdict = report.verdict
    isChecked = report.isChecked
    hasDiscovery = report.discovery != nil
    addresses = report.addresses ?? []
    self.ports = ports
    self.generation = generation
    place = workload.tasks.count
  }

  /// No check and no complaint, or a check that passes: one that has not spoken yet is not healthy.
  var isHealthy: Bool { verdict ?? !isChecked }

  /// Its agent or its framework has not been heard of: it waits for them.
  var isWaiting: Bool { !agent.isHeardOf || workload.framework.name == nil }

  /// `nil`: not to be used at all. One that is ill, or has not proved its health yet, takes no new requests.
  var tier: EndpointTier? {
    switch state {
    case .running: isHealthy ? .live : .draining
    case .killing: .draining
    case .unreachable: .lastResort
    default: nil
    }
  }
}

/// The tasks of one framework that go by one name.
final class MesosWorkload {
  unowned let framework: MesosFramework
  let name: String
  /// The name as mesos-dns mangles it.
  let label: String
  var tasks: [MesosTask] = []
  /// How many ports of its tasks carry each VIP.
  var vips: [VipLabel: Int] = [:]
  /// Among `MesosModel.changes`.
  var isChanged = false

  init(_ name: String, framework: MesosFramework) {
    self.name = name
    self.framework = framework
    label = DnsText.label(name)
  }
}

final class MesosFramework {
  let id: String
  /// `nil`: tasks of it are known, itself has not been heard of.
  var name: String?
  /// The name as DNS labels; empty while it is not known.
  var label = ""
  /// Where its own pages are; empty: it does not say.
  var webURL = ""
  var tasks: [String: MesosTask] = [:]
  var workloads: [String: MesosWorkload] = [:]
  /// By mangled name; more than one where mangling made them equal.
  var byLabel: [String: [MesosWorkload]] = [:]
  /// The workloads with ports that carry a VIP.
  var byVip: [VipLabel: [MesosWorkload]] = [:]
  var generation: UInt32 = 0

  init(id: String) { self.id = id }
}

final class MesosAgent {
  let id: String
  var hostname = ""
  /// Port 0; `nil`: not known.
  var address: SocketAddress?
  /// Where the agent itself listens; an agent's usual one while that is not told.
  var port: UInt16 = 5_051
  /// It was told of once, not only by its tasks.
  var isHeardOf = false
  /// It was told of, and is not gone.
  var isKnown = false
  /// After a master failover it has not registered again: its tasks are kept as they were.
  var isRecovered = false
  var generation: UInt32 = 0
  /// It has come back: what is not told of again until then is gone.
  var confirmBy: MonotonicInstant?
  /// The generation its tasks must have by then.
  var confirmGeneration: UInt32 = 0

  init(id: String) { self.id = id }

  /// The master tells no address of it, only its name.
  var needsName = false

  /// What people know it by.
  var title: String { hostname.isEmpty ? id : hostname }
}

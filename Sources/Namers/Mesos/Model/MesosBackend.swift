import MeshBase

/// A port of one task as a look-up finds it.
struct MesosBackend {
  /// The best address first; never empty.
  var addresses: [SocketAddress]
  var tier: EndpointTier
  var task: MesosTask
}

/// Which port of a task somebody asks for.
enum MesosPortChoice: Hashable, Sendable {
  case first
  /// By name, else by its place, else by its number.
  case named(String)

  /// The port of this name in `ports`; of entries that differ in the protocol only, the TCP one.
  func port(of ports: [MesosPort]) -> MesosPort? {
    switch self {
    case .first: return Self.best(ports) { $0.index == 0 }
    case .named(let text):
      if let named = Self.best(ports, where: { $0.name == text }) { return named }
      guard let number = UInt16(text) else { return nil }
      return Self.best(ports) { $0.index == number }
        ?? Self.best(ports) { $0.number == number || $0.hostPort == number }
    }
  }

  private static func best(_ ports: [MesosPort], where fits: (MesosPort) -> Bool) -> MesosPort? {
    ports.first { $0.isDeclared && !$0.isUDP && fits($0) } ?? ports.first { $0.isDeclared && fits($0) }
  }
}

extension MesosModel {
  /// The workloads of that name in the frameworks of that name; if there is no such framework or name, those whose names
  /// mesos-dns mangles to the same.
  func workloads(framework: String, name: String) -> [MesosWorkload] {
    let exact = frameworks.values.filter { $0.name == framework }.compactMap { $0.workloads[name] }
    if !exact.isEmpty { return exact }
    let frameworkLabel = DnsText.labels(framework)
    let label = DnsText.label(name)
    let isKnown = frameworks.values.contains { $0.name == framework }
    return frameworks.values.filter { isKnown ? $0.name == framework : $0.name != nil && $0.label == frameworkLabel }
      .flatMap { $0.byLabel[label] ?? [] }
  }

  func backends(_ workloads: [MesosWorkload], port choice: MesosPortChoice) -> [MesosBackend] {
    workloads.flatMap { workload in
      workload.tasks.compactMap { task in choice.port(of: task.ports).flatMap { Self.backend(task, $0) } }
    }
  }

  func backends(of vip: VipKey) -> [MesosBackend] {
    var found: [MesosBackend] = []
    for framework in frameworks.values where framework.name != nil {
      guard let label = vip.label(inFramework: framework.label) else { continue }
      for workload in framework.byVip[label] ?? [] {
        for task in workload.tasks {
          for port in task.ports where port.vips.contains(label) {
            if let backend = Self.backend(task, port) { found.append(backend) }
          }
        }
      }
    }
    return found
  }

  /// The workloads that have ports with the VIP.
  func workloads(of vip: VipKey) -> [MesosWorkload] {
    frameworks.values.filter { $0.name != nil }.flatMap { framework in
      vip.label(inFramework: framework.label).flatMap { framework.byVip[$0] } ?? []
    }
  }

  /// All VIPs, in no order.
  var vips: [VipKey] {
    var keys: Set<VipKey> = []
    for framework in frameworks.values where framework.name != nil {
      for label in framework.byVip.keys { keys.insert(VipKey(label, framework: framework.label)) }
    }
    return Array(keys)
  }

  static func backend(_ task: MesosTask, _ port: MesosPort) -> MesosBackend? {
    guard let tier = task.tier else { return nil }
    let addresses = port.addresses(agent: task.agent.address, task: task.addresses)
    return addresses.isEmpty ? nil : MesosBackend(addresses: addresses, tier: tier, task: task)
  }
}

extension MesosBackend {
  /// Sorted by address, each address once; those of the last resort have weight if there is nothing live.
  static func endpoints(_ backends: [MesosBackend]) -> [Endpoint] {
    let best = backends.sorted { ($0.tier, $0.task.id) < ($1.tier, $1.task.id) }
    let hasLive = best.first?.tier == .live
    var seen: Set<SocketAddress> = []
    var endpoints: [(key: SortKey, endpoint: Endpoint)] = []
    for backend in best where seen.insert(backend.addresses[0]).inserted {
      var metadata = [
        "task": backend.task.id, "agent": backend.task.agent.title, "tier": backend.tier.rawValue,
      ]
      if backend.addresses.count > 1 {
        metadata["alternates"] = backend.addresses.dropFirst().map(\.description).joined(separator: ",")
      }
      let address = backend.addresses[0]
      endpoints.append(
        (SortKey(address), Endpoint(address, weight: backend.tier.weight(hasLive: hasLive), metadata: metadata)))
    }
    return endpoints.sorted { $0.key < $1.key }.map(\.endpoint)
  }

  private struct SortKey: Comparable {
    let high: UInt64
    let low: UInt64
    let port: UInt16

    init(_ address: SocketAddress) {
      high = address.high
      low = address.low
      port = address.port
    }

    static func < (a: Self, b: Self) -> Bool { (a.high, a.low, a.port) < (b.high, b.low, b.port) }
  }
}

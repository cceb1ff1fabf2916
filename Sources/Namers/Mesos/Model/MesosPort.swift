import MeshBase

/// One port of a task, ready for look-ups. Ports of one service are equal but for their numbers, and mostly also in them,
/// so tasks share the arrays of them where they can.
struct MesosPort: Hashable, Sendable {
  enum Place: UInt8, Sendable {
    /// At the agent's address.
    case host
    /// At the task's own addresses.
    case container
    /// At the task's own addresses if it has any, else at the agent's.
    case either
  }

  var name: String?
  /// As it was declared: by discovery information, else by the resource.
  var number: UInt16
  /// 0: not reachable there.
  var hostPort: UInt16 = 0
  /// 0: not reachable there, or of no use to others, as on an agent's own bridge.
  var containerPort: UInt16 = 0
  /// Its place among the ports as an app declares them: entries that differ in the protocol only count once.
  var index: UInt16
  var isUDP: Bool
  var place: Place
  /// Declared, not made up for a task-level VIP.
  var isDeclared = true
  var vips: [VipLabel] = []

  /// Where it is: the best address first, the others behind it. Empty if nothing is known, as for a task whose agent has
  /// not been heard of.
  func addresses(agent: SocketAddress?, task: [SocketAddress]) -> [SocketAddress] {
    let host = hostPort > 0 ? agent.map { [$0.withPort(hostPort)] } ?? [] : []
    let container = containerPort > 0 ? task.map { $0.withPort(containerPort) } : []
    switch place {
    case .host: return host.isEmpty ? [] : host + container.filter { $0 != host[0] }
    case .container: return container.isEmpty ? [] : container + host.filter { !container.contains($0) }
    case .either: return container.isEmpty ? host : container
    }
  }
}

extension MesosTaskReport {
  /// The ports of the task: those of its discovery information, else those of its resources; then those that only a
  /// task-level VIP names.
  var ports: [MesosPort] {
    var ports: [MesosPort] = []
    if let declared = discovery?.ports, !declared.isEmpty {
      ports.reserveCapacity(declared.count)
      for (place, port) in declared.prefix(Self.portsMax).enumerated() {
        ports.append(self.port(port, index: index(of: place, in: declared, ports)))
      }
    } else {
      for (index, number) in resourcePorts.enumerated() {
        let container = isBridged ? 0 : mappings.first { $0.hostPort == number }?.containerPort ?? 0
        ports.append(
          MesosPort(
            name: nil, number: number, hostPort: number, containerPort: container, index: UInt16(index), isUDP: false,
            place: .host))
      }
    }
    for vip in vips where resourcePorts.indices.contains(vip.index) {
      let number = resourcePorts[vip.index]
      if let place = ports.firstIndex(where: {
        $0.hostPort == number && $0.isUDP == vip.label.isUDP && $0.place == .host
      }) {
        if !ports[place].vips.contains(vip.label) { ports[place].vips.append(vip.label) }
      } else {
        ports.append(
          MesosPort(
            name: nil, number: number, hostPort: number, index: UInt16(vip.index), isUDP: vip.label.isUDP, place: .host,
            isDeclared: false, vips: [vip.label]))
      }
    }
    return ports
  }

  /// Entries that differ in the protocol only are one port of the app, which Marathon writes as two.
  private func index(of place: Int, in declared: [MesosDiscoveryPort], _ before: [MesosPort]) -> UInt16 {
    guard let last = before.last else { return 0 }
    let previous = declared[place - 1]
    let port = declared[place]
    let isSame =
      previous.number == port.number && previous.name == port.name && previous.isUDP != port.isUDP
      && !(place > 1 && before[place - 2].index == last.index)
    return isSame ? last.index : last.index + 1
  }

  private func port(_ port: MesosDiscoveryPort, index: UInt16) -> MesosPort {
    var result = MesosPort(name: port.name, number: port.number, index: index, isUDP: port.isUDP, place: .either)
    // A port without a number is nowhere, and keeps its place among the others.
    guard port.number > 0 else { return result }
    for value in port.vips {
      if let label = VipLabel(portLabel: value, isUDP: port.isUDP), !result.vips.contains(label) {
        result.vips.append(label)
      }
    }
    let mapping = mappings.first {
      $0.isUDP == port.isUDP
        && (port.scope != .container && $0.hostPort == port.number
          || port.scope != .host && $0.containerPort == port.number)
    }
    switch port.scope {
    case .host:
      result.place = .host
      result.hostPort = port.number
      result.containerPort = isBridged ? 0 : mapping?.containerPort ?? 0
    case .container:
      result.place = .container
      result.hostPort = mapping?.hostPort ?? 0
      result.containerPort = port.number
    case .unstated:
      if let mapping, mapping.hostPort > 0 {
        result.place = .host
        result.hostPort = mapping.hostPort
        result.containerPort = isBridged ? 0 : mapping.containerPort
      } else {
        result.hostPort = port.number
        result.containerPort = port.number
      }
    }
    return result
  }
}

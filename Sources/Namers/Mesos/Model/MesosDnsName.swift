import MeshBase

/// A name as mesos-dns serves it: `web-shop.marathon.mesos`, `_http._web-shop._tcp.marathon.mesos`, both also with
/// `.slave` before the domain.
struct MesosDnsName: Hashable, Sendable {
  /// The mangled name of an SRV name's port.
  var port: String?
  /// Of an SRV name; `nil`: an address name.
  var isUDP: Bool?
  /// `.slave`: the agent's addresses are meant.
  var isAgent = false
  /// Of an SRV name; `nil`: the body begins with it.
  var task: String?
  /// Without the domain: the framework, of an address name behind the task.
  var body: String

  /// `nil` if it is not in the domain (`mesos`) or has too few parts.
  init?(_ text: String, domain: String) {
    var text = text.lowercased()
    if text.hasSuffix(".") { text.removeLast() }
    guard text.hasSuffix("." + domain) else { return nil }
    text.removeLast(domain.count + 1)
    if text.hasSuffix(".slave") {
      isAgent = true
      text.removeLast(6)
    }
    var parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    if parts[0].hasPrefix("_") {
      if parts.count >= 4, parts[2] == "_tcp" || parts[2] == "_udp" {
        port = String(parts.removeFirst().dropFirst())
      }
      guard parts.count >= 3, parts[0].hasPrefix("_"), parts[1] == "_tcp" || parts[1] == "_udp" else { return nil }
      task = String(parts[0].dropFirst())
      isUDP = parts[1] == "_udp"
      parts.removeFirst(2)
    }
    body = parts.joined(separator: ".")
  }

  /// In lower case and without a dot at the end.
  func written(domain: String) -> String {
    var parts = [body] + (isAgent ? ["slave", domain] : [domain])
    if let task, let isUDP { parts = ["_" + task, isUDP ? "_udp" : "_tcp"] + parts }
    if let port { parts.insert("_" + port, at: 0) }
    return parts.joined(separator: ".")
  }
}

extension MesosModel {
  /// The tasks a name leads to: all whose names are mangled to it, and, without the ambiguity, those with discovery
  /// information that bear it unmangled (`v1.api.shop.marathon.mesos`); else the single task that it names.
  func tasks(_ name: MesosDnsName) -> [MesosTask] {
    var found: [MesosTask] = []
    for framework in frameworks.values where framework.name != nil && !framework.label.isEmpty {
      if let task = name.task {
        if framework.label == name.body { found += (framework.byLabel[task] ?? []).flatMap(\.tasks) }
        continue
      }
      guard name.body.hasSuffix("." + framework.label) else { continue }
      let text = String(name.body.dropLast(framework.label.count + 1))
      let all = workloads(text, of: framework)
      if all.isEmpty, let single = MesosTaskName(text) {
        found += workloads(single.base, of: framework).flatMap(\.tasks).filter(single.names)
      } else {
        found += all.flatMap(\.tasks)
      }
    }
    return found
  }

  /// By a name as mesos-dns mangles it, or one with dots.
  private func workloads(_ name: String, of framework: MesosFramework) -> [MesosWorkload] {
    if !name.utf8.contains(UInt8(ascii: ".")) { return framework.byLabel[name] ?? [] }
    return (framework.byLabel[DnsText.label(name)] ?? []).filter {
      $0.name.lowercased() == name && $0.tasks.contains { $0.hasDiscovery }
    }
  }

  /// The ports an SRV name is about, of all tasks that may be used; for an address name, the chosen port of each.
  func backends(_ name: MesosDnsName, port choice: MesosPortChoice) -> [MesosBackend] {
    let tasks = tasks(name)
    guard let isUDP = name.isUDP else {
      return tasks.compactMap { task in
        choice.port(of: task.ports).flatMap { Self.backend(task, $0) }?.onAgent(name.isAgent)
      }
    }
    return tasks.flatMap { task in
      task.ports
        .filter {
          // Ports that are only a resource have no protocol.
          $0.isDeclared && ($0.isUDP == isUDP || !task.hasDiscovery)
            && (name.port.map { [name = $0.name] port in name.map { DnsText.label($0) } == port } ?? true)
        }
        .compactMap { Self.backend(task, $0)?.onAgent(name.isAgent) }
    }
  }

  /// The addresses (port 0) that mesos-dns would answer: those of the running tasks, of their agents for `.slave` and
  /// for tasks without any.
  func addresses(_ name: MesosDnsName) -> [SocketAddress] {
    var found: Set<SocketAddress> = []
    for task in tasks(name) where task.state == .running {
      if !name.isAgent && !task.addresses.isEmpty {
        found.formUnion(task.addresses)
      } else if let address = task.agent.address {
        found.insert(address)
      }
    }
    return found.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
  }
}

extension MesosBackend {
  /// With `only`, the agent's address alone, if it has the port there.
  fileprivate func onAgent(_ only: Bool) -> MesosBackend? {
    guard only else { return self }
    guard let agent = task.agent.address, let address = addresses.first(where: { $0.withPort(0) == agent }) else {
      return nil
    }
    return MesosBackend(addresses: [address], tier: tier, task: task)
  }
}

import MeshBase
import Net

/// Follows in DNS the agents of which the master tells a host name only.
@ControlActor
final class MesosAgentNames {
  private let model: MesosModel
  private let resolver: Resolver
  /// Called when an agent has got another address.
  var onChange: (@ControlActor () -> Void)?
  /// By the agent's id.
  private var names: [String: (name: DnsName, host: String, token: ObservationToken)] = [:]

  init(model: MesosModel, resolver: Resolver) {
    self.model = model
    self.resolver = resolver
  }

  /// Takes up the agents that are new, and drops those that are gone or have an address of their own now.
  func update() {
    for id in model.takeUnresolved() {
      guard let agent = model.agents[id], agent.needsName, names[id]?.host != agent.hostname else { continue }
      let name = resolver.name(agent.hostname)
      names[id] = (name, agent.hostname, name.observe { [weak self] in self?.answered(id) })
      answered(id)
    }
    guard !names.isEmpty else { return }
    names = names.filter { model.agents[$0.key]?.needsName ?? false }
  }

  private func answered(_ id: String) {
    guard let agent = model.agents[id], let (name, host, _) = names[id], agent.needsName, host == agent.hostname,
      case .addresses(let addresses) = name.answer, let first = addresses.first
    else { return }
    // The one in use stays for as long as it is among them.
    if let known = agent.address, addresses.contains(where: { $0.withPort(0) == known }) { return }
    model.resolved(agent, to: first.withPort(0))
    onChange?()
  }
}

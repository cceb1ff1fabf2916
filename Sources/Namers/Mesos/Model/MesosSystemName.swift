import MeshBase

/// A name that mesos-dns serves for the cluster itself.
enum MesosSystemName: Hashable, Sendable {
  /// `leader.mesos`, `_leader._tcp.mesos`: the master that leads.
  case leader
  /// `master.mesos`: all of them.
  case masters
  /// `master0.mesos`: one of them, in the order of the configuration, or of whoever else tells of them.
  case master(Int)
  /// `slave.mesos`, `_slave._tcp.mesos`: all agents.
  case agents
  /// `marathon.mesos`: the pages of the frameworks whose name is mangled to this one label.
  case framework(String)

  /// It may change with every task that the model hears of.
  var isOfModel: Bool {
    switch self {
    case .agents, .framework: true
    case .leader, .masters, .master: false
    }
  }

  /// `nil`: it is none of these, or not in the domain (`mesos`).
  init?(_ text: String, domain: String) {
    var text = text.lowercased()
    if text.hasSuffix(".") { text.removeLast() }
    guard text.hasSuffix("." + domain) else { return nil }
    text.removeLast(domain.count + 1)
    switch text {
    case "leader", "_leader._tcp": self = .leader
    case "master": self = .masters
    case "slave", "_slave._tcp": self = .agents
    default:
      if text.hasPrefix("master"), let number = UInt16(text.dropFirst("master".count)) {
        self = .master(Int(number))
        return
      }
      guard !text.isEmpty, !text.hasPrefix("_"), !text.contains(".") else { return nil }
      self = .framework(text)
    }
  }
}

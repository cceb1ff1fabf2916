import Config
import Namers
import Net

/// The configured namers, each with what it is made from, so that a reload makes only those that change.
@ControlActor
final class NamerSet {
  struct Member {
    let configuration: Configuration.Namer
    let namer: any Namer
  }

  let registry: NamerRegistry
  private let zooKeepers: ZooKeeperClients
  private var members: [Member] = []

  init(_ configuration: Configuration) throws {
    let resolver = NamerAssembly.resolver(configuration.dns)
    zooKeepers = ZooKeeperClients(resolver: resolver)
    let mesos = try MesosAssembly(configuration.namers, resolver, zooKeepers)
    members = try configuration.namers.map { [zooKeepers] in
      Member(configuration: $0, namer: try NamerAssembly.namer($0, resolver, zooKeepers, mesos))
    }
    registry = NamerRegistry(namers: members.map(\.namer), resolver: resolver)
  }

  /// The members there would be for these settings: those in force where nothing changes. Changes nothing yet.
  ///
  /// Namers over one Mesos or Marathon share what it knows, so they change together.
  func prepare(_ namers: [Configuration.Namer]) throws -> [Member] {
    let keepsClusters = namers.filter(\.isOfCluster) == members.map(\.configuration).filter(\.isOfCluster)
    let mesos = try MesosAssembly(keepsClusters ? [] : namers, registry.resolver, zooKeepers)
    return try namers.map { wanted in
      let known = members.first { $0.configuration == wanted }
      if let known, keepsClusters || !wanted.isOfCluster { return known }
      return Member(
        configuration: wanted, namer: try NamerAssembly.namer(wanted, registry.resolver, zooKeepers, mesos))
    }
  }

  func commit(_ members: [Member]) {
    self.members = members
    registry.replace(with: members.map(\.namer))
  }
}

extension Configuration.Namer {
  fileprivate var isOfCluster: Bool {
    switch kind {
    case .mesos, .marathon, .vip, .mesosDns: true
    default: false
    }
  }
}

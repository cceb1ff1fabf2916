import Config
import Dtab
import Namers
import Net

/// The namers over Mesos clusters and Marathons, by prefix: those of VIPs and of mesos-dns names share what the others know.
@ControlActor
struct MesosAssembly {
  private var clusters: [(prefix: String, cluster: MesosCluster)] = []
  private var marathons: [(prefix: String, namer: MarathonNamer)] = []

  init(_ namers: [Configuration.Namer], _ resolver: Resolver, _ zooKeepers: ZooKeeperClients) throws {
    for namer in namers {
      switch namer.kind {
      case .mesos(let mesos): clusters.append((namer.prefix, try Self.cluster(mesos, resolver, zooKeepers)))
      case .marathon(let marathon):
        let prefix = try Path(parsing: "/#" + namer.prefix)
        marathons.append((namer.prefix, try NamerAssembly.marathon(marathon, prefix, resolver, zooKeepers)))
      default: break
      }
    }
  }

  func namer(_ configuration: Configuration.Namer, at prefix: Path) throws -> any Namer {
    switch configuration.kind {
    case .mesos: return MesosNamer(prefix: prefix, cluster: try cluster(configuration.prefix, for: prefix))
    case .marathon: if let found = marathons.first(where: { $0.prefix == configuration.prefix }) { return found.namer }
    case .vip(let vip):
      let marathon = marathons.first { vip.marathon == nil || $0.prefix == vip.marathon }?.namer
      if vip.mesos == nil, clusters.isEmpty, let marathon {
        return MarathonVipNamer(prefix: prefix, marathon: marathon)
      }
      return VipNamer(prefix: prefix, cluster: try cluster(vip.mesos, for: prefix), marathon: marathon?.prefix)
    case .mesosDns(let dns):
      return MesosDnsNamer(prefix: prefix, domain: dns.domain, cluster: try cluster(dns.mesos, for: prefix))
    default: break
    }
    preconditionFailure("not a namer over Mesos or Marathon")
  }

  private func cluster(_ name: String?, for prefix: Path) throws -> MesosCluster {
    if let found = clusters.first(where: { name == nil || $0.prefix == name }) { return found.cluster }
    throw MesosAssemblyError(
      description: "namer \(prefix): there is no namer of the kind io.l5d.mesos"
        + (name.map { " at \($0)" } ?? "") + ": configure one, whose masters know the tasks")
  }

  private static func cluster(
    _ mesos: Configuration.Mesos, _ resolver: Resolver, _ zooKeepers: ZooKeeperClients
  ) throws -> MesosCluster {
    var options = MesosCluster.Options()
    options.mode =
      switch mesos.mode {
      case .subscribe: .subscribe
      case .state: .state
      case nil: nil
      }
    options.pollMilliseconds = UInt64(mesos.pollIntervalMilliseconds)
    options.pathPrefix = mesos.uriPrefix
    let source = try NamerAssembly.source(
      mesos.masters, destination: mesos.destination, zooKeeperAuth: mesos.zooKeeperAuth, election: .mesos,
      defaultPort: 5_050, isSecure: mesos.tls?.enabled == true, zooKeepers)
    let cluster = MesosCluster(
      source: source, resolver: resolver, credentials: try NamerAssembly.credentials(mesos.auth), options: options)
    try NamerAssembly.secure(cluster.client, mesos.tls)
    return cluster
  }
}

/// Why a namer over Mesos cannot be made.
struct MesosAssemblyError: Error, CustomStringConvertible {
  let description: String
}

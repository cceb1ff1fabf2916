import Config
import Dtab
import MeshBase
import Namers
import Net

/// Makes the namers that the configuration names.
@ControlActor
enum NamerAssembly {
  static func resolver(_ dns: Configuration.Dns) -> Resolver {
    var options = Resolver.Options()
    options.servers = dns.servers.compactMap(nameServer)
    options.ttlMillisecondsMin = UInt64(dns.minTtlSeconds) * 1_000
    options.ttlMillisecondsMax = UInt64(dns.maxTtlSeconds) * 1_000
    options.attemptTimeoutMilliseconds = dns.timeoutMilliseconds
    return Resolver(options: options)
  }

  private static func nameServer(_ text: String) -> SocketAddress? {
    SocketAddress(text) ?? SocketAddress(ip: text, port: 53)
  }

  private static func client(_ configuration: Configuration.Namer.ZooKeeper, _ clients: ZooKeeperClients)
    -> ZooKeeperClient
  {
    let credentials = configuration.credentials.flatMap(ZooKeeperEnsemble.Credentials.init)
    let ensemble = ZooKeeperEnsemble(
      servers: configuration.servers.map { .init(host: $0.host, port: UInt16($0.port)) },
      root: configuration.root ?? "", credentials: credentials)
    return clients.client(ensemble, sessionMilliseconds: UInt64(configuration.sessionTimeoutMilliseconds))
  }

  static func registry(_ configuration: Configuration) throws -> NamerRegistry {
    try NamerSet(configuration).registry
  }

  static func namer(
    _ configuration: Configuration.Namer, _ resolver: Resolver, _ zooKeepers: ZooKeeperClients,
    _ mesos: MesosAssembly
  ) throws -> any Namer {
    let prefix = try Path(parsing: "/#" + configuration.prefix)
    let namer: any Namer
    switch configuration.kind {
    case .fs(let fs):
      namer = FsNamer(
        prefix: prefix, rootDirectory: fs.rootDirectory, pollMilliseconds: fs.pollIntervalMilliseconds.map(UInt64.init),
        resolver: resolver)
    case .rewrite(let rewrite):
      namer = RewriteNamer(prefix: prefix, pattern: try RewritePattern(pattern: rewrite.pattern, name: rewrite.name))
    case .static(let fixed):
      var names: [Path: [HostEntry]] = [:]
      for entry in fixed.names {
        let name = try Path(parsing: entry.name.hasPrefix("/") ? entry.name : "/" + entry.name)
        names[name] = entry.endpoints.map { HostEntry(host: $0.host, port: $0.port, weight: $0.weight) }
      }
      namer = StaticNamer(prefix: prefix, names: names, resolver: resolver)
    case .dnssrv(let service):
      namer = DnsServiceNamer(
        prefix: prefix, domain: service.domain,
        refreshMilliseconds: UInt64(service.refreshIntervalSeconds) * 1_000,
        resolver: service.dnsHosts.isEmpty ? resolver : resolver.asking(service.dnsHosts.compactMap(nameServer)))
    case .serversets(let zooKeeper):
      namer = ServersetNamer(prefix: prefix, client: client(zooKeeper, zooKeepers), resolver: resolver)
    case .zkLeader(let zooKeeper):
      namer = ZkLeaderNamer(prefix: prefix, client: client(zooKeeper, zooKeepers), resolver: resolver)
    case .consul(let consul): namer = try self.consul(consul, prefix: prefix, resolver)
    case .kubernetes(let cluster): namer = try kubernetes(cluster, scope: .all, prefix: prefix, resolver)
    case .kubernetesExternal(let cluster): namer = try kubernetes(cluster, scope: .external, prefix: prefix, resolver)
    case .kubernetesNamespace(let cluster):
      guard let namespace = Host.environment(cluster.envVar), !namespace.isEmpty else {
        throw NamerAssemblyError(
          description: "namer \(prefix): the environment variable \(cluster.envVar) names no namespace")
      }
      namer = try kubernetes(cluster, scope: .namespace(namespace), prefix: prefix, resolver)
    case .mesos, .marathon, .vip, .mesosDns: namer = try mesos.namer(configuration, at: prefix)
    }
    let transformers = try configuration.transformers.map(transformer)
    return transformers.isEmpty ? namer : TransformedNamer(namer, transformers: transformers)
  }

  static func transformer(_ configuration: Configuration.Transformer) throws -> Transformer {
    switch configuration {
    case .port(let port): .port(UInt16(port))
    case .localhost: .localhost
    case .specificHost(let host): .specificHost(SocketAddress(ip: host, port: 0) ?? .loopback(port: 0))
    case .const(let path): .const(try Path(parsing: path))
    case .replace(let path): .replace(try Path(parsing: path))
    }
  }
}

/// Why a namer cannot be made here, though its configuration is right.
struct NamerAssemblyError: Error, CustomStringConvertible {
  let description: String
}

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
    options.servers = dns.servers.compactMap { SocketAddress($0) ?? SocketAddress(ip: $0, port: 53) }
    options.ttlMillisecondsMin = UInt64(dns.minTtlSeconds) * 1_000
    options.ttlMillisecondsMax = UInt64(dns.maxTtlSeconds) * 1_000
    options.attemptTimeoutMilliseconds = dns.timeoutMilliseconds
    return Resolver(options: options)
  }

  static func registry(_ configuration: Configuration) throws -> NamerRegistry {
    let resolver = resolver(configuration.dns)
    let mesos = try MesosAssembly(configuration.namers, resolver)
    return NamerRegistry(namers: try configuration.namers.map { try namer($0, resolver, mesos) }, resolver: resolver)
  }

  private static func namer(
    _ configuration: Configuration.Namer, _ resolver: Resolver, _ mesos: MesosAssembly
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
    case .mesos, .vip, .mesosDns: namer = try mesos.namer(configuration, at: prefix)
    case .marathon(let marathon): namer = try self.marathon(marathon, prefix, resolver)
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

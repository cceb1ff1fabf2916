import Config
import Dtab
import Namers
import Net

/// Namers of services that are registered with a server over HTTP.
extension NamerAssembly {
  static func consul(_ consul: Configuration.Namer.Consul, prefix: Path, _ resolver: Resolver) throws -> ConsulNamer {
    var options = ConsulNamer.Options()
    options.includesTag = consul.includeTag
    if consul.useHealthCheck {
      options.healthStatuses = Set(consul.healthStatuses.compactMap { ConsulHealth(rawValue: $0.rawValue) })
    }
    options.token = consul.token
    options.setsHost = consul.setHost
    options.consistency = ConsulNamer.Options.Consistency(rawValue: consul.consistencyMode.rawValue) ?? .default
    options.prefersServiceAddress = consul.preferServiceAddress
    options.weights = Dictionary(consul.weights.map { ($0.tag, $0.weight) }, uniquingKeysWith: max)
    return ConsulNamer(
      prefix: prefix, client: try client(consul.host, consul.port, consul.tls, resolver), options: options,
      resolver: resolver)
  }

  static func kubernetes(
    _ kubernetes: Configuration.Namer.Kubernetes, scope: KubernetesNamer.Scope, prefix: Path, _ resolver: Resolver
  ) throws -> KubernetesNamer {
    let client = try client(
      kubernetes.host, kubernetes.port, kubernetes.tls, resolver,
      try kubernetes.auth.map(configuredCredentials) ?? .none)
    return KubernetesNamer(
      prefix: prefix, client: client,
      options: KubernetesNamer.Options(scope: scope, labelSelector: kubernetes.labelSelector), resolver: resolver)
  }

  private static func client(
    _ host: String, _ port: Int, _ tls: Configuration.ClusterTLS?, _ resolver: Resolver,
    _ credentials: ClusterCredentials = .none
  ) throws -> ClusterClient {
    let client = ClusterClient(
      hosts: [ClusterHost(host: host, port: UInt16(port), isSecure: tls?.enabled == true)], resolver: resolver,
      credentials: credentials)
    try secure(client, tls)
    return client
  }
}

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
    options.consistency = ConsulNamer.Options.Consistency(rawValue: consul.consistencyMode.rawValue) ?? .default
    options.prefersServiceAddress = consul.preferServiceAddress
    options.weights = Dictionary(consul.weights.map { ($0.tag, $0.weight) }, uniquingKeysWith: max)
    let (client, watcher) = try client(consul.host, consul.port, consul.tls, resolver)
    let namer = ConsulNamer(prefix: prefix, client: client, options: options, resolver: resolver)
    namer.companion = watcher
    return namer
  }

  static func kubernetes(
    _ kubernetes: Configuration.Namer.Kubernetes, scope: KubernetesNamer.Scope, prefix: Path, _ resolver: Resolver
  ) throws -> KubernetesNamer {
    let (client, watcher) = try client(
      kubernetes.host, kubernetes.port, kubernetes.tls, resolver,
      try kubernetes.auth.map(configuredCredentials) ?? .none)
    let namer = KubernetesNamer(
      prefix: prefix, client: client,
      options: KubernetesNamer.Options(scope: scope, labelSelector: kubernetes.labelSelector), resolver: resolver)
    namer.companion = watcher
    return namer
  }

  private static func client(
    _ host: String, _ port: Int, _ tls: Configuration.ClusterTLS?, _ resolver: Resolver,
    _ credentials: ClusterCredentials = .none
  ) throws -> (ClusterClient, AnyObject?) {
    let tls = tls?.enabled == true ? tls : nil
    let client = ClusterClient(
      hosts: [ClusterHost(host: host, port: UInt16(port), isSecure: tls != nil)], resolver: resolver,
      credentials: credentials)
    guard let tls else { return (client, nil) }
    // A certificate or a list of roots that is replaced counts from the next connection on.
    let watcher = try TLSCertificateWatcher(
      client: TLSAssembly.options(tls.terms, applications: []),
      onChange: { [weak client] context in
        client?.security = ClusterClient.Security(context, expectedName: tls.commonName)
      })
    client.security = ClusterClient.Security(watcher.context, expectedName: tls.commonName)
    return (client, watcher)
  }
}

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
      kubernetes.host, kubernetes.port, kubernetes.tls, resolver, try credentials(kubernetes.auth))
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
      client: contextOptions(tls),
      onChange: { [weak client] context in
        client?.security = ClusterClient.Security(context, expectedName: tls.commonName)
      })
    client.security = ClusterClient.Security(watcher.context, expectedName: tls.commonName)
    return (client, watcher)
  }

  private static func contextOptions(_ tls: Configuration.ClusterTLS) -> TLSClientContext.Options {
    var same = Configuration.ClientTLS()
    same.trustCertsBundle = tls.trustCertsBundle
    same.trustCerts = tls.trustCerts
    same.disableValidation = tls.disableValidation
    same.clientAuth = tls.clientAuth
    same.protocols = tls.protocols
    same.ciphers = tls.ciphers
    return TLSAssembly.options(same, applications: [])
  }

  private static func credentials(_ auth: Configuration.ClusterAuth?) throws -> ClusterCredentials {
    guard let auth else { return .none }
    if let user = auth.user { return .basic(user: user, password: auth.password ?? "") }
    if let token = auth.token { return .bearer(token) }
    if let file = auth.tokenFile { return .bearerFile(file) }
    if let file = auth.serviceAccountFile {
      return .serviceAccount(try ServiceAccount(json: try FileSystem.read(file, limit: 1 << 20)))
    }
    return .none
  }
}

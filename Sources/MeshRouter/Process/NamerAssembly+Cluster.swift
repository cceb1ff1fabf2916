import Config
import Dtab
import MeshBase
import Namers
import Net

/// What the namers of cluster managers share.
extension NamerAssembly {
  static func marathon(
    _ marathon: Configuration.Marathon, _ prefix: Path, _ resolver: Resolver, _ zooKeepers: ZooKeeperClients
  ) throws -> MarathonNamer {
    var options = MarathonOptions()
    options.mode =
      switch marathon.mode {
      case .lazy: .lazy
      case .eager: .eager
      case .poll: .poll
      }
    options.health =
      switch marathon.healthPolicy {
      case .off: .off
      case .fresh: .fresh
      case .strict: .strict
      case .any: .any
      }
    options.uriPrefix = marathon.uriPrefix
    options.pollMilliseconds = UInt64(marathon.ttlMilliseconds)
    options.jitterMilliseconds = UInt64(marathon.jitterMilliseconds)
    options.silenceMilliseconds = UInt64(marathon.eventSilenceMilliseconds)
    let isSecure = marathon.tls?.enabled == true
    var clientOptions = ClusterClient.Options()
    let source = try source(
      marathon.hosts.isEmpty ? ["\(marathon.host):\(marathon.port)"] : marathon.hosts,
      destination: marathon.destination, zooKeeperAuth: marathon.zooKeeperAuth, election: .marathon, defaultPort: 80,
      isSecure: isSecure, zooKeepers)
    if marathon.destination != nil { clientOptions.hostField = marathon.host }
    let client = ClusterClient(
      source: source, resolver: resolver,
      credentials: try credentials(marathon.auth, environment: "MARATHON_HTTP_AUTH_CREDENTIAL"),
      options: clientOptions)
    try secure(client, marathon.tls)
    return MarathonNamer(prefix: prefix, client: client, options: options, resolver: resolver)
  }

  /// Whom to ask: what a name is bound to, the leader that ZooKeeper knows (`zk://…`), or fixed hosts.
  static func source(
    _ texts: [String], destination: String?, zooKeeperAuth: String?, election: ZooKeeperLeader.Election,
    defaultPort: UInt16, isSecure: Bool, _ zooKeepers: ZooKeeperClients
  ) throws -> any LeaderSource {
    if let destination { return NamedHosts(try Path(parsing: destination), isSecure: isSecure) }
    if let text = texts.first(where: { $0.lowercased().hasPrefix("zk://") }) {
      var ensemble = try ZooKeeperEnsemble(parsing: "zk://" + text.dropFirst("zk://".count))
      ensemble.credentials = zooKeeperAuth.flatMap(ZooKeeperEnsemble.Credentials.init)
      return ZooKeeperLeader(ensemble, election: election, clients: zooKeepers, isSecure: isSecure)
    }
    return FixedHosts(
      try texts.map { text in
        guard let host = ClusterHost(text, defaultPort: defaultPort, isSecure: isSecure) else {
          throw ClusterError(.noHosts, "\"\(text)\" is not a host with a port: write for example m1.example:8080")
        }
        return host
      })
  }

  /// A certificate or a list of roots that is replaced counts from the next connection on.
  static func secure(_ client: ClusterClient, _ tls: Configuration.ClusterTLS?) throws {
    guard let tls, tls.enabled else { return }
    let watcher = try TLSCertificateWatcher(
      client: TLSAssembly.options(tls.terms, applications: []),
      onChange: { [weak client] context in
        client?.security = ClusterClient.Security(context, expectedName: tls.commonName)
      })
    client.security = ClusterClient.Security(watcher.context, expectedName: tls.commonName)
    client.companion = watcher
  }

  static func configuredCredentials(_ auth: Configuration.ClusterAuth) throws -> ClusterCredentials {
    if let user = auth.user { return .basic(user: user, password: auth.password ?? "") }
    if let token = auth.token { return .bearer(token) }
    if let file = auth.tokenFile { return .bearerFile(file) }
    if let file = auth.serviceAccountFile {
      return .serviceAccount(try ServiceAccount(file: file), file: file)
    }
    return .none
  }

  /// For the managers of DC/OS: where the configuration says nothing, what the environment says.
  ///
  /// - Parameter environment: a variable with `user:password`, asked last.
  static func credentials(_ auth: Configuration.ClusterAuth?, environment: String? = nil) throws -> ClusterCredentials {
    if let auth { return try configuredCredentials(auth) }
    if let account = Host.environment("DCOS_SERVICE_ACCOUNT_CREDENTIAL"), !account.isEmpty {
      if account.hasPrefix("{") { return .serviceAccount(try ServiceAccount(json: Array(account.utf8))) }
      return .serviceAccount(try ServiceAccount(file: account), file: account)
    }
    if let environment, let pair = Host.environment(environment), let colon = pair.firstIndex(of: ":") {
      return .basic(user: String(pair[..<colon]), password: String(pair[pair.index(after: colon)...]))
    }
    return .none
  }
}

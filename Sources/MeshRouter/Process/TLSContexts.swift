import Config
import Logging
import Net
import Telemetry

/// All TLS contexts of a process, each following its files. Connections that are open keep the one they began with.
@ControlActor
public final class TLSContexts {
  public typealias ServerWatcher = TLSCertificateWatcher<TLSServerContext>
  public typealias ClientWatcher = TLSCertificateWatcher<TLSClientContext>

  /// `nil`: clear text.
  private(set) var admin: ServerWatcher?
  /// On what terms some endpoints of a router are spoken to, and the context for that.
  struct ClientTerms {
    var terms: Configuration.TLSTerms
    var watcher: ClientWatcher
  }

  private var inForce = Prepared()
  /// Told of each context that comes into use after the start.
  var onAdmin: @ControlActor (TLSServerContext) -> Void = { _ in }
  var onServer: @ControlActor (ServerKey, TLSServerContext) -> Void = { _, _ in }
  var onClient: @ControlActor (_ router: String, _ terms: Int, TLSClientContext) -> Void = { _, _, _ in }
  private let metrics: MetricsRegistry
  private var shown: [(file: String, subject: String)] = []
  private let log = Logger(label: "tls")

  /// What servers and clients speak TLS with; those that are not here speak in clear text.
  @ControlActor
  struct Prepared {
    fileprivate var servers: [ServerKey: (options: TLSServerContext.Options, watcher: ServerWatcher)] = [:]
    /// By the router's label, one for each different set of terms.
    fileprivate var clients: [String: [ClientTerms]] = [:]

    func server(_ key: ServerKey) -> TLSServerContext? { servers[key]?.watcher.context }
    func clients(_ router: String) -> [RouterPlan.ClientTLS] {
      clients[router, default: []].map { RouterPlan.ClientTLS(terms: $0.terms, context: $0.watcher.context) }
    }
  }

  /// Reads the files of the admin server; throws `TLSLoadError`.
  init(_ configuration: Configuration, metrics: MetricsRegistry) throws {
    self.metrics = metrics
    admin = try configuration.admin.tls.flatMap { tls in
      guard tls.enabled else { return nil }
      var options = TLSAssembly.options(tls)
      options.applications = [.http11]
      return try server(options) { [weak self] in self?.onAdmin($0) }
    }
  }

  /// Reads the files of whatever is not in force already as it is wanted; throws `TLSLoadError`.
  func prepare(_ configuration: Configuration) throws -> Prepared {
    var prepared = Prepared()
    do {
      for (router, keys) in zip(configuration.routers, ServerKey.all(in: configuration)) {
        for (settings, key) in zip(router.servers, keys) {
          guard let tls = settings.tls, tls.enabled else { continue }
          let options = TLSAssembly.options(tls)
          if let known = inForce.servers[key], known.options == options {
            prepared.servers[key] = known
          } else {
            let watcher = try server(options) { [weak self] in self?.onServer(key, $0) }
            prepared.servers[key] = (options, watcher)
          }
        }
        for (_, tls) in router.client.tlsBlocks where tls.enabled {
          if prepared.clients[router.label, default: []].contains(where: { $0.terms == tls.terms }) { continue }
          let known = inForce.clients[router.label]?.first { $0.terms == tls.terms }
          let terms = try known ?? ClientTerms(terms: tls.terms, watcher: client(tls.terms, of: router.label))
          prepared.clients[router.label, default: []].append(terms)
        }
      }
    } catch {
      discard(prepared)
      throw error
    }
    return prepared
  }

  /// Closes what is there and not in force.
  func discard(_ prepared: Prepared) { close(prepared, except: inForce) }

  func commit(_ prepared: Prepared) {
    let old = inForce
    inForce = prepared
    close(old, except: prepared)
    show()
  }

  private func close(_ set: Prepared, except kept: Prepared) {
    for (key, value) in set.servers where kept.servers[key]?.watcher !== value.watcher { value.watcher.close() }
    let watchers = kept.clients.values.joined().map(\.watcher)
    for terms in set.clients.values.joined() where !watchers.contains(where: { $0 === terms.watcher }) {
      terms.watcher.close()
    }
  }

  /// Reads all files again now. Returns those whose watchers have new contexts.
  func reload() -> [String] {
    func renewed(_ watcher: ServerWatcher) -> [String] {
      let before = watcher.reloads
      watcher.reload()
      return watcher.reloads == before ? [] : watcher.context.certificates.map(\.file)
    }
    func renewed(_ watcher: ClientWatcher) -> [String] {
      let before = watcher.reloads
      watcher.reload()
      return watcher.reloads == before ? [] : watcher.context.certificates.map(\.file)
    }
    return serverWatchers.flatMap { renewed($0) } + clientWatchers.flatMap { renewed($0) }
  }

  private func client(_ terms: Configuration.TLSTerms, of router: String) throws -> ClientWatcher {
    try ClientWatcher(
      client: TLSAssembly.options(terms),
      onChange: { [weak self] context in
        guard let self else { return }
        if let place = inForce.clients[router]?.firstIndex(where: { $0.terms == terms }) {
          onClient(router, place, context)
        }
        changed()
      }, onProblem: { [weak self] in self?.kept($0) })
  }

  private func server(
    _ options: TLSServerContext.Options, onChange: @escaping @ControlActor (TLSServerContext) -> Void
  ) throws -> ServerWatcher {
    try ServerWatcher(
      server: options,
      onChange: { [weak self] context in
        onChange(context)
        self?.changed()
      }, onProblem: { [weak self] in self?.kept($0) })
  }

  private var serverWatchers: [ServerWatcher] { (admin.map { [$0] } ?? []) + inForce.servers.values.map(\.watcher) }
  private var clientWatchers: [ClientWatcher] { inForce.clients.values.joined().map(\.watcher) }

  /// Why files as they are now are not in use, a sentence each.
  var problems: [String] {
    (serverWatchers.compactMap(\.problem) + clientWatchers.compactMap(\.problem)).map { "TLS: \($0)" }
  }

  /// Those in use, with their files.
  var certificates: [(file: String, certificate: TLSCertificate)] {
    serverWatchers.flatMap(\.context.certificates) + clientWatchers.flatMap(\.context.certificates)
  }

  func close() {
    for watcher in serverWatchers { watcher.close() }
    for watcher in clientWatchers { watcher.close() }
  }

  private func changed() {
    log.notice("certificates changed", metadata: ["inUse": "\(certificates.map(\.file).joined(separator: " "))"])
    show()
  }

  private func kept(_ problem: TLSLoadError) {
    log.error("certificates changed and cannot be used; the old ones stay", metadata: ["problem": "\(problem)"])
  }

  private func show() {
    for (file, subject) in shown { metrics.removeControl(.certificateNotAfter, file, subject) }
    shown = certificates.map { ($0.file, $0.certificate.subject) }
    for (file, certificate) in certificates {
      metrics.control(.certificateNotAfter, file, certificate.subject).value = Double(certificate.notAfter)
    }
    for warning in serverWatchers.flatMap(\.context.warnings) + clientWatchers.flatMap(\.context.warnings) {
      log.warning("\(warning)")
    }
  }
}

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
  /// By router and server, in the order of the configuration; `nil`: clear text.
  private(set) var servers: [[ServerWatcher?]] = []
  /// By router, one for each different set of terms; empty: clear text.
  private(set) var clients: [[ClientTerms]] = []
  /// Told of each context that comes into use after the start.
  var onAdmin: @ControlActor (TLSServerContext) -> Void = { _ in }
  var onServer: @ControlActor (_ router: Int, _ server: Int, TLSServerContext) -> Void = { _, _, _ in }
  var onClient: @ControlActor (_ router: Int, _ terms: Int, TLSClientContext) -> Void = { _, _, _ in }

  /// On what terms some endpoints of a router are spoken to, and the context for that.
  struct ClientTerms {
    var terms: Configuration.TLSTerms
    var watcher: ClientWatcher
  }

  private let metrics: MetricsRegistry
  private var shown: [(file: String, subject: String)] = []
  private let log = Logger(label: "tls")

  /// Reads all files; throws `TLSLoadError`.
  init(_ configuration: Configuration, metrics: MetricsRegistry) throws {
    self.metrics = metrics
    admin = try configuration.admin.tls.flatMap { tls in
      guard tls.enabled else { return nil }
      var options = TLSAssembly.options(tls)
      options.applications = [.http11]
      return try server(options) { [weak self] in self?.onAdmin($0) }
    }
    for (index, router) in configuration.routers.enumerated() {
      servers.append(
        try router.servers.enumerated().map { position, settings in
          guard let tls = settings.tls, tls.enabled else { return nil }
          return try server(TLSAssembly.options(tls)) { [weak self] in self?.onServer(index, position, $0) }
        })
      clients.append([])
      for (_, tls) in router.client.tlsBlocks where tls.enabled {
        if clients[index].contains(where: { $0.terms == tls.terms }) { continue }
        let position = clients[index].count
        let watcher = try ClientWatcher(
          client: TLSAssembly.options(tls.terms),
          onChange: { [weak self] context in
            self?.onClient(index, position, context)
            self?.changed()
          }, onProblem: { [weak self] in self?.kept($0) })
        clients[index].append(ClientTerms(terms: tls.terms, watcher: watcher))
      }
    }
    show()
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

  private var serverWatchers: [ServerWatcher] { (admin.map { [$0] } ?? []) + servers.joined().compactMap { $0 } }
  private var clientWatchers: [ClientWatcher] { clients.joined().map(\.watcher) }

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

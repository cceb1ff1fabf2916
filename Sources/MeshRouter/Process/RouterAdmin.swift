import Admin
import Config
import Dtab
import MeshBase
import Namers
import Net
import Telemetry

/// What the admin server asks of the running router.
@ControlActor
final class RouterAdmin: AdminSource {
  private unowned let router: RouterProcess
  let dtabs: any DtabAdministration

  init(_ router: RouterProcess) {
    self.router = router
    dtabs = DtabStoreAdministration(router.store)
  }

  let startedWallNanoseconds = Clock.wallNanoseconds

  var process: AdminProcess {
    AdminProcess(
      version: ProductVersion.number, hostName: router.hostName, processID: Host.processID,
      startedAt: router.startedAt, startedWallNanoseconds: startedWallNanoseconds, workers: router.workerCount,
      libraries: [("openssl", ProductVersion.openSSL), ("nghttp2", ProductVersion.nghttp2)])
  }

  var metrics: MetricsRegistry { router.metrics }

  var routers: [AdminRouter] {
    zip(router.configuration.routers, router.serverAddresses).map { configuration, addresses in
      AdminRouter(
        label: configuration.label, proto: configuration.protocol.rawValue, servers: addresses.map(\.description),
        namespace: configuration.namespace)
    }
  }

  var problems: [String] { router.problems }

  var unreadiness: String? { router.isDraining ? "The router is shutting down." : nil }

  var configurationJSON: String { router.configuration.effectiveJSON }

  private func control(_ label: String) -> RouterControl? {
    router.routers.first { $0.configuration.label == label }
  }

  func explain(_ path: Path, in table: AdminTable, overrides: Dtab) async -> AdminExplanation {
    let interpreter: Interpreter
    switch table {
    case .router(let label):
      interpreter = control(label)?.interpreter ?? Interpreter(namers: router.namers)
    case .dtab(let dtab): interpreter = Interpreter(namers: router.namers, dtab: dtab)
    }
    let explanation = await interpreter.delegate(path, overrides: overrides)
    // Endpoints are live: they are read here, on the thread they belong to, and handed on as values.
    var sets: [Path: EndpointSet] = [:]
    for step in explanation.root.steps {
      if let bound = step.node.bound { sets[bound.id] = bound.endpoints.current }
    }
    return AdminExplanation(
      explanation.root, isComplete: explanation.isComplete, near: { explanation.nearNames[$0] ?? [] },
      bound: { AdminBound(id: $0.id, residual: $0.residual, endpoints: sets[$0.id] ?? .pending) })
  }

  func endpoints(ofBound id: Path) async -> EndpointSet? {
    let name = id.description
    return router.routers.lazy.flatMap(\.clientStates).first { $0.name == name }?.endpoints
  }

  func clients() async -> [AdminClient] {
    router.routers.flatMap { control in
      control.clientStates.map { state in
        AdminClient(
          router: control.configuration.label, id: state.name, endpoints: state.endpoints,
          staleMilliseconds: state.staleSince.map { Clock.now.nanoseconds(since: $0) / 1_000_000 })
      }
    }
  }

  func namers() async -> [AdminNamer] {
    router.namers.states().map { AdminNamer(prefix: $0.prefix, json: $0.json) }
  }

  func why(_ query: AdminWhyQuery) async -> AdminWhy? {
    guard var request = WhyRequest(url: query.url, method: query.method, headers: query.headers) else { return nil }
    request.router = query.router
    request.dtab = query.dtab
    request.caller = query.caller
    return await router.why(request).map { AdminWhy(json: $0.json, text: $0.text) }
  }

  var loggers: [AdminLogger] { ProcessLog.shared.levels.map { AdminLogger(name: $0.name, level: $0.level) } }

  func setLevel(_ level: String, ofLogger name: String) -> Bool { ProcessLog.shared.set(level, of: name) }

  func shutdown(graceMilliseconds: Int?) -> Int {
    router.shutdown(graceMilliseconds: graceMilliseconds)
    return router.drainMillisecondsLeft
  }

  func reload(isPlan: Bool) async -> AdminReload {
    switch await isPlan ? router.reloadPlan() : router.reload() {
    case .success(let json): AdminReload(isAccepted: true, json: json)
    case .failure(let refusal): AdminReload(isAccepted: false, json: refusal.json)
    }
  }

  func upgrade(binary: String?, timeoutMilliseconds: UInt64?) async -> AdminUpgrade {
    let patience = timeoutMilliseconds ?? RouterProcess.upgradePatienceMilliseconds
    switch await router.upgrade(binary: binary, patienceMilliseconds: patience) {
    case .success(let report): return AdminUpgrade(.done, json: report.json)
    case .failure(let refusal): return AdminUpgrade(refusal.kind == .failed ? .failed : .refused, json: refusal.json)
    }
  }
}

extension AdminOptions {
  init(_ configuration: Configuration.Admin) {
    self.init()
    token = configuration.token
    isUIEnabled = configuration.security.uiEnabled
    isControlEnabled = configuration.security.controlEnabled
    isDiagnosticsEnabled = configuration.security.diagnosticsEnabled
    pathWhitelist = configuration.security.pathWhitelist
    pathBlacklist = configuration.security.pathBlacklist
  }
}

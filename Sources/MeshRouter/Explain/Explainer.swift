import Config
import Dtab
import HTTP
import MeshBase
import Namers
import Net

/// Explains requests with the parts that route them: the same parser, identifiers, interpreter and route rules.
@ControlActor
struct Explainer {
  let router: Configuration.Router
  let interpreter: Interpreter
  /// The workers' view of the clients; empty offline.
  let inspections: [[ClientInspection]]

  func explain(_ request: WhyRequest, timeoutMilliseconds: UInt64 = 2_000) async -> WhyReport {
    var report = WhyReport(router: router.label, request: "\(request.method) \(request.target)")
    let head = request.headBytes
    var parsed = RequestHead()
    let limits = H1Limits(
      lineBytesMax: router.maxInitialLineKilobytes * 1_024,
      headBytesMax: (router.maxInitialLineKilobytes + router.maxHeadersKilobytes) * 1_024)
    switch head.withUnsafeBytes({ parsed.parse($0, limits: limits) }) {
    case .complete: break
    case .needMore:
      report.reason = .decodeMalformed
      report.detail = "A header value holds a line break."
      return report
    case .failed(let error):
      report.reason = error.reason
      report.detail = "\(error)"
      return report
    }
    if let host = parsed.host { report.request += " (Host \(String(decoding: head[host.indices], as: UTF8.self)))" }
    guard let (path, overrides) = identify(&parsed, head, request.caller, &report) else { return report }
    report.settings = ServiceSettings(router.service).inForce(for: path)
    await bind(path, overrides, &report, timeoutMilliseconds)
    return report
  }

  private func identify(
    _ parsed: inout RequestHead, _ head: [UInt8], _ caller: String?, _ report: inout WhyReport
  ) -> (Path, Dtab)? {
    let identifiers = router.identifiers.map { Identifier($0, dstPrefix: router.dstPrefix) }
    let key = ByteBuffer()
    let clearContext = router.servers.first?.clearContext ?? false
    let result = head.withUnsafeBytes {
      identifiers.identify(
        &parsed, $0, clearContext: clearContext, caller: caller.map { CallerIdentity(name: $0) }, into: key)
    }
    switch result {
    case .none:
      report.reason = .identifyNone
      report.detail = identifiers.map(\.help).joined(separator: "; or ") + "."
      return nil
    case .badPath:
      report.reason = .identifyBadPath
      report.detail = "What the identifier read is not a valid path."
      return nil
    case .name: break
    }
    let parts = Array(key.readable).split(separator: 0, maxSplits: 1)
    report.name = String(decoding: parts[0], as: UTF8.self)
    let text = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
    guard let path = try? Path(parsing: report.name) else {
      report.reason = .identifyBadPath
      return nil
    }
    do {
      let overrides = try Dtab(parsing: text)
      if !overrides.isEmpty { report.overrides = overrides.description }
      return (path, overrides)
    } catch {
      report.reason = .bindBadOverride
      report.detail = "\(error)\n\(error.caret(in: text))"
      return nil
    }
  }

  private func bind(_ path: Path, _ overrides: Dtab, _ report: inout WhyReport, _ timeout: UInt64) async {
    let binding = interpreter.bind(path, overrides: overrides)
    defer { binding.close() }
    let explanation = await interpreter.delegate(path, overrides: overrides, timeoutMilliseconds: timeout)
    report.steps = explanation.steps
    for step in explanation.root.route {
      report.nearNames += explanation.nearNames[step.node.path, default: []].map(\.description)
    }
    switch binding.state {
    case .pending:
      report.reason = .bindTimeout
      report.detail = "A namer has not answered yet."
    case .failed(let failure):
      report.reason = Reason(failure)
      report.detail = failure.description
    case .bound(let tree): await route(tree, &report, timeout)
    case .stale(let tree, _, let error):
      report.detail = "The last good answer is in use: \(error)"
      await route(tree, &report, timeout)
    }
  }

  private func route(_ tree: NameTree<BoundName>, _ report: inout WhyReport, _ timeout: UInt64) async {
    switch routes(tree) {
    case .neg:
      report.reason = .bindNeg
      report.detail = "No dtab entry and no namer knows \(report.name)."
    case .fail:
      report.reason = .bindFail
      report.detail = "The dtab says that \(report.name) fails."
    case .routes(let routes):
      for route in routes { report.targets.append(await target(route, timeout)) }
      if report.targets.allSatisfy({ $0.candidates.isEmpty }) {
        report.reason = .pickNoEndpoints
        report.detail = "The name is bound, but there is nobody behind it."
      }
    }
  }

  private func target(_ route: Route<BoundName>, _ timeout: UInt64) async -> WhyReport.Target {
    var target = WhyReport.Target(share: route.share, id: nil, residual: "", candidates: [])
    guard let bound = route.bound else { return target }
    // Keeps the source fed while its first answer, such as one of DNS, is on its way.
    let token = bound.endpoints.observe {}
    let deadline = Clock.now.advanced(byMilliseconds: timeout)
    while bound.endpoints.current == .pending, Clock.now < deadline {
      try? await ControlActor.sleep(milliseconds: 5)
    }
    token.cancel()
    target.id = bound.id.description
    target.settings = ClientSettings(router.client).inForce(for: bound.id)
    target.residual = bound.residual.isEmpty ? "" : bound.residual.description
    target.staleMilliseconds = bound.endpoints.staleSince.map { Clock.now.nanoseconds(since: $0) / 1_000_000 }
    let seen = inspections.flatMap { $0 }.filter { $0.name == target.id }.flatMap(\.endpoints)
    target.candidates = bound.endpoints.current.endpoints.map { endpoint in
      let views = seen.filter { $0.address == endpoint.address }
      let costs = views.map(\.costNanoseconds).filter { $0 > 0 }
      return WhyReport.Target.Candidate(
        address: endpoint.address.description, weight: endpoint.weight,
        costMilliseconds: costs.isEmpty ? nil : costs.reduce(0, +) / Double(costs.count) / 1e6,
        inFlight: views.reduce(0) { $0 + $1.outstanding }, idleConnections: views.reduce(0) { $0 + $1.idleConnections },
        status: views.first { $0.status != "open" }?.status ?? "open", health: views.compactMap(\.health).first)
    }
    return target
  }
}

extension Namers.Explanation {
  /// The route that binding took, one line each.
  var steps: [String] {
    root.route.map { step in
      var line = step.node.path.description
      if let entry = step.node.dentry { line += "   by \(entry.dentry)  (entry \(entry.index + 1))" }
      switch step.node.kind {
      case .neg: line += "   neg"
      case .fail: line += "   fail"
      case .empty: line += "   empty"
      case .pending: line += "   no answer yet"
      default: break
      }
      if let message = step.node.message { line += "   \(message)" }
      return line
    }
  }

  /// The route for the body of an answer, with near names where a namer said no.
  func summary(_ plain: String) -> String {
    let near = root.route.flatMap { nearNames[$0.node.path, default: []] }.map(\.description)
    return
      ((plain.isEmpty ? [] : [plain]) + steps.map { "  " + $0 }
      + (near.isEmpty ? [] : ["near names: " + near.joined(separator: ", ")]))
      .joined(separator: "\n")
  }
}

extension RouterProcess {
  /// Explains a request by the running router; `nil` if there is no router with that label.
  public func why(_ request: WhyRequest) async -> WhyReport? {
    guard
      let index = request.router.map({ label in routers.firstIndex { $0.configuration.label == label } }) ?? 0
    else { return nil }
    let router = routers[index]
    let explainer = Explainer(
      router: router.configuration, interpreter: router.interpreter,
      inspections: await inspectClients(router: router.index))
    return await explainer.explain(request)
  }

  /// Explains a request by a configuration that is not running. Asks the configured namers, and DNS where needed.
  public static func why(_ request: WhyRequest, offline configuration: Configuration) async throws -> WhyReport? {
    guard
      let router = request.router.map({ label in configuration.routers.first { $0.label == label } })
        ?? configuration.routers.first
    else { return nil }
    let interpreter = Interpreter(
      namers: try NamerAssembly.registry(configuration), dtab: try await offlineTable(router, configuration),
      transformers: try router.interpreter.transformers.map(NamerAssembly.transformer))
    return await Explainer(router: router, interpreter: interpreter, inspections: []).explain(request)
  }

  private static func offlineTable(_ router: Configuration.Router, _ configuration: Configuration) async throws -> Dtab
  {
    var table = Dtab.empty
    if case .fs(let file) = router.interpreter.kind {
      table = try Dtab(parsing: String(decoding: try FileSystem.read(file), as: UTF8.self))
    }
    return table + (try Dtab(parsing: router.dtab))
  }
}

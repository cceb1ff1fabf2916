import MeshBase
import Net
import Telemetry

/// The HTTP face of the router for operators and their tools.
@ControlActor
public final class AdminServer {
  let source: any AdminSource
  let gate: AdminGate
  private(set) var routes: [AdminRoute] = []
  private var servers: [ControlHTTPServer] = []
  /// Where it listens; the kernel's choice where the port was 0. `nil` if it has a Unix socket only.
  public private(set) var address: SocketAddress?

  /// Listens at once on the address, the Unix socket or both. `tls` secures the address; the Unix socket needs none.
  public convenience init(
    on address: SocketAddress?, unixSocket: String? = nil, tls: TLSServerContext? = nil,
    options: AdminOptions = AdminOptions(), source: any AdminSource
  ) throws {
    try self.init(
      listening: address.map { ListeningSocket(try Socket.listen(on: $0, backlog: ControlHTTPServer.backlog)) },
      unix: unixSocket.map {
        ListeningSocket(try Socket.listen(unixSocket: $0, backlog: ControlHTTPServer.backlog))
      },
      tls: tls, options: options, source: source)
  }

  /// The same on sockets that listen already; `unix` is the Unix socket.
  public init(
    listening: ListeningSocket?, unix: ListeningSocket?, tls: TLSServerContext? = nil,
    options: AdminOptions = AdminOptions(), source: any AdminSource
  ) throws {
    self.source = source
    gate = try AdminGate(options, hostName: source.process.hostName)
    routes = processRoutes + metricsRoutes + nameRoutes + dtabRoutes + pageRoutes
    if let listening {
      let server = try ControlHTTPServer(listening: listening, tls: tls) { [weak self] in
        await self?.serve($0, isLocal: false) ?? .gone
      }
      self.address = server.address
      servers.append(server)
    }
    if let unix {
      servers.append(
        try ControlHTTPServer(listening: unix) { [weak self] in await self?.serve($0, isLocal: true) ?? .gone })
    }
  }

  /// Secures connections that are accepted from now on.
  public func secure(_ tls: TLSServerContext) {
    // The Unix socket has no address and no TLS.
    for server in servers where server.address != nil { server.tls = tls }
  }

  /// Second descriptors of the sockets that it listens on, for another process; they belong to whoever gets them.
  public func listeningSockets() -> [Int32] {
    servers.compactMap { server in
      guard let descriptor = (try? server.listeningSocket()) ?? nil else { return nil }
      return descriptor.release()
    }
  }

  /// Takes no more connections; those that are open end behind their next answer.
  public func stopAccepting() { for server in servers { server.stopAccepting() } }

  /// Watches end at once, other responses within the time given.
  public func close(graceMilliseconds: UInt64 = 1_000) async {
    for server in servers { await server.close(graceMilliseconds: graceMilliseconds) }
    servers = []
  }

  private func serve(_ request: ControlRequest, isLocal: Bool) async -> ControlResponse {
    var response: ControlResponse
    do {
      response = try await answer(request, isLocal: isLocal)
    } catch let failure as AdminFailure {
      response = failure.response
    } catch let refusal as DtabRefusal {
      response = AdminFailure(refusal).response
    } catch {
      response = AdminFailure(500, "\(error)").response
    }
    response.headers.set("X-Content-Type-Options", "nosniff")
    response.headers.set("X-Frame-Options", "DENY")
    response.headers.set("Referrer-Policy", "no-referrer")
    if response.headers["Cache-Control"] == nil { response.headers.set("Cache-Control", "no-store") }
    if response.headers["Content-Security-Policy"] == nil {
      response.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    }
    return response
  }

  private func answer(_ request: ControlRequest, isLocal: Bool) async throws -> ControlResponse {
    var request = request
    // Before the gate, so that it judges the path that is served.
    if request.path.count > 1 && request.path.hasSuffix("/") { request.path.removeLast() }
    let path = request.path
    let isTrusted = try gate.check(request, isLocal: isLocal)
    var allowed: [String] = []
    for route in routes {
      guard let values = route.match(path) else { continue }
      if let (part, handler) = route.handler(request.method) {
        try gate.check(part, path)
        return try await handler(AdminCall(request: request, values: values, isTrusted: isTrusted))
      }
      allowed += route.methods.filter { !allowed.contains($0) }
    }
    guard !allowed.isEmpty else { throw unknown(path) }
    let allow = (allowed + ["OPTIONS"]).joined(separator: ", ")
    if request.method == "OPTIONS" {
      return ControlResponse(status: 204, headers: ControlHeaders(["Allow": allow]))
    }
    throw AdminFailure(
      405, "\(request.method) is not for \(path): use \(allowed.joined(separator: ", "))", ["Allow": allow])
  }

  private func unknown(_ path: String) -> AdminFailure {
    let near = nearNames(to: path, among: routes.map(\.pattern).filter { !$0.contains("{") })
    return AdminFailure(
      404,
      "there is no \(path)" + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: " or "))?")
        + "\n/help lists what there is")
  }

  // MARK: What handlers share

  /// The table that a call's `router` or `namespace` names; the first router's if it names none.
  func table(router label: String?, namespace: String?) async throws -> AdminTable {
    if let label = label ?? nil, !label.isEmpty {
      guard source.routers.contains(where: { $0.label == label }) else {
        let labels = source.routers.map(\.label)
        let near = nearNames(to: label, among: labels)
        throw AdminFailure(
          404, "there is no router \(label): there are \((near.isEmpty ? labels : near).joined(separator: ", "))")
      }
      return .router(label)
    }
    if let namespace, !namespace.isEmpty {
      // linkerd says namespace where it means a router's label.
      let router = source.routers.first { $0.namespace == namespace } ?? source.routers.first { $0.label == namespace }
      if let router { return .router(router.label) }
      guard let document = try await source.dtabs.get(namespace) else { throw await unknownNamespace(namespace) }
      return .dtab(document.dtab)
    }
    guard let first = source.routers.first else { throw AdminFailure(404, "no router is configured") }
    return .router(first.label)
  }

  func unknownNamespace(_ namespace: String) async -> AdminFailure {
    let near = nearNames(to: namespace, among: (try? await source.dtabs.list()) ?? [])
    return AdminFailure(
      404,
      "there is no namespace \(namespace)"
        + (near.isEmpty
          ? "; GET /api/1/dtabs lists those there are" : "; did you mean \(near.joined(separator: ", "))?"))
  }
}

extension ControlResponse {
  /// For a request that meets a server which is being taken down.
  fileprivate static var gone: ControlResponse { .text(status: 503, "the router is shutting down") }

  static func json(status: Int = 200, _ text: String) -> ControlResponse {
    ControlResponse(status: status, contentType: "application/json;charset=utf-8", Array(text.utf8))
  }

  static func json(_ body: (inout JSONText) -> Void) -> ControlResponse {
    var json = JSONText()
    body(&json)
    return .json(json.text)
  }
}

import Dtab
import MeshBase
import Net
import Telemetry

@testable import Admin

/// A router that is not there: two names, one of them split over two clients.
@ControlActor
final class FakeSource: AdminSource {
  let registry = MetricsRegistry(workers: 1)
  let store = FakeDtabs()
  var problems: [String] = []
  var unreadiness: String?
  var levels = ["router": "info", "dtab": "info"]
  var isShutDown = false
  var reloadResult = AdminReload(isAccepted: true, json: "{\"applied\":true}")
  var whyQueries: [AdminWhyQuery] = []
  var known: [Path: EndpointSet] = [
    "/#/io.l5d.fs/web": .bound([Endpoint(.loopback(port: 8_080), metadata: ["node": "a"])]),
    "/#/io.l5d.fs/api": .bound([Endpoint(.loopback(port: 8_081), weight: 2)]),
  ]

  var process: AdminProcess {
    AdminProcess(
      version: "1.2.3", hostName: "node-17", processID: 42, startedAt: Clock.now, startedWallNanoseconds: 5_000_000_000,
      workers: 2, libraries: [("openssl", "3")])
  }
  var metrics: MetricsRegistry { registry }
  var routers: [AdminRouter] {
    [
      AdminRouter(label: "web", proto: "http", servers: ["127.0.0.1:4140"], namespace: "default"),
      AdminRouter(label: "<api>", proto: "http", servers: [], namespace: "other"),
    ]
  }
  var dtabs: any DtabAdministration { store }
  var configurationJSON: String { "{\"routers\":[]}" }

  func explain(_ path: Path, in table: AdminTable, overrides: Dtab) async -> AdminExplanation {
    let base: Dtab =
      switch table {
      case .router("web"): "/svc => /#/io.l5d.fs; /split => 1*/svc/web & 3*/svc/api"
      case .router: .empty
      case .dtab(let dtab): dtab
      }
    let root: DelegationNode<AdminBound> = delegate(path, dtab: base + overrides) { [known] path in
      guard path.first == "#" else { return .tree(.neg) }
      guard path.count >= 3, let endpoints = known[path.prefix(3)] else { return .tree(.neg) }
      return .tree(
        .leaf(.bound(AdminBound(id: path.prefix(3), residual: path.dropFirst(3), endpoints: endpoints))))
    }
    return AdminExplanation(root, near: { _ in ["/#/io.l5d.fs/web"] }, bound: { $0 })
  }

  func endpoints(ofBound id: Path) async -> EndpointSet? { known[id] }
  func clients() async -> [AdminClient] {
    known.map { AdminClient(router: "web", id: $0.description, endpoints: $1, staleMilliseconds: 7) }
  }
  func namers() async -> [AdminNamer] { [AdminNamer(prefix: "/#/io.l5d.fs", json: "{\"kind\":\"io.l5d.fs\"}")] }
  func why(_ query: AdminWhyQuery) async -> AdminWhy? {
    whyQueries.append(query)
    return query.url.contains("://") ? AdminWhy(json: "{\"routable\":true}", text: "verdict    routable\n") : nil
  }

  var loggers: [AdminLogger] { levels.sorted { $0.key < $1.key }.map { AdminLogger(name: $0.key, level: $0.value) } }
  func setLevel(_ level: String, ofLogger name: String) -> Bool {
    guard levels[name] != nil, ["info", "debug"].contains(level) else { return false }
    levels[name] = level
    return true
  }
  func shutdown(graceMilliseconds: Int?) -> Int {
    isShutDown = true
    return graceMilliseconds ?? 10_000
  }
  func reload(isPlan: Bool) async -> AdminReload {
    isPlan ? AdminReload(isAccepted: true, json: "{\"applied\":false,\"plan\":true}") : reloadResult
  }
  var upgradeResult = AdminUpgrade(.done, json: "{\"upgraded\":true}")
  /// What was asked for, in order.
  var upgrades: [(binary: String?, timeoutMilliseconds: UInt64?)] = []
  func upgrade(binary: String?, timeoutMilliseconds: UInt64?) async -> AdminUpgrade {
    upgrades.append((binary, timeoutMilliseconds))
    return upgradeResult
  }
}

/// Dtabs in memory, as simple as can be.
@ControlActor
final class FakeDtabs: DtabAdministration {
  private var current: [String: DtabDocument] = [:]
  private var past: [String: [DtabHistoryEntry]] = [:]
  private var watchers: [@ControlActor () -> Void] = []

  func list() -> [String] { current.keys.sorted() }
  func get(_ namespace: String) -> DtabDocument? { current[namespace] }

  func create(_ namespace: String, _ text: String, author: String, reason: String) throws(DtabRefusal) -> DtabDocument {
    if let there = current[namespace] { throw DtabRefusal(.exists, "exists at \(there.version)") }
    return try set(namespace, text, "created", author, reason)!
  }

  func put(_ namespace: String, _ text: String, expectedVersion: UInt64?, author: String, reason: String)
    throws(DtabRefusal) -> DtabDocument
  {
    try check(namespace, expectedVersion)
    return try set(namespace, text, "changed", author, reason)!
  }

  func delete(_ namespace: String, expectedVersion: UInt64?, author: String, reason: String) throws(DtabRefusal) {
    if current[namespace] == nil { throw DtabRefusal(.unknown, "unknown") }
    try check(namespace, expectedVersion)
    _ = try set(namespace, nil, "deleted", author, reason)
  }

  func history(_ namespace: String, limit: Int) throws(DtabRefusal) -> [DtabHistoryEntry] {
    guard let past = past[namespace] else { throw DtabRefusal(.unknown, "unknown") }
    return past.suffix(limit).reversed()
  }

  func rollback(_ namespace: String, to version: UInt64, expectedVersion: UInt64?, author: String, reason: String)
    throws(DtabRefusal) -> DtabDocument
  {
    try check(namespace, expectedVersion)
    guard let entry = past[namespace]?.first(where: { $0.version == version }) else {
      throw DtabRefusal(.unknownVersion, "no such version")
    }
    return try set(namespace, entry.text, "rolled_back", author, reason)!
  }

  private func check(_ namespace: String, _ expected: UInt64?) throws(DtabRefusal) {
    guard let expected else { return }
    guard let there = current[namespace] else { throw DtabRefusal(.unknown, "unknown") }
    if there.version != expected { throw DtabRefusal(.stale, "at version \(there.version)") }
  }

  private func set(_ namespace: String, _ text: String?, _ kind: String, _ author: String, _ reason: String)
    throws(DtabRefusal) -> DtabDocument?
  {
    let version = UInt64(past[namespace]?.count ?? 0) + 1
    var document: DtabDocument?
    if let text {
      do throws(DtabError) {
        document = DtabDocument(
          version: version, text: text, dtab: try Dtab(parsing: text), author: author, reason: reason,
          wallNanoseconds: 1_000_000)
      } catch {
        throw DtabRefusal(.malformed, "\(error)\n\(error.caret(in: text))")
      }
    }
    past[namespace, default: []].append(
      DtabHistoryEntry(
        version: version, kind: kind, source: nil, text: text ?? "", author: author, reason: reason,
        wallNanoseconds: 1_000_000))
    current[namespace] = document
    for watcher in watchers { watcher() }
    return document
  }

  func states(of namespace: String) -> AsyncStream<DtabDocument?> {
    let (stream, continuation) = AsyncStream.makeStream(of: DtabDocument?.self, bufferingPolicy: .bufferingNewest(1))
    continuation.yield(current[namespace])
    watchers.append { [unowned self] in continuation.yield(current[namespace]) }
    return stream
  }

  func lists() -> AsyncStream<[String]> {
    let (stream, continuation) = AsyncStream.makeStream(of: [String].self, bufferingPolicy: .bufferingNewest(1))
    continuation.yield(list())
    watchers.append { [unowned self] in continuation.yield(list()) }
    return stream
  }
}

/// A served fake and a client to talk to it.
@ControlActor
final class Bench {
  let source = FakeSource()
  let server: AdminServer
  let client: ControlHTTPClient

  init(_ options: AdminOptions = AdminOptions()) throws {
    server = try AdminServer(on: .loopback(port: 0), options: options, source: source)
    client = ControlHTTPClient(to: server.address!)
  }

  func get(_ path: String, _ headers: KeyValuePairs<String, String> = [:]) async throws -> ControlClientResponse {
    try await send("GET", path, headers)
  }

  func send(
    _ method: String, _ path: String, _ headers: KeyValuePairs<String, String> = [:], body: String? = nil
  ) async throws -> ControlClientResponse {
    try await client.request(method, path, headers: ControlHeaders(headers), body: body.map { Array($0.utf8) })
  }

  func close() async {
    client.close()
    await server.close(graceMilliseconds: 0)
  }
}

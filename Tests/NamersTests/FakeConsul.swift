import MeshBase
import Net

@testable import Namers

/// A Consul agent as its HTTP API is published: health of services, blocking queries, and the faults of a real one.
@ControlActor
final class FakeConsul {
  enum Fault: Equatable {
    case none
    case status(Int, String)
    case noIndex
    case garbage
    /// Never answers.
    case silence
  }

  struct Instance {
    var node = "127.0.0.1"
    var address = ""
    var port: Int
    var tags: [String] = []
    /// Of each check: its id and its status.
    var checks: [(id: String, status: String)] = [("serfHealth", "passing")]
  }

  private var server: ControlHTTPServer?
  private(set) var port: UInt16 = 0
  private var services: [String: [Instance]] = [:]
  private var index: UInt64 = 10
  private var waiters: [CheckedContinuation<Void, Never>] = []
  var fault = Fault.none { didSet { wake() } }
  /// Targets in their order.
  private(set) var requests: [String] = []
  private(set) var tokens: [String?] = []
  /// What `/v1/agent/self` says; `nil`: 403.
  var agent: String?

  init(port: UInt16 = 0) throws {
    let server = try ControlHTTPServer(on: .loopback(port: port)) { [weak self] request in
      await self?.answer(request) ?? .text(status: 503, "gone")
    }
    self.server = server
    self.port = server.address?.port ?? 0
  }

  func stop() async {
    await server?.close()
    server = nil
    wake()
  }

  /// `dc/name`.
  func set(_ service: String, _ instances: [Instance]) {
    services[service] = instances
    index += 1
    wake()
  }

  /// As after a restore of a snapshot.
  func setIndex(_ index: UInt64) {
    self.index = index
    wake()
  }

  private func wake() {
    let woken = waiters
    waiters = []
    for waiter in woken { waiter.resume() }
  }

  private func answer(_ request: ControlRequest) async -> ControlResponse {
    requests.append(request.path + "?" + request.query.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&"))
    tokens.append(request.headers["X-Consul-Token"])
    switch fault {
    case .status(let status, let text): return .text(status: status, text)
    case .garbage: return .text("<html>")
    case .silence:
      await withCheckedContinuation { waiters.append($0) }
      return .text(status: 500, "late")
    case .none, .noIndex: break
    }
    if request.path == "/v1/agent/self" {
      guard let agent else { return .text(status: 403, "Permission denied") }
      return ControlResponse(contentType: "application/json", Array(agent.utf8))
    }
    let datacenter = request.query["dc"] ?? "dc1"
    guard datacenter == "dc1" || datacenter == "dc2" else { return .text(status: 500, "No path to datacenter") }
    if request.path == "/v1/catalog/services" {
      var json = JSONText()
      json.object { json in
        for name in services.keys.sorted() where name.hasPrefix(datacenter + "/") {
          json.member(String(name.dropFirst(datacenter.count + 1)), raw: "[]")
        }
      }
      return ControlResponse(contentType: "application/json", Array(json.text.utf8))
    }
    let prefix = "/v1/health/service/"
    guard request.path.hasPrefix(prefix) else { return .text(status: 404, "no such path") }
    if let asked = request.query["index"].flatMap({ UInt64($0) }) {
      // It waits only while nothing has happened since.
      while index == asked, fault == .none { await withCheckedContinuation { waiters.append($0) } }
      if case .status(let status, let text) = fault { return .text(status: status, text) }
    }
    var response = ControlResponse(
      contentType: "application/json",
      Array(body(datacenter + "/" + request.path.dropFirst(prefix.count), tag: request.query["tag"]).utf8))
    if fault != .noIndex { response.headers.add("X-Consul-Index", "\(index)") }
    return response
  }

  private func body(_ service: String, tag: String?) -> String {
    var json = JSONText()
    let found = (services[service] ?? []).filter { instance in tag.map { instance.tags.contains($0) } ?? true }
    json.array(found) { json, instance in
      json.object {
        $0.key("Node")
        $0.object { $0.member("Address", instance.node) }
        $0.key("Service")
        $0.object {
          $0.member("Address", instance.address)
          $0.member("Port", UInt64(instance.port))
          $0.key("Tags")
          $0.array(instance.tags) { $0.element($1) }
        }
        $0.key("Checks")
        $0.array(instance.checks) { json, check in
          json.object {
            $0.member("CheckID", check.id)
            $0.member("Status", check.status)
          }
        }
      }
    }
    return json.text
  }
}

import MeshBase
import Net

extension FakeMesosMaster {
  func answer(_ request: ControlRequest, node: Int) async -> ControlResponse {
    let key = traffic.request(request)
    var path = "/" + request.path.split(separator: "/").joined(separator: "/")
    if path.hasPrefix("/master/") { path = String(path.dropFirst("/master".count)) }
    let kinds = faults.take(path: path, node: node)
    if let response = await ServerFaults.before(kinds) { return response }
    if path == Credentials.loginPath && request.method == "POST" { return credentials.login(request) }
    guard credentials.permits(request) else { return Credentials.refusal }
    if path == "/health" { return ControlResponse() }
    guard let leader else { return .text(status: 503, "No leader elected") }
    let place = "//\(addresses[leader])"
    if path == "/redirect" { return ControlResponse(status: 307, headers: ControlHeaders(["Location": place])) }
    if node != leader && (options.redirects || path != "/state") {
      return ControlResponse(status: 307, headers: ControlHeaders(["Location": place + request.path]))
    }
    switch (path, request.method) {
    case ("/state", "GET"), ("/state.json", "GET"):
      let own = "master@\(addresses[node])"
      let snapshot = MesosSnapshot(model: model, master: pid, shares: ServerFaults.share(kinds))
      return stream(snapshot.flat(answeredBy: own), key: key, kinds: kinds)
    case ("/api/v1", "POST") where options.hasOperatorAPI: return call(request, key: key, kinds: kinds)
    default: return ControlResponse(status: 404)
    }
  }

  private func call(_ request: ControlRequest, key: String, kinds: [ServerFault.Kind]) -> ControlResponse {
    guard request.headers["Content-Type"]?.hasPrefix("application/json") ?? false else {
      return .text(status: 415, "Expecting 'Content-Type' of application/json or application/x-protobuf")
    }
    guard let node = try? JSONNode(parsing: request.body), let type = node["type"]?.text else {
      return .text(status: 400, "Failed to parse body into JSON")
    }
    if type == "SUBSCRIBE" { return subscribe(request, key: key, kinds: kinds) }
    let snapshot = MesosSnapshot(model: model, master: pid, shares: ServerFaults.share(kinds))
    guard let pieces = snapshot.call(type) else {
      return .text(status: 400, "Failed to validate master::Call: \(type)")
    }
    return stream(pieces, key: key, kinds: kinds)
  }

  private func stream(_ pieces: [[UInt8]], key: String, kinds: [ServerFault.Kind]) -> ControlResponse {
    let headers = ControlHeaders(["Content-Type": "application/json"])
    var next = 0
    return FaultyBody(kinds: kinds, log: traffic, key: key).response(headers) {
      guard next < pieces.count else { return nil }
      defer { next += 1 }
      return pieces[next]
    }
  }
}

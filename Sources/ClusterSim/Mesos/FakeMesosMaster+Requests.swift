import MeshBase
import Net

extension FakeMesosMaster {
  func reply(_ exchange: FakeExchange) -> ControlResponse {
    let (request, path, node) = (exchange.request, exchange.path, exchange.node)
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
      let snapshot = MesosSnapshot(model: model, master: pid, shares: exchange.share)
      return stream(snapshot.flat(answeredBy: own), exchange)
    case ("/api/v1", "POST") where options.hasOperatorAPI: return call(exchange)
    default: return ControlResponse(status: 404)
    }
  }

  private func call(_ exchange: FakeExchange) -> ControlResponse {
    let request = exchange.request
    guard request.headers["Content-Type"]?.hasPrefix("application/json") ?? false else {
      return .text(status: 415, "Expecting 'Content-Type' of application/json or application/x-protobuf")
    }
    guard let node = try? JSONNode(parsing: request.body), let type = node["type"]?.text else {
      return .text(status: 400, "Failed to parse body into JSON")
    }
    if type == "SUBSCRIBE" { return subscribe(exchange) }
    let snapshot = MesosSnapshot(model: model, master: pid, shares: exchange.share)
    guard let pieces = snapshot.call(type) else {
      return .text(status: 400, "Failed to validate master::Call: \(type)")
    }
    return stream(pieces, exchange)
  }

  private func stream(_ pieces: [[UInt8]], _ exchange: FakeExchange) -> ControlResponse {
    let headers = ControlHeaders(["Content-Type": "application/json"])
    var next = 0
    return FaultyBody(kinds: exchange.kinds, log: traffic, key: exchange.key).response(headers) {
      guard next < pieces.count else { return nil }
      defer { next += 1 }
      return pieces[next]
    }
  }
}

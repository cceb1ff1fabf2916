import MeshBase
import Net

extension FakeMarathon {
  /// Bytes of apps that are put together before they are written.
  private static let pieceBytes = 262_144

  func reply(_ exchange: FakeExchange) -> ControlResponse {
    let (request, path, node) = (exchange.request, exchange.path, exchange.node)
    if path == "/ping" { return .text("pong") }
    guard credentials.permits(request) else { return Credentials.refusal }
    guard let leader else {
      // Written by the server in front of the API, which knows nothing of JSON.
      return ControlResponse(
        status: 502, contentType: "text/html;charset=utf-8",
        Array(
          "<html><head><title>Error 502</title></head><body>Could not determine the current leader</body></html>".utf8))
    }
    if path == "/v2/events" && node != leader && options.standbysRedirectStreams {
      return redirect(request, to: addresses[leader])
    }
    guard request.method == "GET" || request.method == "HEAD" else {
      return message(405, "HTTP 405 Method Not Allowed", node)
    }
    let parts = path.split(separator: "/").map(String.init)
    switch parts.prefix(2) {
    case ["v2", "events"]: return stream(exchange)
    case ["v2", "leader"]: return whole(#"{"leader":"\#(addresses[leader])"}"#, exchange)
    case ["v2", "info"]:
      return whole(
        #"{"name":"marathon","version":"1.9.136","elected":true,"leader":"\#(addresses[leader])"}"#, exchange)
    case ["v2", "tasks"]: return tasks(exchange)
    case ["v2", "apps"]:
      if parts.count == 2 { return list(exchange) }
      return one(parts.dropFirst(2), exchange)
    default: return message(404, "HTTP 404 Not Found", node)
    }
  }

  private func redirect(_ request: ControlRequest, to leader: SocketAddress) -> ControlResponse {
    let query = request.query.pairs.map { "\(ControlQuery.encode($0.name))=\(ControlQuery.encode($0.value))" }
    let location = "http://\(leader)\(request.path)" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    return ControlResponse(status: 302, headers: ControlHeaders(["Location": location]))
  }

  private func message(_ status: Int, _ text: String, _ node: Int) -> ControlResponse {
    var json = JSONText()
    json.object { $0.member("message", text) }
    return ControlResponse(status: status, headers: headers(node: node), body: .whole(Array(json.text.utf8)))
  }

  private func whole(_ text: String, _ exchange: FakeExchange) -> ControlResponse { whole(Array(text.utf8), exchange) }

  private func whole(_ bytes: [UInt8], _ exchange: FakeExchange) -> ControlResponse {
    var headers = headers(node: exchange.node)
    var bytes = bytes
    if accepts(exchange.request) {
      headers.add("Content-Encoding", "gzip")
      bytes = StoredGzip.wrap(bytes)
    }
    if exchange.kinds.isEmpty {
      traffic.sent(bytes.count, for: exchange.key)
      return ControlResponse(headers: headers, body: .whole(bytes))
    }
    var rest: [UInt8]? = bytes
    return FaultyBody(kinds: exchange.kinds, log: traffic, key: exchange.key).response(headers) {
      defer { rest = nil }
      return rest
    }
  }

  private func accepts(_ request: ControlRequest) -> Bool {
    options.gzip && (request.headers["Accept-Encoding"]?.contains("gzip") ?? false)
  }

  private func one(_ parts: ArraySlice<String>, _ exchange: FakeExchange) -> ControlResponse {
    let id = "/" + parts.joined(separator: "/")
    if let app = model.app(id) {
      guard exchange.request.query.all("embed").contains(where: { $0 == "app.tasks" }) else {
        return whole(#"{"app":\#(MarathonText.app(app, tasks: nil))}"#, exchange)
      }
      return whole(Array(#"{"app":"#.utf8) + bytes(app, exchange.share) + [UInt8(ascii: "}")], exchange)
    }
    if parts.last == "tasks", let app = model.app("/" + parts.dropLast().joined(separator: "/")) {
      return whole(Self.text(app.tasks), exchange)
    }
    return message(404, "App '\(id)' does not exist", exchange.node)
  }

  private func bytes(_ app: SimApp, _ share: Double) -> [UInt8] {
    if share >= 1 { return app.bytes }
    let known = app.tasks.filter { ServerFaults.shows($0.id, share: share) }
    return Array(MarathonText.app(app, tasks: known).utf8)
  }

  private func list(_ exchange: FakeExchange) -> ControlResponse {
    let request = exchange.request
    let embedsTasks = request.query.all("embed").contains { $0 == "apps.tasks" }
    let share = exchange.share
    let apps = model.apps.filter { matches($0, request.query) }
    let text = { (app: SimApp) in
      embedsTasks ? self.bytes(app, share) : Array(MarathonText.app(app, tasks: nil).utf8)
    }
    if accepts(request) || apps.count < 64 {
      var all = Array(#"{"apps":["#.utf8)
      for (index, app) in apps.enumerated() {
        if index > 0 { all.append(UInt8(ascii: ",")) }
        all += text(app)
      }
      all += Array("]}".utf8)
      return whole(all, exchange)
    }
    var next = 0
    var isDone = false
    return FaultyBody(kinds: exchange.kinds, log: traffic, key: exchange.key).response(headers(node: exchange.node)) {
      if isDone { return nil }
      var piece: [UInt8] = next == 0 ? Array(#"{"apps":["#.utf8) : []
      piece.reserveCapacity(Self.pieceBytes + 16_384)
      while next < apps.count && piece.count < Self.pieceBytes {
        if next > 0 { piece.append(UInt8(ascii: ",")) }
        piece += text(apps[next])
        next += 1
      }
      if next == apps.count {
        piece += Array("]}".utf8)
        isDone = true
      }
      return piece
    }
  }

  /// `id`: part of the id; `label`: selectors `k`, `k==v` and `k!=v`, all of which must hold.
  private func matches(_ app: SimApp, _ query: ControlQuery) -> Bool {
    if let part = query["id"], !app.id.contains(part) { return false }
    return query.all("label").flatMap { $0.split(separator: ",") }.allSatisfy { selector in
      for (mark, wanted) in [("==", true), ("!=", false)] {
        guard let range = selector.firstRange(of: mark) else { continue }
        let value = app.plan.labels[String(selector[..<range.lowerBound])]
        return (value == String(selector[range.upperBound...])) == wanted
      }
      return app.plan.labels[String(selector)] != nil
    }
  }

  private func tasks(_ exchange: FakeExchange) -> ControlResponse {
    let share = exchange.share
    let status = exchange.request.query["status"]
    return whole(
      Self.text(
        model.apps.flatMap(\.tasks).filter { task in
          guard ServerFaults.shows(task.id, share: share) else { return false }
          return status == nil || (status == "running") == (task.state == .running)
        }), exchange)
  }

  /// A list of tasks, as an answer of its own.
  private static func text(_ tasks: [SimTask]) -> String {
    var json = JSONText()
    json.object { json in
      json.key("tasks")
      json.array(tasks) { $0.element(raw: MarathonText.task($1)) }
    }
    return json.text
  }
}

import Dtab
import MeshBase
import Net

extension AdminServer {
  /// What names stand for.
  var nameRoutes: [AdminRoute] {
    let delegator: AdminRoute.Handler = { [unowned self] call in
      let table = try await table(
        router: call.query["router"], namespace: call.values.first ?? call.query["namespace"])
      return try await delegate(call, table)
    }
    let bind: AdminRoute.Handler = { [unowned self] call in try await self.bind(call) }
    let addr: AdminRoute.Handler = { [unowned self] call in try await address(call) }
    let resolve: AdminRoute.Handler = { [unowned self] call in try await self.resolve(call) }
    let bound: AdminRoute.Handler = { [unowned self] _ in
      let ids = Set(await source.clients().map(\.id)).sorted()
      return .json { $0.array(ids) { $0.element($1) } }
    }
    return [
      AdminRoute(
        "/delegator.json", "how a name is bound: ?path=/svc/web [&router=] [&dtab=] [&caller=]", .diagnostics, delegator
      ),
      AdminRoute("/api/1/delegate", "the same", .diagnostics, delegator),
      AdminRoute("/api/1/delegate/{namespace}", "the same for a namespace", .diagnostics, delegator),
      AdminRoute("/api/1/bind/{namespace}", "the bound tree: ?path= [&dtab=] [&watch]", .diagnostics, bind),
      AdminRoute("/api/1/addr/{namespace}", "endpoints of a bound id: ?path= [&watch]", .diagnostics, addr),
      AdminRoute(
        "/api/1/resolve/{namespace}", "endpoints of one branch, drawn by weight: ?path=", .diagnostics, resolve),
      AdminRoute("/api/1/bound-names", "bound ids in use", .diagnostics, bound),
      AdminRoute("/bound-names.json", "bound ids in use", .diagnostics, bound),
      AdminRoute("/client_state.json", "bound ids in use with their endpoints", .diagnostics) { [unowned self] _ in
        clientState(await source.clients())
      },
      AdminRoute("/namer_state.json", "the namers and their names", .diagnostics) { [unowned self] _ in
        let namers = await source.namers()
        return .json { json in
          json.object { for namer in namers { $0.member(namer.prefix, raw: namer.json) } }
        }
      },
      AdminRoute("/namer_state/{+prefix}", "one namer: /namer_state/io.l5d.fs.json", .diagnostics) {
        [unowned self] call in try await namerState(call.values[0])
      },
      AdminRoute(
        "/api/2/why", "why a request goes where it goes: ?url= [&method=] [&header=Name:value] [&router=] [&dtab=]",
        .diagnostics
      ) { [unowned self] call in
        try await why(call)
      },
    ]
  }

  // MARK: Parameters

  private func path(_ call: AdminCall) throws -> Path {
    guard let text = call.query["path"] else {
      throw AdminFailure(400, "say which name: \(call.request.path)?path=/svc/web")
    }
    do {
      return try Path(parsing: text)
    } catch {
      throw AdminFailure(400, "path: \(error)\n\(error.caret(in: text))")
    }
  }

  private func overrides(_ call: AdminCall) throws -> Dtab {
    let text = call.query["dtab"] ?? ""
    do {
      return try Dtab(parsing: text)
    } catch {
      throw AdminFailure(400, "dtab: \(error)\n\(error.caret(in: text))")
    }
  }

  // MARK: Answers

  private func delegate(_ call: AdminCall, _ table: AdminTable) async throws -> ControlResponse {
    let explanation = await source.explain(try path(call), in: table, overrides: try overrides(call))
    if call.prefers("text/plain") || call.query["format"] == "text" {
      return .text(
        explanation.root.text + (explanation.isComplete ? "" : "not complete: a namer has not answered yet\n"))
    }
    return .json { explanation.root.write(to: &$0) }
  }

  private func bind(_ call: AdminCall) async throws -> ControlResponse {
    let path = try path(call)
    let overrides = try overrides(call)
    let table = try await table(router: nil, namespace: call.values[0])
    return try await watched(call) { [source] in
      let explanation = await source.explain(path, in: table, overrides: overrides)
      var json = JSONText()
      switch explanation.state {
      case .bound(let tree): tree.write(to: &json)
      case .pending: json.object { $0.member("type", "pending") }
      case .failed(let failure):
        json.object {
          $0.member("type", "exception")
          $0.member("message", failure.description)
        }
      }
      return json.text
    }
  }

  private func address(_ call: AdminCall) async throws -> ControlResponse {
    let given = try path(call)
    // A transformer's prefix says how the endpoints were chosen, not whose they are.
    let id =
      given.first == Label("%") ? given.labels.firstIndex(of: Label("#")).map { given.dropFirst($0) } ?? given : given
    return try await watched(call) { [source] in
      var endpoints = await source.endpoints(ofBound: given)
      if endpoints == nil && id != given { endpoints = await source.endpoints(ofBound: id) }
      var json = JSONText()
      (endpoints ?? .neg).write(to: &json)
      return json.text
    }
  }

  private func resolve(_ call: AdminCall) async throws -> ControlResponse {
    let table = try await table(router: nil, namespace: call.values[0])
    let explanation = await source.explain(try path(call), in: table, overrides: try overrides(call))
    guard case .bound(let tree) = explanation.state else { return .json { EndpointSet.pending.write(to: &$0) } }
    var random = SystemRandomNumberGenerator()
    let bound = tree.draw(using: &random)
    return .json { (bound?.endpoints ?? .neg).write(to: &$0) }
  }

  /// Once, or with `?watch=true` a line whenever it has changed.
  private func watched(_ call: AdminCall, _ read: @escaping @ControlActor @Sendable () async throws -> String)
    async throws -> ControlResponse
  {
    guard call.query.isOn("watch") else { return .json(try await read()) }
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "application/json;charset=utf-8"]),
      body: .watch { writer in
        var last = ""
        while true {
          let now = try await read()
          if now != last { try await writer.write(now + "\n") }
          last = now
          try await ControlActor.sleep(milliseconds: 100)
        }
      })
  }

  private func clientState(_ clients: [AdminClient]) -> ControlResponse {
    var byID: [String: [AdminClient]] = [:]
    for client in clients { byID[client.id, default: []].append(client) }
    return .json { json in
      json.object { json in
        for (id, clients) in byID.sorted(by: { $0.key < $1.key }) {
          json.key(id)
          clients[0].endpoints.write(to: &json) { json in
            json.key("routers")
            json.array(clients.map(\.router)) { $0.element($1) }
            if let stale = clients[0].staleMilliseconds { json.member("staleMilliseconds", stale) }
          }
        }
      }
    }
  }

  private func namerState(_ name: String) async throws -> ControlResponse {
    let name = name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    let namers = await source.namers()
    guard let namer = namers.first(where: { $0.prefix == name || $0.prefix == "/" + name || $0.prefix == "/#/" + name })
    else {
      throw AdminFailure(
        404, "there is no namer \(name): there are \(namers.map(\.prefix).joined(separator: ", "))")
    }
    return .json(namer.json)
  }

  private func why(_ call: AdminCall) async throws -> ControlResponse {
    guard let url = call.query["url"], !url.isEmpty else {
      throw AdminFailure(400, "say which request: /api/2/why?url=http://web/")
    }
    var headers: [(name: String, value: String)] = []
    for text in call.query.all("header") {
      guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
        throw AdminFailure(400, "header=\(text): write it as Name:value")
      }
      let value = text[text.index(after: colon)...].drop { $0 == " " }
      headers.append((String(text[..<colon]), String(value)))
    }
    if let router = call.query["router"] { _ = try await table(router: router, namespace: nil) }
    let query = AdminWhyQuery(
      url: url, method: call.query["method"] ?? "GET", headers: headers, router: call.query["router"],
      dtab: call.query["dtab"], caller: call.query["caller"])
    guard let why = await source.why(query) else {
      throw AdminFailure(400, "\"\(url)\" is not an http URL: write it as http://web/path, or as the host alone")
    }
    return call.prefers("text/plain") || call.query["format"] == "text" ? .text(why.text) : .json(why.json)
  }
}

extension NameTree where Leaf == AdminBound {
  /// One leaf by the weights of the unions above it; `nil` if the draw ends at a branch without one.
  func draw(using random: inout some RandomNumberGenerator) -> AdminBound? {
    switch self {
    case .leaf(let bound): return bound
    case .neg, .fail, .empty: return nil
    case .alt(let trees):
      for tree in trees { if let bound = tree.draw(using: &random) { return bound } }
      return nil
    case .union(let branches):
      let total = branches.reduce(0) { $0 + $1.weight }
      guard total > 0 else { return nil }
      var left = Double.random(in: 0..<total, using: &random)
      for branch in branches {
        if left < branch.weight { return branch.tree.draw(using: &random) }
        left -= branch.weight
      }
      return branches.last { $0.weight > 0 }?.tree.draw(using: &random)
    }
  }
}

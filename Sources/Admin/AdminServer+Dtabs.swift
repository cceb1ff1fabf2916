import MeshBase
import Net

extension AdminServer {
  /// Dtabs: namerd's HTTP interface, with history and roll-back.
  ///
  /// Who and why: headers `Dtab-Author` and `Dtab-Reason`, or the query's `author` and `reason`.
  var dtabRoutes: [AdminRoute] {
    [
      AdminRoute("/api/1/dtabs", "the namespaces; ?watch", .diagnostics) { [unowned self] call in
        try await listDtabs(call)
      },
      AdminRoute(
        "/api/1/dtabs/{namespace}", "a dtab: GET [?watch], POST creates, PUT replaces, DELETE; ETag and If-Match",
        [
          ("GET", .diagnostics, { [unowned self] in try await getDtab($0) }),
          ("POST", .control, { [unowned self] in try await createDtab($0) }),
          ("PUT", .control, { [unowned self] in try await putDtab($0) }),
          ("DELETE", .control, { [unowned self] in try await deleteDtab($0) }),
        ]),
      AdminRoute("/api/1/dtabs/{namespace}/history", "its changes, newest first; ?limit=", .diagnostics) {
        [unowned self] call in try await history(call)
      },
      AdminRoute(
        "/api/1/dtabs/{namespace}/rollback", "POST ?version=: puts an earlier version in force again",
        [("POST", .control, { [unowned self] in try await rollback($0) })]),
    ]
  }

  private func listDtabs(_ call: AdminCall) async throws -> ControlResponse {
    func line(_ names: [String]) -> String {
      var json = JSONText()
      json.array(names) { $0.element($1) }
      return json.text
    }
    guard call.query.isOn("watch") else { return .json(line(try await source.dtabs.list())) }
    let lists = source.dtabs.lists()
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "application/json;charset=utf-8"]),
      body: .watch { writer in
        for await names in lists {
          var json = JSONText()
          json.array(names) { $0.element($1) }
          try await writer.write(json.text + "\n")
        }
      })
  }

  private func getDtab(_ call: AdminCall) async throws -> ControlResponse {
    let namespace = call.values[0]
    let asText = call.prefers("application/dtab", "text/plain")
    let contentType = asText ? "application/dtab;charset=utf-8" : "application/json;charset=utf-8"
    if call.query.isOn("watch") {
      let states = source.dtabs.states(of: namespace)
      return ControlResponse(
        headers: ControlHeaders(["Content-Type": contentType]),
        body: .watch { writer in
          for await document in states {
            // A document a line: a dtab's text may have several, so here it is printed.
            try await writer.write(asText ? (document?.dtab.description ?? "") + "\n" : Self.json(document) + "\n")
          }
        })
    }
    guard let document = try await source.dtabs.get(namespace) else { throw await unknownNamespace(namespace) }
    let headers = Self.headers(document, contentType: contentType)
    if let tag = call.request.headers["If-None-Match"], let condition = EntityTag.condition(tag),
      condition == .any || condition == .version(document.version)
    {
      return ControlResponse(status: 304, headers: headers)
    }
    let text = asText ? document.text : Self.json(document)
    return ControlResponse(headers: headers, body: .whole(Array(text.utf8)))
  }

  private static func json(_ document: DtabDocument?) -> String {
    guard let document else { return "null" }
    var json = JSONText()
    DtabJSON.write(document.dtab, to: &json)
    return json.text
  }

  private static func headers(_ document: DtabDocument, contentType: String? = nil) -> ControlHeaders {
    var headers = ControlHeaders(["ETag": EntityTag.of(document.version), "Dtab-Version": "\(document.version)"])
    if let contentType { headers.add("Content-Type", contentType) }
    if !document.author.isEmpty { headers.add("Dtab-Author", document.author) }
    if !document.reason.isEmpty { headers.add("Dtab-Reason", document.reason) }
    return headers
  }

  // MARK: Changes

  private func text(_ call: AdminCall) throws -> String {
    let type = (call.request.headers["Content-Type"] ?? "").lowercased().prefix { $0 != ";" }.filter { $0 != " " }
    let body = call.request.body
    switch type {
    case "application/json": return try DtabJSON.text(body)
    case "application/dtab", "text/plain", "application/octet-stream": break
    case "":
      if body.first(where: { $0 > 0x20 }) == UInt8(ascii: "[") { return try DtabJSON.text(body) }
    default:
      // `curl -d` says it is a form and drops line ends, with which a comment would swallow what follows it.
      throw AdminFailure(
        400,
        "a dtab cannot be \(type): send it with -H 'Content-Type: application/dtab' --data-binary @FILE, "
          + "or as application/json")
    }
    guard let text = String(validating: body, as: UTF8.self) else { throw AdminFailure(400, "the body is not UTF-8") }
    return text
  }

  private func author(_ call: AdminCall) -> String {
    call.request.headers["Dtab-Author"] ?? call.query["author"] ?? call.request.peer.map { "api \($0.ip)" } ?? "api"
  }

  private func reason(_ call: AdminCall) -> String { call.request.headers["Dtab-Reason"] ?? call.query["reason"] ?? "" }

  /// The version that If-Match wants; `nil` without it, or if any will do.
  private func expectedVersion(_ call: AdminCall) async throws -> UInt64? {
    guard let tag = call.request.headers["If-Match"] else { return nil }
    switch EntityTag.condition(tag) {
    case .version(let version): return version
    case .any:
      if try await source.dtabs.get(call.values[0]) == nil { throw await unknownNamespace(call.values[0]) }
      return nil
    case nil:
      throw AdminFailure(
        400, "If-Match: \(tag) is no ETag of a dtab: send what GET \(call.request.path) answered, or the version")
    }
  }

  private func createDtab(_ call: AdminCall) async throws -> ControlResponse {
    let document = try await source.dtabs.create(
      call.values[0], try text(call), author: author(call), reason: reason(call))
    return ControlResponse(status: 204, headers: Self.headers(document))
  }

  private func putDtab(_ call: AdminCall) async throws -> ControlResponse {
    let text = try text(call)
    if let tag = call.request.headers["If-None-Match"] {
      guard EntityTag.condition(tag) == .any else {
        throw AdminFailure(400, "If-None-Match may be * here, which means: only if there is no such namespace yet")
      }
      do throws(DtabRefusal) {
        let document = try await source.dtabs.create(
          call.values[0], text, author: author(call), reason: reason(call))
        return ControlResponse(status: 204, headers: Self.headers(document))
      } catch {
        throw error.kind == .exists ? AdminFailure(412, error.message) : AdminFailure(error)
      }
    }
    let document = try await source.dtabs.put(
      call.values[0], text, expectedVersion: try await expectedVersion(call), author: author(call),
      reason: reason(call))
    return ControlResponse(status: 204, headers: Self.headers(document))
  }

  private func deleteDtab(_ call: AdminCall) async throws -> ControlResponse {
    try await source.dtabs.delete(
      call.values[0], expectedVersion: try await expectedVersion(call), author: author(call), reason: reason(call))
    return ControlResponse(status: 204)
  }

  private func history(_ call: AdminCall) async throws -> ControlResponse {
    var limit = 100
    if let text = call.query["limit"] {
      guard let number = Int(text), number > 0 else { throw AdminFailure(400, "limit=\(text): a number from 1 on") }
      limit = number
    }
    let entries = try await source.dtabs.history(call.values[0], limit: limit)
    return .json { json in
      json.array(entries) { json, entry in
        json.object {
          $0.member("version", entry.version)
          $0.member("kind", entry.kind)
          if let source = entry.source { $0.member("source", source) }
          $0.member("author", entry.author)
          $0.member("reason", entry.reason)
          $0.member("unixMilliseconds", entry.wallNanoseconds / 1_000_000)
          $0.member("dtab", entry.text)
        }
      }
    }
  }

  private func rollback(_ call: AdminCall) async throws -> ControlResponse {
    guard let version = call.parameter("version").flatMap({ UInt64($0) }) else {
      throw AdminFailure(
        400,
        "say which version: POST \(call.request.path)?version=N; GET /api/1/dtabs/\(call.values[0])/history has them")
    }
    let document = try await source.dtabs.rollback(
      call.values[0], to: version, expectedVersion: try await expectedVersion(call), author: author(call),
      reason: reason(call))
    return ControlResponse(status: 204, headers: Self.headers(document))
  }
}

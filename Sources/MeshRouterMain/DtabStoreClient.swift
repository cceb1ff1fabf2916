import Dtab
import Net

/// The dtab store of a running router, through its admin server.
struct DtabStoreClient {
  let admin: AdminOptions

  struct Document {
    let version: UInt64
    let text: String
  }

  struct Change {
    let version: UInt64
    let kind: String
    let source: UInt64?
    let author: String
    let reason: String
    let unixMilliseconds: UInt64
    let text: String
  }

  private func path(_ namespace: String) -> String { "/api/1/dtabs/" + ControlQuery.encode(namespace) }

  func list() throws -> [String] {
    let response = try admin.request("/api/1/dtabs")
    return try document(response).elements.compactMap(\.text)
  }

  /// `nil` if there is no such namespace.
  func get(_ namespace: String) throws -> Document? {
    let response = try admin.request(path(namespace), accept: "application/dtab", expecting: [404])
    if response.status == 404 { return nil }
    return Document(version: try version(response), text: response.text)
  }

  /// Replaces exactly the version given; `nil`: only if there is no such namespace yet. The new version.
  func put(_ namespace: String, _ text: String, replacing version: UInt64?, author: String, reason: String) throws
    -> UInt64
  {
    let condition = version.map { ("If-Match", "\"\($0)\"") } ?? ("If-None-Match", "*")
    let response = try admin.request(
      path(namespace), method: "PUT",
      headers: [("Content-Type", "application/dtab")] + [condition] + signature(author, reason), body: text,
      expecting: [412])
    if response.status == 412 {
      throw CommandFailure(
        .problem, response.text.trimmedEnd, "Nothing was changed. Look at it again: meshrouter dtab get \(namespace)")
    }
    return try self.version(response)
  }

  func history(_ namespace: String, limit: Int) throws -> [Change] {
    let response = try admin.request(path(namespace) + "/history?limit=\(limit)")
    return try document(response).elements.map { entry in
      Change(
        version: entry["version"]?.integer ?? 0, kind: entry["kind"]?.text ?? "", source: entry["source"]?.integer,
        author: entry["author"]?.text ?? "", reason: entry["reason"]?.text ?? "",
        unixMilliseconds: entry["unixMilliseconds"]?.integer ?? 0, text: entry["dtab"]?.text ?? "")
    }
  }

  func rollback(_ namespace: String, to version: UInt64, author: String, reason: String) throws -> UInt64 {
    let response = try admin.request(
      path(namespace) + "/rollback?version=\(version)", method: "POST", headers: signature(author, reason))
    return try self.version(response)
  }

  private func signature(_ author: String, _ reason: String) -> [(String, String)] {
    [("Dtab-Author", author)] + (reason.isEmpty ? [] : [("Dtab-Reason", reason)])
  }

  private func version(_ response: ControlClientResponse) throws(CommandFailure) -> UInt64 {
    guard let version = response.headers["Dtab-Version"].flatMap({ UInt64($0) }) else { throw notARouter() }
    return version
  }

  private func document(_ response: ControlClientResponse) throws(CommandFailure) -> JSONDocument {
    guard let document = JSONDocument(parsing: response.text) else { throw notARouter() }
    return document
  }

  private func notARouter() -> CommandFailure {
    CommandFailure(.problem, "\(admin.address) does not answer like a router's admin server")
  }
}

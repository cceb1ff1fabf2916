import Net

/// One URL of the admin server.
struct AdminRoute {
  /// What of the server it belongs to; each can be switched off.
  enum Part { case always, ui, control, diagnostics }

  typealias Handler = @ControlActor (AdminCall) async throws -> ControlResponse

  /// Segments in braces match any one segment, `{+…}` the rest of the path.
  let pattern: String
  let summary: String
  let handlers: [(method: String, part: Part, handler: Handler)]

  private let segments: [Substring]

  init(_ pattern: String, _ summary: String, _ handlers: [(String, Part, Handler)]) {
    self.pattern = pattern
    self.summary = summary
    self.handlers = handlers.map { (method: $0.0, part: $0.1, handler: $0.2) }
    segments = pattern.split(separator: "/", omittingEmptySubsequences: false)
  }

  init(_ pattern: String, _ summary: String, _ part: Part, _ handler: @escaping Handler) {
    self.init(pattern, summary, [("GET", part, handler)])
  }

  /// The values of the pattern's variables; `nil` if the path is another one.
  func match(_ path: String) -> [String]? {
    let given = path.split(separator: "/", omittingEmptySubsequences: false)
    var values: [String] = []
    for (index, segment) in segments.enumerated() {
      guard index < given.count else { return nil }
      if segment.hasPrefix("{+") { return values + [given[index...].joined(separator: "/")] }
      if segment.hasPrefix("{") {
        if given[index].isEmpty { return nil }
        values.append(String(given[index]))
      } else if segment != given[index] {
        return nil
      }
    }
    return given.count == segments.count ? values : nil
  }

  var methods: [String] {
    let own = handlers.map(\.method)
    return own.contains("GET") ? ["GET", "HEAD"] + own.filter { $0 != "GET" } : own
  }

  func handler(_ method: String) -> (part: Part, handler: Handler)? {
    let method = method == "HEAD" ? "GET" : method
    return handlers.first { $0.method == method }.map { ($0.part, $0.handler) }
  }
}

/// One request on its way to a handler.
struct AdminCall {
  var request: ControlRequest
  /// Of the variables in the route's pattern.
  var values: [String]
  /// It bears the token, or came through the Unix socket: who sent it may do what its owner may.
  var isTrusted = false

  var query: ControlQuery { request.query }

  /// A parameter from the query or, for a form, from the body.
  func parameter(_ name: String) -> String? {
    if let value = query[name] { return value }
    guard request.headers["Content-Type"]?.hasPrefix("application/x-www-form-urlencoded") == true else { return nil }
    return ControlQuery(String(decoding: request.body, as: UTF8.self))[name]
  }

  /// Whether the client would rather have this media type than JSON.
  func prefers(_ types: String...) -> Bool {
    let accepted = (request.headers["Accept"] ?? "").lowercased().split(separator: ",").map {
      $0.prefix { $0 != ";" }.filter { $0 != " " }
    }
    for type in accepted {
      if types.contains(type) { return true }
      if type == "application/json" || type == "*/*" { return false }
    }
    return false
  }
}

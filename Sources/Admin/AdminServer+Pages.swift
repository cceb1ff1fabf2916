import MeshBase
import Net

extension AdminServer {
  /// Pages for people: what this is, what is wrong, and where to look.
  var pageRoutes: [AdminRoute] {
    let page: AdminRoute.Handler = { [unowned self] _ in await overview() }
    let help: AdminRoute.Handler = { [unowned self] _ in .text(helpText) }
    return [
      AdminRoute("/", "this host's router at a glance", .ui, page),
      AdminRoute("/admin", "the same", .ui, page),
      AdminRoute("/files/admin.css", "the style of the pages", .ui) { _ in
        var response = ControlResponse(contentType: "text/css; charset=utf-8", Array(AdminStyle.text.utf8))
        response.headers.set("Cache-Control", "max-age=3600")
        return response
      },
      AdminRoute("/favicon.ico", "nothing", .ui) { _ in ControlResponse(status: 204) },
      AdminRoute("/help", "this list", .always, help),
      AdminRoute("/admin/index.txt", "this list", .always, help),
    ]
  }

  private var helpText: String {
    let width = routes.map(\.pattern.count).max() ?? 0
    return routes.map { route in
      let methods = route.handlers.map(\.method).joined(separator: ",")
      return route.pattern + String(repeating: " ", count: width + 2 - route.pattern.count)
        + "\(methods)  \(route.summary)"
    }.joined(separator: "\n")
  }

  private func overview() async -> ControlResponse {
    let process = source.process
    let uptime = Clock.now.nanoseconds(since: process.startedAt) / 1_000_000_000
    var dtabs: [(name: String, document: DtabDocument)] = []
    for name in ((try? await source.dtabs.list()) ?? []).prefix(100) {
      if let document = (try? await source.dtabs.get(name)) ?? nil { dtabs.append((name, document)) }
    }
    var html = HTMLText()
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
    html.raw(
      "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/files/admin.css\">")
    html.element("title", "meshrouter on \(process.hostName)")
    html.raw("</head><body><header>")
    html.element("h1", "meshrouter")
    html.element(
      "p", "\(process.hostName) · pid \(process.processID) · version \(process.version) · up \(Self.duration(uptime))")
    html.raw("</header><main>")
    let problems = source.problems + (source.unreadiness.map { ["not ready: \($0)"] } ?? [])
    if problems.isEmpty {
      html.raw("<p class=\"good\">Everything configured is in force.</p>")
    } else {
      html.raw("<ul class=\"bad\">")
      for problem in problems { html.element("li", problem) }
      html.raw("</ul>")
    }
    html.table(
      "Routers", ["router", "protocol", "listens on", "namespace"],
      source.routers.map { [$0.label, $0.proto, $0.servers.joined(separator: ", "), $0.namespace] })
    html.table(
      "Dtabs", ["namespace", "version", "entries", "author", "reason"],
      dtabs.map {
        [$0.name, "\($0.document.version)", "\($0.document.dtab.count)", $0.document.author, $0.document.reason]
      })
    html.raw("<h2>Look</h2><ul>")
    for route in routes
    where !route.pattern.contains("{") && route.methods.contains("GET") && route.summary != "the same" {
      if route.pattern == "/" || route.pattern.hasPrefix("/f") { continue }
      html.raw("<li><a href=\"\(route.pattern)\">\(route.pattern)</a> ")
      html.text(route.summary)
      html.raw("</li>")
    }
    html.raw("</ul></main></body></html>\n")
    var response = ControlResponse(contentType: "text/html; charset=utf-8", Array(html.text.utf8))
    response.headers.set(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    return response
  }

  private static func duration(_ seconds: UInt64) -> String {
    switch seconds {
    case 0..<60: "\(seconds) s"
    case 60..<3_600: "\(seconds / 60) min"
    case 3_600..<172_800: "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    default: "\(seconds / 86_400) days"
    }
  }
}

/// HTML in which everything but the tags is escaped.
struct HTMLText {
  private(set) var text = ""

  mutating func raw(_ markup: String) { text += markup }

  mutating func text(_ plain: String) {
    for scalar in plain.unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      case "'": text += "&#39;"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }

  mutating func element(_ name: String, _ plain: String) {
    raw("<\(name)>")
    text(plain)
    raw("</\(name)>")
  }

  mutating func table(_ title: String, _ columns: [String], _ rows: [[String]]) {
    element("h2", title)
    if rows.isEmpty { return element("p", "none") }
    raw("<table><thead><tr>")
    for column in columns { element("th", column) }
    raw("</tr></thead><tbody>")
    for row in rows {
      raw("<tr>")
      for cell in row { element("td", cell) }
      raw("</tr>")
    }
    raw("</tbody></table>")
  }
}

/// Dark or light as the system is; no picture, no font, nothing from elsewhere.
enum AdminStyle {
  static let text = """
    :root { color-scheme: light dark; --line: #8884; --good: #2a7f3f; --bad: #b3261e; }
    body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
    header h1 { margin: 0; font-size: 1.4rem; }
    header p { margin: 0 0 1rem; opacity: .8; }
    h2 { font-size: 1.05rem; margin: 1.5rem 0 .4rem; }
    table { border-collapse: collapse; width: 100%; }
    th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; overflow-wrap: anywhere; }
    th { font-weight: 600; opacity: .7; }
    .good { border-left: 4px solid var(--good); padding-left: .6rem; }
    .bad { border-left: 4px solid var(--bad); padding-left: 1.6rem; white-space: pre-wrap; }
    a { color: inherit; }
    """
}

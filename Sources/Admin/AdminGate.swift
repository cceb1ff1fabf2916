import MeshBase
import Net

/// Decides who gets in, before anything else looks at a request.
@ControlActor
struct AdminGate {
  let options: AdminOptions
  private let hostName: String
  private let whitelist: [Regex<AnyRegexOutput>]
  private let blacklist: [Regex<AnyRegexOutput>]

  /// Throws for a pattern that is no regular expression, naming it.
  init(_ options: AdminOptions, hostName: String) throws(AdminRefusal) {
    self.options = options
    self.hostName = hostName.lowercased()
    whitelist = try Self.compile(options.pathWhitelist, "pathWhitelist")
    blacklist = try Self.compile(options.pathBlacklist, "pathBlacklist")
  }

  private static func compile(_ patterns: [String], _ key: String) throws(AdminRefusal) -> [Regex<AnyRegexOutput>] {
    var compiled: [Regex<AnyRegexOutput>] = []
    for pattern in patterns {
      guard let regex = try? Regex(pattern) else {
        throw AdminRefusal("admin.security.\(key): \"\(pattern)\" is not a regular expression")
      }
      compiled.append(regex)
    }
    return compiled
  }

  /// `isLocal`: came through the Unix socket, whose file's owner is the only one who can. True for such a request, and
  /// for one that bears the token.
  func check(_ request: ControlRequest, isLocal: Bool) throws(AdminFailure) -> Bool {
    if blacklist.contains(where: { request.path.contains($0) }) {
      throw AdminFailure(403, "\(request.path) is refused by admin.security.pathBlacklist")
    }
    let changes = !["GET", "HEAD", "OPTIONS"].contains(request.method)
    let isTrusted = try checkToken(request, changes: changes)
    if isLocal { return true }
    if changes { try checkOrigin(request) }
    if !isTrusted { try checkHost(request, changes: changes) }
    return isTrusted
  }

  /// Whether the part of the server that the route belongs to is switched on, or the path is whitelisted.
  func check(_ part: AdminRoute.Part, _ path: String) throws(AdminFailure) {
    let (isOn, key) =
      switch part {
      case .always: (true, "")
      case .ui: (options.isUIEnabled, "uiEnabled")
      case .control: (options.isControlEnabled, "controlEnabled")
      case .diagnostics: (options.isDiagnosticsEnabled, "diagnosticsEnabled")
      }
    if isOn || whitelist.contains(where: { (try? $0.wholeMatch(in: path)) != nil }) { return }
    throw AdminFailure(
      403, "\(path) is switched off: set admin.security.\(key), or add the path to admin.security.pathWhitelist")
  }

  /// True if the request bears the token.
  private func checkToken(_ request: ControlRequest, changes: Bool) throws(AdminFailure) -> Bool {
    guard let token = options.token else { return false }
    let given = request.headers["Authorization"]
    if let given, given.utf8.count > 7, given.prefix(7).lowercased() == "bearer ",
      Self.isEqual(Array(given.utf8.dropFirst(7)), Array(token.utf8))
    {
      return true
    }
    if given == nil && !changes && options.readsNeedNoToken { return false }
    throw AdminFailure(
      401, given == nil ? "send the token of admin.token: -H 'Authorization: Bearer TOKEN'" : "that is not the token",
      ["WWW-Authenticate": "Bearer realm=\"meshrouter\""])
  }

  /// Takes as long for a near miss as for any other text, so that the token cannot be guessed byte by byte.
  static func isEqual(_ given: [UInt8], _ token: [UInt8]) -> Bool {
    var difference = UInt64(given.count ^ token.count)
    for index in given.indices {
      difference |= UInt64(given[index] ^ (token.isEmpty ? 0 : token[index % token.count]))
    }
    return difference == 0
  }

  /// A page of another site must not change anything in the name of the one who looks at it.
  private func checkOrigin(_ request: ControlRequest) throws(AdminFailure) {
    if let site = request.headers["Sec-Fetch-Site"], site != "same-origin" && site != "none" {
      throw AdminFailure(403, "refused: a page of another site sent this (Sec-Fetch-Site: \(site))")
    }
    guard let origin = request.headers["Origin"] else { return }
    let host = request.headers["Host"] ?? ""
    if origin.lowercased() != "http://\(host)".lowercased() && origin.lowercased() != "https://\(host)".lowercased() {
      throw AdminFailure(403, "refused: a page of another site sent this (Origin: \(origin))")
    }
  }

  /// A site whose name was made to resolve to this host (DNS rebinding) looks like the same origin to a browser; its
  /// name in Host gives it away. Programs that only read may call this host what they like.
  private func checkHost(_ request: ControlRequest, changes: Bool) throws(AdminFailure) {
    let host = request.headers["Host"] ?? ""
    if host.isEmpty || isOwn(host) { return }
    let browserHeaders = ["Origin", "Referer", "Accept-Language", "Sec-Fetch-Site", "Sec-Fetch-Mode"]
    let isBrowser =
      request.headers["User-Agent"]?.hasPrefix("Mozilla/") == true
      || browserHeaders.contains { request.headers[$0] != nil }
    if changes || isBrowser {
      throw AdminFailure(
        403, "\"\(host)\" is not known as a name of this host: use its address or \(hostName), or send the admin token")
    }
  }

  private func isOwn(_ host: String) -> Bool {
    if SocketAddress(host) != nil { return true }
    var name = host.lowercased()
    if name.hasPrefix("["), let end = name.firstIndex(of: "]") {
      name = String(name[name.index(after: name.startIndex)..<end])
    } else if let colon = name.lastIndex(of: ":") {
      name = String(name[..<colon])
    }
    if SocketAddress(ip: name, port: 0) != nil || name == "localhost" || name.hasSuffix(".localhost") { return true }
    return name == hostName || name == hostName.prefix { $0 != "." }
      || options.hostNames.contains { $0.lowercased() == name }
  }
}

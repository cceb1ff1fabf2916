import ArgumentParser
import MeshBase
import Namers
import Net

/// Where the router's admin server is, for commands that ask it.
struct AdminOptions: ParsableArguments {
  static let standard = "http://127.0.0.1:9990"

  @Option(
    help: """
      The admin server: http://HOST:PORT or unix:PATH. By default the variable MESHROUTER_ADMIN, else \(standard).
      """)
  var admin: String?

  @Option(help: "File with the admin server's token. By default the variable MESHROUTER_TOKEN has the token itself.")
  var tokenFile: String?

  var address: String {
    admin ?? Host.environment("MESHROUTER_ADMIN").flatMap { $0.isEmpty ? nil : $0 } ?? Self.standard
  }

  func token() throws(CommandFailure) -> String? {
    guard let tokenFile else { return Host.environment("MESHROUTER_TOKEN").flatMap { $0.isEmpty ? nil : $0 } }
    let text = try inputText(tokenFile)
    return String(text.prefix { !$0.isNewline })
  }

  /// Sends one request and returns what came back with a status below 400.
  ///
  /// So does one of `expecting`. Another status ends the command: 401 and 403 with what to do about them, the rest with the server's own words.
  func request(
    _ path: String, method: String = "GET", accept: String? = nil, headers: [(String, String)] = [],
    body: String? = nil, expecting: Set<Int> = []
  ) throws -> ControlClientResponse {
    var fields = ControlHeaders()
    if let accept { fields.add("Accept", accept) }
    if let token = try token() { fields.add("Authorization", "Bearer \(token)") }
    for (name, value) in headers { fields.add(name, value) }
    let response = try send(method, path, fields, body)
    switch response.status {
    case ..<400: return response
    case let status where expecting.contains(status): return response
    case 401, 403:
      throw CommandFailure(
        .problem, "\(address) refused: \(response.text.trimmedEnd)",
        "Give the router's admin.token by --token-file or in the variable MESHROUTER_TOKEN.")
    default:
      throw CommandFailure(.problem, response.text.trimmedEnd)
    }
  }

  private func send(
    _ method: String, _ path: String, _ fields: ControlHeaders, _ body: String?
  ) throws -> ControlClientResponse {
    let location = try AdminLocation(address)
    do {
      return try ControlActor.runBlocking {
        let client = ControlHTTPClient(to: try await location.target(), host: location.host)
        return try await client.request(method, path, headers: fields, body: body.map { Array($0.utf8) })
      }
    } catch let error as ControlHTTPError {
      throw CommandFailure(
        .unreachable, "\(error)", "Is the router running? Its admin server is where admin.ip and admin.port say;",
        "name another one by --admin http://HOST:PORT or the variable MESHROUTER_ADMIN.")
    } catch let error as ResolverError {
      throw CommandFailure(.unreachable, "\(address): \(error)")
    }
  }
}

/// An admin server's address as it is written on the command line.
struct AdminLocation: Sendable {
  private enum Place: Sendable {
    case unixSocket(String)
    case host(String, UInt16)
  }

  private let place: Place

  /// Accepts `http://HOST[:PORT][/]`, `HOST:PORT` and `unix:PATH`.
  init(_ text: String) throws(CommandFailure) {
    if text.hasPrefix("unix:") {
      place = .unixSocket(String(text.dropFirst(5)))
      return
    }
    if text.hasPrefix("https://") {
      throw CommandFailure(.usage, "\(text): the admin server speaks http, not https")
    }
    var rest = text.hasPrefix("http://") ? text.dropFirst(7) : Substring(text)
    if rest.hasSuffix("/") { rest.removeLast() }
    let closing = rest.lastIndex(of: "]")
    let colon = rest.lastIndex(of: ":").flatMap { colon in closing.map { colon > $0 } ?? true ? colon : nil }
    let port = colon.map { UInt16(rest[rest.index(after: $0)...]) } ?? 9_990
    var host = colon.map { rest[..<$0] } ?? rest
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard let port, !host.isEmpty, !host.contains("/") else {
      throw CommandFailure(
        .usage, "\"\(text)\" is no address of an admin server", "Write http://HOST:PORT or unix:PATH.")
    }
    place = .host(String(host), port)
  }

  /// For the Host field.
  var host: String? {
    guard case .host(let host, let port) = place else { return nil }
    return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  @ControlActor
  func target() async throws -> ControlHTTPTarget {
    switch place {
    case .unixSocket(let path): return .unixSocket(path)
    case .host(let host, let port):
      if let address = SocketAddress(ip: host, port: port) { return .address(address) }
      guard let address = try await Resolver().addresses(of: host).first else {
        throw ResolverError("\(host) has no address")
      }
      return .address(address.withPort(port))
    }
  }
}

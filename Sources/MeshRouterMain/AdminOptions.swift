import ArgumentParser
import MeshBase
import Namers
import Net

/// Where the router's admin server is, for commands that ask it.
struct AdminOptions: ParsableArguments {
  static let standard = "http://127.0.0.1:9990"

  @Option(
    help: """
      The admin server: http://HOST:PORT, https://HOST:PORT or unix:PATH. By default the variable MESHROUTER_ADMIN, else \(standard).
      """)
  var admin: String?

  @Option(help: "File with the admin server's token. By default the variable MESHROUTER_TOKEN has the token itself.")
  var tokenFile: String?

  @Option(
    help: """
      PEM file of the roots that vouch for an https admin server. By default the variable MESHROUTER_CA, else the \
      system's.
      """)
  var ca: String?

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
    body: String? = nil, expecting: Set<Int> = [], timeoutMilliseconds: UInt64? = nil
  ) throws -> ControlClientResponse {
    var fields = ControlHeaders()
    if let accept { fields.add("Accept", accept) }
    if let token = try token() { fields.add("Authorization", "Bearer \(token)") }
    for (name, value) in headers { fields.add(name, value) }
    let response = try send(method, path, fields, body, timeoutMilliseconds)
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
    _ method: String, _ path: String, _ fields: ControlHeaders, _ body: String?, _ timeoutMilliseconds: UInt64?
  ) throws -> ControlClientResponse {
    let location = try AdminLocation(address)
    var security: ControlHTTPClient.Security?
    if let name = location.securedName { security = try secured(expecting: name) }
    let proof = security
    var options = ControlHTTPClient.Options()
    if let timeoutMilliseconds { options.responseMilliseconds = timeoutMilliseconds }
    let wish = options
    do {
      return try ControlActor.runBlocking {
        let client = ControlHTTPClient(
          to: try await location.target(), host: location.host, security: proof, options: wish)
        return try await client.request(method, path, headers: fields, body: body.map { Array($0.utf8) })
      }
    } catch ControlHTTPError.handshake(_, let error) {
      throw CommandFailure(
        .unreachable, "\(address): \(error)", "Name the roots that vouch for it by --ca FILE, and it by its own name.")
    } catch let error as ControlHTTPError {
      throw CommandFailure(
        .unreachable, "\(error)", "Is the router running? Its admin server is where admin.ip and admin.port say;",
        "name another one by --admin http://HOST:PORT or the variable MESHROUTER_ADMIN.")
    } catch let error as ResolverError {
      throw CommandFailure(.unreachable, "\(address): \(error)")
    }
  }
}

extension AdminOptions {
  private func secured(expecting name: String) throws(CommandFailure) -> ControlHTTPClient.Security {
    var options = TLSClientContext.Options()
    let file = ca ?? Host.environment("MESHROUTER_CA").flatMap { $0.isEmpty ? nil : $0 }
    if let file { options.trust = .files([file]) }
    do throws(TLSLoadError) {
      return ControlHTTPClient.Security(try TLSClientContext(options), expectedName: name)
    } catch {
      throw CommandFailure(.usage, "\(error)")
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
  private let isSecured: Bool

  /// Accepts `http://HOST[:PORT][/]`, `https://` with the same, `HOST:PORT` and `unix:PATH`.
  init(_ text: String) throws(CommandFailure) {
    if text.hasPrefix("unix:") {
      place = .unixSocket(String(text.dropFirst(5)))
      isSecured = false
      return
    }
    isSecured = text.hasPrefix("https://")
    var rest = isSecured ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : Substring(text)
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

  /// What the server's certificate must be for; `nil`: clear text.
  var securedName: String? {
    guard isSecured, case .host(let host, _) = place else { return nil }
    return host
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

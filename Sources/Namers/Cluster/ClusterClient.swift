import HTTP
import MeshBase
import Net

/// A question to a cluster manager.
public struct ClusterRequest: Sendable {
  public var method: String
  /// With the query; begins with `/`.
  public var path: String
  public var headers: ControlHeaders
  public var body: [UInt8]?
  /// Until the answer's head is there; `nil`: as the client's options say. For questions that the server holds back.
  public var responseMilliseconds: UInt64?

  public init(
    _ method: String, _ path: String, headers: ControlHeaders = ControlHeaders(), body: [UInt8]? = nil,
    responseMilliseconds: UInt64? = nil
  ) {
    self.method = method
    self.path = path
    self.headers = headers
    self.body = body
    self.responseMilliseconds = responseMilliseconds
  }

  /// A GET.
  public init(_ path: String, headers: ControlHeaders = ControlHeaders(), responseMilliseconds: UInt64? = nil) {
    self.init("GET", path, headers: headers, responseMilliseconds: responseMilliseconds)
  }
}

/// A whole answer.
public struct ClusterResponse: Sendable {
  public var status: Int
  public var headers: ControlHeaders
  public var body: [UInt8]
  /// Who answered in the end.
  public var host: ClusterHost
  /// Of the body as it came, compressed or not.
  public var receivedBytes: Int

  /// Throws unless the status is 2xx; the error has the beginning of the body.
  public func requireSuccess(_ request: ClusterRequest) throws(ClusterError) -> ClusterResponse {
    if (200..<300).contains(status) { return self }
    let text = String(decoding: body.prefix(200), as: UTF8.self).split(separator: "\n").first.map { ": \($0)" } ?? ""
    throw ClusterError(
      .status(status), "\(request.method) \(host)\(request.path): \(status)\(text); \(ClusterError.remedy(status))")
  }
}

/// What every namer that asks a cluster manager over HTTP shares: several servers, of which the last good one is asked
/// first; redirects to the leader, with the body sent again; credentials, renewed once when they are refused; TLS;
/// gzip; time-outs; and errors that say who was asked for what and where to look.
///
/// An answer of any status but 401, 403 and the gateway failures (502, 503, 504: no leader, or overloaded) is handed
/// out; after one of those, or without an answer, the next server is asked. Requests are repeated on another server or
/// connection whatever their method, so only questions may be asked.
@ControlActor
public final class ClusterClient {
  public struct Options: Sendable {
    public var connectMilliseconds: UInt64 = 3_000
    /// Until an answer's head is there, and again for each further piece of its body.
    public var responseMilliseconds: UInt64 = 30_000
    /// Of an answer, after decompression.
    public var bodyBytesMax = 512 << 20
    public var redirectsMax = 5
    public var acceptsGzip = true
    /// What the Host field says; `nil`: the host that is asked.
    public var hostField: String?

    public init() {}
  }

  /// How servers prove who they are, and what they are shown.
  public struct Security: Sendable {
    public var context: TLSClientContext
    /// What a server's certificate must be for; `nil`: the host's own name.
    public var expectedName: String?

    public init(_ context: TLSClientContext, expectedName: String? = nil) {
      self.context = context
      self.expectedName = expectedName
    }
  }

  public let source: any LeaderSource
  /// For connections that are made from now on to `https` hosts; `nil`: the system's trust roots.
  public var security: Security?
  /// Lives as long as the client: what keeps `security` up to date.
  public var companion: AnyObject?
  public let options: Options
  private let resolver: Resolver
  private lazy var authorizer = ClusterAuthorizer(credentials) { [weak self] endpoint, body in
    await self?.logIn(endpoint, body) ?? .failure(ClusterError(.cancelled, "login: given up"))
  }
  private let credentials: ClusterCredentials
  /// Answered last: asked first.
  public private(set) var lastGood: ClusterHost?
  private var clients: [Place: ControlHTTPClient] = [:]
  /// More are closed, oldest or not: a cluster has a handful of servers.
  private static let clientsMax = 32

  private struct Place: Hashable {
    var address: SocketAddress
    var host: ClusterHost
  }

  public init(
    source: any LeaderSource, resolver: Resolver, security: Security? = nil, credentials: ClusterCredentials = .none,
    options: Options = Options()
  ) {
    self.source = source
    self.resolver = resolver
    self.security = security
    self.credentials = credentials
    self.options = options
  }

  public convenience init(
    hosts: [ClusterHost], resolver: Resolver, security: Security? = nil, credentials: ClusterCredentials = .none,
    options: Options = Options()
  ) {
    self.init(
      source: FixedHosts(hosts), resolver: resolver, security: security, credentials: credentials, options: options)
  }

  /// Logins made so far, of a service account.
  public var logins: Int { authorizer.logins }

  nonisolated static func isGatewayFailure(_ status: Int) -> Bool { (502...504).contains(status) }

  // MARK: Asking

  /// The whole answer.
  public func request(_ request: ClusterRequest) async throws(ClusterError) -> ClusterResponse {
    try await open(request).whole()
  }

  /// The answer's head; the body comes piece by piece.
  public func open(_ request: ClusterRequest) async throws(ClusterError) -> ClusterStream {
    let hosts = await hosts()
    guard !hosts.isEmpty else {
      let reason = source.lastError.map { ": \($0)" } ?? ""
      throw ClusterError(.noHosts, "\(request.method) \(request.path): \(source.description) gives no host\(reason)")
    }
    var failures: [ClusterError] = []
    for host in hosts {
      do throws(ClusterError) {
        let stream = try await follow(request, from: host)
        if Self.isGatewayFailure(stream.status) { throw stream.refusal(of: request) }
        lastGood = stream.host
        return stream
      } catch {
        if lastGood == host { lastGood = nil }
        guard error.isWorthAnotherHost else { throw error }
        failures.append(error)
      }
    }
    // The others usually fail for the same reason; the last one's text would hide the first.
    var error = failures[0]
    if failures.count > 1 { error.description = failures.map(\.description).joined(separator: "; ") }
    throw error
  }

  /// Asks every host anew next time, in the order of the source.
  public func forgetLastGood() { lastGood = nil }

  /// Closes idle connections.
  public func close() {
    for client in clients.values { client.close() }
    clients = [:]
  }

  /// Those to be asked; waits a moment where the source has not told of any yet, as when ZooKeeper is still being asked.
  private func hosts() async -> [ClusterHost] {
    if !candidates.isEmpty || source is FixedHosts { return candidates }
    let deadline = Clock.now.advanced(byMilliseconds: options.connectMilliseconds)
    let token = source.observe {}
    while candidates.isEmpty, Clock.now < deadline, !Task.isCancelled {
      try? await ControlActor.sleep(milliseconds: 10)
    }
    return withExtendedLifetime(token) { candidates }
  }

  private var candidates: [ClusterHost] {
    let hosts = source.hosts
    guard let lastGood else { return hosts }
    return [lastGood] + hosts.filter { $0 != lastGood }
  }

  // MARK: One host

  private func follow(_ request: ClusterRequest, from first: ClusterHost) async throws(ClusterError) -> ClusterStream {
    var host = first
    var request = request
    for _ in 0...options.redirectsMax {
      let stream = try await authorized(request, at: host)
      guard [301, 302, 303, 307, 308].contains(stream.status) else { return stream }
      let place = "\(request.method) \(host)\(request.path)"
      stream.close()
      guard let location = stream.headers["Location"], let next = host.following(location) else {
        throw ClusterError(
          .redirect, "\(place): \(stream.status) leads nowhere: \(stream.headers["Location"] ?? "no Location")")
      }
      if host.isSecure && !next.host.isSecure {
        throw ClusterError(.redirect, "\(place): redirected from https to \(next.host): not followed without TLS")
      }
      if stream.status == 303 {
        request.method = "GET"
        request.body = nil
      }
      host = next.host
      request.path = next.path
    }
    throw ClusterError(
      .redirect, "\(request.method) \(first): more than \(options.redirectsMax) redirects, at last to \(host)")
  }

  private func authorized(_ request: ClusterRequest, at host: ClusterHost) async throws(ClusterError) -> ClusterStream {
    var isSecondTry = false
    while true {
      let shown = try await authorizer.header()
      var headers = request.headers
      if let shown { headers.set("Authorization", shown) }
      var sent = request
      sent.headers = headers
      let stream = try await send(sent, to: host)
      guard stream.status == 401 || stream.status == 403 else { return stream }
      let place = "\(request.method) \(host)\(request.path)"
      stream.close()
      if stream.status == 401, !isSecondTry, try await authorizer.renew(after: shown) {
        isSecondTry = true
        continue
      }
      throw ClusterError(.refused, "\(place): \(stream.status): \(ClusterError.remedy(stream.status))")
    }
  }

  private func send(_ request: ClusterRequest, to host: ClusterHost) async throws(ClusterError) -> ClusterStream {
    let place = "\(request.method) \(host)\(request.path)"
    var request = request
    if options.acceptsGzip, request.headers["Accept-Encoding"] == nil { request.headers.add("Accept-Encoding", "gzip") }
    var last: ClusterError?
    for address in try await addresses(of: host, place) {
      let client = try client(for: host, at: address)
      do throws(ControlHTTPError) {
        let stream = try await client.open(
          request.method, request.path, headers: request.headers, body: request.body,
          responseMilliseconds: request.responseMilliseconds, isRepeatable: true)
        return ClusterStream(stream, host: host, place: place, bytesMax: options.bodyBytesMax)
      } catch {
        last = ClusterError(error, place)
        // A host may have several addresses, of which some do not answer.
        guard case .connect = error, last?.cause != .cancelled else { break }
      }
    }
    throw last ?? ClusterError(.unreachable, "\(place): \(host.host) has no address")
  }

  private func addresses(of host: ClusterHost, _ place: String) async throws(ClusterError) -> [SocketAddress] {
    do {
      return try await resolver.addresses(of: host.host).map { $0.withPort(host.port) }
    } catch {
      throw ClusterError(.unreachable, "\(place): \(error): is the name right, and known to this host's DNS?")
    }
  }

  private func client(for host: ClusterHost, at address: SocketAddress) throws(ClusterError) -> ControlHTTPClient {
    let place = Place(address: address, host: host)
    var transport: ControlHTTPClient.Security?
    if host.isSecure {
      let security = if let known = self.security { known } else { try systemSecurity() }
      transport = ControlHTTPClient.Security(security.context, expectedName: security.expectedName ?? host.host)
    }
    if let known = clients[place] {
      known.security = transport
      return known
    }
    if clients.count >= Self.clientsMax, let old = clients.keys.first { clients.removeValue(forKey: old)?.close() }
    var options = ControlHTTPClient.Options()
    options.connectMilliseconds = self.options.connectMilliseconds
    options.responseMilliseconds = self.options.responseMilliseconds
    options.idleConnectionsMax = 4
    let client = ControlHTTPClient(
      to: address, host: self.options.hostField ?? host.authority, security: transport, options: options)
    clients[place] = client
    return client
  }

  private func systemSecurity() throws(ClusterError) -> Security {
    do throws(TLSLoadError) {
      let made = Security(try TLSClientContext(TLSClientContext.Options()))
      security = made
      return made
    } catch {
      throw ClusterError(.tls, "TLS: \(error)")
    }
  }

  private func logIn(_ endpoint: String, _ body: [UInt8]) async -> Result<ClusterResponse, ClusterError> {
    guard let place = ClusterHost(host: "", port: 80).following(endpoint), !place.host.host.isEmpty else {
      return .failure(ClusterError(.refused, "login_endpoint \(endpoint): an absolute URL is needed"))
    }
    var request = ClusterRequest("POST", place.path, body: body)
    request.headers.add("Content-Type", "application/json")
    do throws(ClusterError) {
      return .success(try await send(request, to: place.host).whole())
    } catch {
      return .failure(error)
    }
  }
}

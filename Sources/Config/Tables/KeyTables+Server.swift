import MeshBase

extension KeyTables {
  static let server = ObjectTable<Configuration.Server>(
    { Configuration.Server() },
    [
      Key("ip", \.ip, .ipAddress, "Address to listen on."),
      Key(
        "port", \.port, .listenPort, defaultNote: "4140, 4142 of h2 routers",
        "Port to listen on; 0 lets the kernel choose."),
      Key(
        "clearContext", \.clearContext, .boolean, defaultNote: "true, on a loopback address false",
        "Take `l5d-*` and other context headers off requests, so that callers cannot choose their route."),
      Key(
        "maxConcurrentRequests", \.maxConcurrentRequests, .limit(),
        "Requests in progress, all workers together; beyond: `requestQueue`."),
      Key(
        "requestQueue", \.requestQueue, queue.codec, origin: .ours,
        "Requests above `maxConcurrentRequests` that wait, all workers together."),
      Key("rateLimits", \.rateLimits, .list(rateLimit.codec), origin: .ours, "How often callers may ask; all hold."),
      Key("maxConnections", \.maxConnections, .limit(), origin: .ours, "Open connections; beyond: closed at once."),
      Key(
        "addForwardedHeader", \.addForwardedHeader, .optional(forwardedHeader.codec), defaultNote: "off",
        "Add a `Forwarded` header (RFC 7239) to requests."),
      Key(
        "timestampHeader", \.timestampHeader, .optional(.headerName), defaultNote: "off",
        "A request header which gets the time of arrival in ms since 1970."),
      Key(
        "maxCallDepth", \.maxCallDepth, .integer(1...10_000),
        "Proxies a request may have passed, counted in `Via`; beyond: `loop.via_limit`."),
      Key("socketOptions", \.socketOptions, socketOptions.codec, "Options of accepted connections."),
      Key("serverSession", \.session, session(idle: 600_000).codec, "Life of a connection."),
      Key(
        "headerTimeoutMs", \.headerTimeoutMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "From the first byte of a request to the end of its header; beyond: `decode.slow`."),
      Key("allowConnect", \.allowConnect, .boolean, origin: .ours, "Serve CONNECT by a tunnel to the named endpoint."),
      .ignored("timeoutMs", .limit(max: .max), "Set service.totalTimeoutMs of the router."),
      .ignored("announce", .list(.text("text")), "Servers are not announced."),
      Key(
        "maxConcurrentStreamsPerConnection", \.maxConcurrentStreamsPerConnection, .integer(1...1_000_000),
        "HTTP/2: streams one connection may have open; beyond: REFUSED_STREAM."),
      Key("tls", \.tls, .optional(serverTLS().codec), defaultNote: "none", "Speak TLS."),
    ] + http2(serverLimits),
    finish: { server, written, trail, decoding in
      checkHTTP2(server, trail, &decoding)
      if server.requestQueue.size > 0, server.maxConcurrentRequests == nil {
        decoding.report(
          .warning, .ignoredKey, at: trail.key("requestQueue").canonical, "has no effect: nobody has to wait",
          remedy: "Set maxConcurrentRequests.")
      }
      if !written.contains("clearContext") {
        server.clearContext = SocketAddress(ip: server.ip, port: 0).map { !$0.isLoopback } ?? true
      }
    })

  static let socketOptions = ObjectTable<Configuration.Server.SocketOptions>(
    { Configuration.Server.SocketOptions() },
    [
      Key("noDelay", \.noDelay, .boolean, "TCP_NODELAY."),
      Key("keepAlive", \.keepAlive, .boolean, "SO_KEEPALIVE."),
      Key(
        "backlog", \.backlog, .integer(1...65_535), "Connections the kernel may hold before they are accepted."),
      Key("reuseAddr", \.reuseAddress, .boolean, "SO_REUSEADDR."),
      Key(
        "reusePort", \.reusePort, .boolean, "Accepted; each worker's listener has SO_REUSEPORT set whatever it says."),
      .ignored("readTimeoutMs", .limit(max: .max), "Set serverSession.idleTimeMs and streamIdleTimeoutMs."),
      .ignored("writeTimeoutMs", .limit(max: .max), "Set streamIdleTimeoutMs."),
    ])

  /// - Parameter idle: the default idle time in milliseconds.
  static func session(idle: Int) -> ObjectTable<Configuration.Session> {
    ObjectTable<Configuration.Session>({ Configuration.Session(idleTimeMilliseconds: idle) }, sessionKeys)
  }

  static let clientSession = ObjectTable<Configuration.Session>(
    { Configuration.Client().session },
    sessionKeys + [
      Key(
        "keepAliveMs", \.keepAliveMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "HTTP/2: with streams open and nothing heard for so long, a PING asks whether the endpoint lives."),
      Key(
        "keepAliveTimeoutMs", \.keepAliveTimeoutMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "HTTP/2: for the PING's answer; then the connection counts as dead."),
    ])

  private static var sessionKeys: [Key<Configuration.Session>] {
    [
      Key(
        "idleTimeMs", \.idleTimeMilliseconds, .milliseconds, unit: "ms",
        "A connection without a request for so long is closed."),
      Key(
        "lifeTimeMs", \.lifeTimeMilliseconds, .milliseconds, unit: "ms",
        "A connection so old is closed after its current request."),
    ]
  }

  static let forwardedHeader = ObjectTable<Configuration.Server.ForwardedHeader>(
    { Configuration.Server.ForwardedHeader() },
    [
      Key("by", \.by, labeler, "How the router is told."),
      Key("for", \.for, labeler, "How the caller is told."),
    ])

  private struct LabelFields: Sendable { var label = "" }

  static let labeler = Codec<Configuration.Server.Labeler>.kinds([
    labelerKind("ip", .ip, "The address."),
    labelerKind("ip:port", .ipAndPort, "The address with its port."),
    labelerKind("connectionRandom", .connectionRandom, "A random name per connection."),
    labelerKind("requestRandom", .requestRandom, "A random name per request."),
    labelerKind("router", .router, "The router's label."),
    KindCase(
      "static",
      ObjectTable<LabelFields>(
        { LabelFields() },
        [Key("label", \.label, .headerName, required: true, "The name to tell.")]), "A fixed name.",
      wrap: { .static($0.label) },
      unwrap: { value in
        if case .static(let label) = value { LabelFields(label: label) } else { nil }
      }),
  ])

  private static func labelerKind(
    _ kind: String, _ value: Configuration.Server.Labeler, _ meaning: String
  ) -> KindCase<Configuration.Server.Labeler> {
    KindCase(
      kind, ObjectTable<NoFields>({ NoFields() }, []), meaning, wrap: { _ in value },
      unwrap: { $0 == value ? NoFields() : nil })
  }
}

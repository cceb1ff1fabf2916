/// Why a request failed: one stable word `stage.cause`, the same in the answer's body, `l5d-err`, the access log,
/// the `reason` label of metrics and docs/errors.md.
///
/// Never renamed, only added. `ReasonCatalogueTests` keeps docs/errors.md in step.
public enum Reason: String, CaseIterable, Sendable {
  case decodeMalformed = "decode.malformed"
  case decodeFramingConflict = "decode.framing_conflict"
  case decodeTooLarge = "decode.too_large"
  case decodeUnsupported = "decode.unsupported"
  case decodeSlow = "decode.slow"
  case identifyNone = "identify.none"
  case identifyBadPath = "identify.bad_path"
  case identifyMisdirected = "identify.misdirected"
  case bindNeg = "bind.neg"
  case bindFail = "bind.fail"
  case bindTimeout = "bind.timeout"
  case bindNamerError = "bind.namer_error"
  case bindTooDeep = "bind.too_deep"
  case bindTooManyNodes = "bind.too_many_nodes"
  case bindBadOverride = "bind.bad_override"
  case pickNoEndpoints = "pick.no_endpoints"
  case pickOverload = "pick.overload"
  case pickRateLimited = "pick.rate_limited"
  case connectRefused = "connect.refused"
  case connectTimeout = "connect.timeout"
  case connectUnreachable = "connect.unreachable"
  case connectNoDescriptors = "connect.no_fds"
  case connectNoTunnel = "connect.no_tunnel"
  case tlsFailed = "tls.failed"
  case tlsClosed = "tls.closed"
  case tlsTimeout = "tls.timeout"
  case relayResetByServer = "relay.reset_by_server"
  case relayResetByClient = "relay.reset_by_client"
  case relayRefused = "relay.refused"
  case relaySuperseded = "relay.superseded"
  case relayBadResponse = "relay.bad_response"
  case relayIdleTimeout = "relay.idle_timeout"
  case relayTooSlowReader = "relay.too_slow_reader"
  case outcomeAttemptTimeout = "outcome.attempt_timeout"
  case outcomeTotalTimeout = "outcome.total_timeout"
  case outcomeDeadline = "outcome.deadline"
  case serverDraining = "server.draining"
  case serverMaxConnections = "server.max_connections"
  case loopViaLimit = "loop.via_limit"
  case faultInjected = "fault.injected"
}

extension Reason {
  /// Whose hands the remedy is in.
  public enum Fault: String, Sendable { case caller, router, backend, cluster }

  /// The HTTP status a caller sees when nothing of a response has been passed on yet.
  ///
  /// `decode.too_large` is refined to 414 for the request line and 413 for a body; `decode.unsupported` to 505 for
  /// the version. 499 is for logs only: the caller has gone.
  public var status: Int {
    switch self {
    case .decodeMalformed, .decodeFramingConflict, .identifyNone, .identifyBadPath, .bindBadOverride, .loopViaLimit: 400
    case .decodeSlow: 408
    case .identifyMisdirected: 421
    case .pickRateLimited: 429
    case .decodeTooLarge: 431
    case .relayResetByClient, .relaySuperseded, .relayTooSlowReader: 499
    case .decodeUnsupported: 501
    case .bindNeg, .bindFail, .bindNamerError, .bindTooDeep, .bindTooManyNodes: 502
    case .connectRefused, .connectUnreachable, .connectNoTunnel, .tlsFailed, .tlsClosed, .relayResetByServer,
      .relayBadResponse:
      502
    case .bindTimeout, .pickNoEndpoints, .pickOverload, .connectNoDescriptors, .relayRefused, .serverDraining,
      .serverMaxConnections, .faultInjected:
      503
    case .connectTimeout, .tlsTimeout, .relayIdleTimeout, .outcomeAttemptTimeout, .outcomeTotalTimeout,
      .outcomeDeadline:
      504
    }
  }

  public var fault: Fault {
    switch self {
    case .decodeMalformed, .decodeFramingConflict, .decodeTooLarge, .decodeUnsupported, .decodeSlow, .identifyNone,
      .identifyBadPath, .identifyMisdirected, .bindBadOverride, .pickRateLimited, .relayResetByClient,
      .relayTooSlowReader:
      .caller
    case .bindNeg, .bindFail, .bindTimeout, .bindNamerError, .bindTooDeep, .bindTooManyNodes, .pickNoEndpoints: .cluster
    case .pickOverload, .connectNoDescriptors, .relaySuperseded, .serverDraining, .serverMaxConnections, .loopViaLimit,
      .faultInjected:
      .router
    case .connectRefused, .connectTimeout, .connectUnreachable, .connectNoTunnel, .tlsFailed, .tlsClosed, .tlsTimeout,
      .relayResetByServer, .relayRefused, .relayBadResponse, .relayIdleTimeout, .outcomeAttemptTimeout,
      .outcomeTotalTimeout, .outcomeDeadline:
      .backend
    }
  }

  /// Whether the request surely was not processed, so that a caller may send it again whatever its method.
  /// This is what `l5d-retryable: true` on the answer says, unless `isShed`.
  public var neverProcessed: Bool {
    switch self {
    case .bindNeg, .bindFail, .bindTimeout, .bindNamerError, .bindTooDeep, .bindTooManyNodes, .pickNoEndpoints,
      .pickOverload, .pickRateLimited, .connectRefused, .connectTimeout, .connectUnreachable, .connectNoDescriptors,
      .connectNoTunnel, .tlsFailed, .tlsClosed, .tlsTimeout, .relayRefused, .serverDraining, .serverMaxConnections:
      true
    default: false
    }
  }

  /// Whether the request was turned away because there are too many. It was not processed, but whoever sends it again at
  /// once makes things worse: the answer says `Retry-After` and not `l5d-retryable`, so that routers in line do not
  /// multiply what is too much already.
  public var isShed: Bool {
    switch self {
    case .pickOverload, .pickRateLimited, .serverMaxConnections: true
    default: false
    }
  }

  /// One sentence: what happened.
  public var meaning: String {
    switch self {
    case .decodeMalformed: "The request is not valid HTTP/1.x (RFC 9112), so it was refused and not repaired."
    case .decodeFramingConflict:
      "The request's length cannot be told for sure (Content-Length and Transfer-Encoding contradict each other, repeat "
        + "or are malformed), which is how request smuggling works."
    case .decodeTooLarge: "The request line, a header or all headers together exceed the configured limit."
    case .decodeUnsupported: "The request uses a version or transfer coding that this router does not implement."
    case .decodeSlow: "The request's head did not arrive within the server's header time-out."
    case .identifyNone: "No identifier of the router could derive a name from the request."
    case .identifyBadPath: "A name was derived from the request but it is not a valid path."
    case .identifyMisdirected:
      "The request is for another host than its TLS connection: the certificate shown does not cover it."
    case .bindNeg: "The name does not resolve: no dtab entry and no namer knows it."
    case .bindFail: "The dtab says that this name must fail (`!` or /$/fail)."
    case .bindTimeout: "The name was not resolved within `bindingTimeoutMs`."
    case .bindNamerError: "A namer could not answer, and it had no earlier answer to fall back on."
    case .bindTooDeep:
      "Resolving the name took more than 100 rewriting steps; usually two dtab entries rewrite to each other."
    case .bindTooManyNodes:
      "Resolving the name would visit more nodes than the budget allows; the table fans out exponentially."
    case .bindBadOverride: "The request's `l5d-dtab` or `l5d-ctx-dtab` header is not a valid dtab."
    case .pickNoEndpoints: "The name resolves, but the set of endpoints behind it is empty."
    case .pickOverload:
      "This client's endpoints have all the requests they can take: its concurrency limit is reached, or too many already "
        + "wait for a connection."
    case .pickRateLimited: "There were more requests than `rateLimits` allows."
    case .connectRefused: "The endpoint refused the connection, and so did the others that were tried."
    case .connectTimeout: "The endpoint did not accept the connection within the connect time-out."
    case .connectUnreachable: "There is no route to the endpoint's address."
    case .connectNoDescriptors: "The router has no file descriptors left to connect with."
    case .connectNoTunnel:
      "The request is a WebSocket, and the endpoint, which speaks HTTP/2, takes none there (extended CONNECT, RFC 8441)."
    case .tlsFailed: "The endpoint and the router did not agree on TLS; the answer's body says why."
    case .tlsClosed: "The endpoint closed the connection during the TLS handshake."
    case .tlsTimeout: "The TLS handshake with the endpoint did not end within the connect time-out."
    case .relayResetByServer: "The endpoint closed the connection before a whole response had arrived."
    case .relayResetByClient: "The caller went away before the response was complete."
    case .relayRefused: "The endpoint refused the HTTP/2 stream without processing it, each time it was tried."
    case .relaySuperseded: "Another endpoint, asked as well (`service.hedge`), answered first."
    case .relayBadResponse: "The endpoint's response is not valid HTTP/1.x, or contradicts itself."
    case .relayIdleTimeout: "Nothing moved on the exchange for the idle time-out."
    case .relayTooSlowReader: "The caller did not read its response for the idle time-out."
    case .outcomeAttemptTimeout: "The endpoint did not answer within `requestAttemptTimeoutMs`."
    case .outcomeTotalTimeout: "All attempts together took longer than `totalTimeoutMs`."
    case .outcomeDeadline: "The caller's deadline passed, so nobody waits for the answer any more."
    case .serverDraining: "The router is shutting down and takes no new requests on this connection."
    case .serverMaxConnections: "The server has as many connections or requests as its limit allows."
    case .loopViaLimit: "The request has passed through more proxies than `maxCallDepth`; it probably runs in a circle."
    case .faultInjected: "The request was refused on purpose: `service.faults` of the router says so."
    }
  }

  /// What to do, likeliest first; shell commands are copied as they stand.
  public var remedies: [String] {
    switch self {
    case .decodeMalformed, .decodeFramingConflict:
      [
        "Read the answer's body: it names the byte and the rule.",
        "Look at what sends it: `curl -v` speaks valid HTTP; home-made clients often do not.",
      ]
    case .decodeTooLarge:
      [
        "Send smaller headers (cookies are the usual cause).",
        "Raise `maxHeadersKB` or `maxInitialLineKB` of the router.",
      ]
    case .decodeUnsupported: ["Use HTTP/1.1 with `Transfer-Encoding: chunked` or a Content-Length."]
    case .decodeSlow: ["Look for a stalled client or network.", "Raise the server's `headerTimeoutMs`."]
    case .identifyNone:
      [
        "Send what the identifier reads; by default that is the Host header.",
        "meshrouter why URL shows what each identifier made of it.",
      ]
    case .identifyBadPath:
      ["A label may hold letters, digits and _ : . # $ % -; other bytes as \\xHH.", "meshrouter why URL"]
    case .identifyMisdirected:
      [
        "Make a connection that asks for the request's host by SNI: curl https://HOST:PORT --connect-to ::ROUTER:PORT",
        "Or add the host to the certificate's names; the answer's body has both.",
        "`rejectMisdirected: false` in the server's `tls` serves such requests.",
      ]
    case .bindNeg:
      ["meshrouter why URL shows each step and near names.", "Add the service to the namer, or an entry to the dtab."]
    case .bindFail: ["Look for `!` in the dtab: meshrouter dtab lookup NAME."]
    case .bindTimeout, .bindNamerError:
      [
        "Look at the namer's state and last error: curl localhost:9990/namer_state.json",
        "Check that its source can be reached from this host.",
      ]
    case .bindTooDeep, .bindTooManyNodes: ["meshrouter dtab lookup NAME shows where the rewriting repeats or fans out."]
    case .bindBadOverride: ["The answer's body shows the place with a caret.", "meshrouter dtab fmt checks a dtab."]
    case .pickNoEndpoints:
      [
        "See what the namer reports: curl localhost:9990/client_state.json",
        "Start an instance, or let the dtab fail over with `|`.",
      ]
    case .pickOverload:
      [
        "Add endpoints, or send less: the answer's body tells which limit it was.",
        "Raise `client.concurrencyLimit` (its `max`, `tolerance` or `queue`), or `client.hostConnectionPool.maxWaiters`.",
      ]
    case .pickRateLimited:
      [
        "Send again when `Retry-After` says so; the answer's body tells which limit it was.",
        "Raise `requestsPerSecond` or `burst` of the router's, the server's or the service's `rateLimits`.",
      ]
    case .connectRefused, .connectUnreachable:
      [
        "Is the process up, and on that port? The answer's body lists the addresses that were tried.",
        "Is the namer's list stale? curl localhost:9990/client_state.json",
      ]
    case .connectTimeout: ["Look for a firewall or an overloaded host.", "Raise `client.connectTimeoutMs`."]
    case .connectNoDescriptors: ["Raise the limit: `ulimit -n 65536`, or LimitNOFILE= in the unit."]
    case .connectNoTunnel:
      [
        "Set `client.protocol` to `auto` or `h1`: WebSockets then go by HTTP/1.",
        "Or let the endpoint announce SETTINGS_ENABLE_CONNECT_PROTOCOL.",
      ]
    case .tlsFailed, .tlsClosed:
      [
        "Compare what the endpoint shows with `client.tls`: openssl s_client -connect HOST:PORT -servername NAME",
        "Does the endpoint speak TLS on that port, and does it ask for a client certificate?",
      ]
    case .tlsTimeout:
      ["Look for an endpoint that does not speak TLS, or is overloaded.", "Raise `client.connectTimeoutMs`."]
    case .relayResetByServer: ["Look at the endpoint's log: it crashed, restarted or closed an idle connection."]
    case .relayRefused:
      ["Is the endpoint shutting down, or at its limit of streams? Its log says; others of the set take over."]
    case .relayResetByClient: ["Nothing on this side; look at the caller's time-out."]
    case .relaySuperseded: ["Nothing to do; where there are many, look at what makes some endpoints slow."]
    case .relayBadResponse: ["The answer's body names the rule that was broken; the endpoint has to be mended."]
    case .relayIdleTimeout, .relayTooSlowReader: ["Raise `streamIdleTimeoutMs` if such pauses are normal."]
    case .outcomeAttemptTimeout: ["Look at the endpoint's latency.", "Raise `client.requestAttemptTimeoutMs`."]
    case .outcomeTotalTimeout: ["Raise `service.totalTimeoutMs`, or look at why attempts fail."]
    case .outcomeDeadline:
      [
        "Look at what takes so long: `meshrouter why URL`, the access log's times.",
        "Give the caller more time: `l5d-ctx-deadline`, `grpc-timeout`, the router's `timeoutHeader`.",
        "If the deadline had passed when the request came, compare the hosts' clocks.",
      ]
    case .serverDraining: ["Send the request again: another router, or this one once it is back, takes it."]
    case .serverMaxConnections:
      [
        "Raise `maxConcurrentRequests` or `maxConnections` of the server, or look at who holds them.",
        "Let requests wait for a moment: `requestQueue` of the server.",
      ]
    case .loopViaLimit: ["meshrouter why URL: does the name lead back to a router?"]
    case .faultInjected:
      [
        "Nothing is wrong. `meshrouter why URL` shows which entry of `service` has the `faults`.",
        "Take them out and reload: kill -HUP, or curl -X POST localhost:9990/admin/reload",
      ]
    }
  }
}

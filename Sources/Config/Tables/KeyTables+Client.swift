extension KeyTables {
  static let client = ObjectTable<Configuration.Client>(
    { Configuration.Client() },
    [
      Key("loadBalancer", \.loadBalancer, loadBalancer, "How an endpoint is chosen for a request."),
      Key("hostConnectionPool", \.pool, pool.codec, "Connections to one endpoint, per worker."),
      Key(
        "connectTimeoutMs", \.connectTimeoutMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "For a connection to be made; then another endpoint is tried."),
      Key(
        "requestAttemptTimeoutMs", \.requestAttemptTimeoutMilliseconds, .milliseconds, unit: "ms",
        "For one attempt, to the end of the response's header; beyond: `outcome.attempt_timeout`."),
      Key(
        "requeueBudget", \.requeueBudget, retryBudget.codec,
        "What pays for sending a request again of which nothing was processed for certain."),
      Key("clientSession", \.session, clientSession.codec, "Life of a connection."),
      Key(
        "protocol", \.protocol, .choice(), origin: .ours, defaultNote: "h2 for h2 routers, else h1",
        "What endpoints speak: HTTP/1.1, HTTP/2 (in clear text by prior knowledge), or `auto`: with TLS what ALPN "
          + "agrees on, in clear text what the caller spoke to the first router on the way."),
      Key("tls", \.tls, .optional(clientTLS.codec), defaultNote: "none", "Speak TLS to endpoints."),
      Key(
        "failureAccrual", \.failureAccrual, failureAccrual, "When an endpoint is taken out for its failures."),
      Key(
        "latencyOutliers", \.latencyOutliers, .optional(latencyOutliers.codec), origin: .ours, defaultNote: "none",
        "Take out an endpoint that answers much later than the others."),
      Key(
        "maxEjectedPercent", \.maxEjectedPercent, .integer(1...100), unit: "%", origin: .ours,
        "Endpoints of a bound name that are taken out at a time at most, but always one; the others stay, whatever they"
          + " do."),
      Key(
        "slowStartMs", \.slowStartMilliseconds, .integer(0...3_600_000), unit: "ms", origin: .ours,
        "Until an endpoint that has come, or come back, takes its whole share of the requests: it begins with a tenth."
          + " 0: it takes it at once. Not for `ring`."),
      Key(
        "concurrencyLimit", \.concurrencyLimit, concurrencyLimit, origin: .ours, defaultNote: "kind `none`",
        "Attempts that may be out at once, per worker, as the endpoints' latency allows; beyond: `pick.overload`."),
      .ignored("failFast", .boolean, "Set failureAccrual."),
      Key(
        "forwardClientCert", \.forwardClientCert, .boolean,
        "Tell endpoints the caller's verified certificate in `x-forwarded-client-cert`. One that a caller sent is taken"
          + " off in any case."),
      .ignored("requestAuthorizers", .list(.map(.text("anything"))), "Requests are not authorised."),
    ] + clientTraffic + http2(clientLimits), strays: perNameStrays,
    finish: { client, _, trail, decoding in checkHTTP2(client, trail, &decoding) })

  static let clientRefinement = refinement(
    client,
    "Bound ids that the entry is for, as a pattern of their first labels: `/#/io.l5d.fs/*`, `/#/io.l5d.fs/{service}`. The"
      + " captures may stand in `tls.commonName`."
  ) { client, written, trail, decoding in
    // With one of them, the other may come from another entry.
    if written.isSuperset(of: ["initialStreamWindowBytes", "maxStreamWindowBytes"]) {
      checkHTTP2(client, trail, &decoding)
    }
  }

  static let pool = ObjectTable<Configuration.Client.Pool>(
    { Configuration.Client.Pool() },
    [
      Key("minSize", \.minSize, .integer(0...100_000), "Connections kept open when idle."),
      Key("maxSize", \.maxSize, .limit(max: 1_000_000), "Connections at most; beyond, requests wait."),
      Key(
        "idleTimeMs", \.idleTimeMilliseconds, .milliseconds, unit: "ms",
        "A connection above `minSize` without a request for so long is closed; none: as `clientSession.idleTimeMs`."),
      Key(
        "maxWaiters", \.maxWaiters, .integer(0...1_000_000),
        "Requests which may wait when no more connections may be opened; beyond: `pick.overload`."),
    ],
    finish: { pool, _, trail, decoding in
      if let most = pool.maxSize, most < pool.minSize {
        decoding.report(
          .error, .conflict, at: trail.key("minSize").canonical, "\(pool.minSize) is more than maxSize (\(most))")
      }
    })

  /// What every balancer has, around what its kind has.
  private struct BalancerFields<Details: Sendable>: Sendable {
    var maxEffort = Configuration.LoadBalancer().maxEffort
    var details: Details
  }
  private struct EwmaFields: Sendable { var decayTimeMilliseconds = 10_000 }

  static let loadBalancer = Codec<Configuration.LoadBalancer>.kinds(
    [
      balancerKind(
        "ewma", EwmaFields(), "The better of two endpoints drawn at random, by peak-sensitive latency times load.",
        [
          Key(
            "decayTimeMs", \.details.decayTimeMilliseconds, .milliseconds, unit: "ms",
            "How long an observed latency counts.")
        ], wrap: { .ewma(decayTimeMilliseconds: $0.decayTimeMilliseconds) },
        unwrap: { kind in
          if case .ewma(let decay) = kind { EwmaFields(decayTimeMilliseconds: decay) } else { nil }
        }),
      balancerKind(
        "p2c", NoFields(), "The less loaded of two endpoints drawn at random.", [], wrap: { _ in .p2c },
        unwrap: { $0 == .p2c ? NoFields() : nil }),
      balancerKind(
        "aperture", Configuration.LoadBalancer.Aperture(),
        "As p2c, among a subset which grows and shrinks with the load.",
        [
          Key(
            "smoothWindowMs", \.details.smoothWindowMilliseconds, .milliseconds, unit: "ms",
            "Window of the moving average of the load."),
          Key("lowLoad", \.details.lowLoad, .number(0...1_000_000), "Mean load per endpoint below which it shrinks."),
          Key("highLoad", \.details.highLoad, .number(0...1_000_000), "Mean load per endpoint above which it grows."),
          Key("minAperture", \.details.minAperture, .integer(1...100_000), "Endpoints at least."),
        ], wrap: { .aperture($0) },
        unwrap: { kind in
          if case .aperture(let aperture) = kind { aperture } else { nil }
        },
        check: { aperture, trail, decoding in
          if aperture.lowLoad >= aperture.highLoad {
            decoding.report(
              .error, .conflict, at: trail.key("lowLoad").canonical,
              "\(plain(aperture.lowLoad)) is not less than highLoad (\(plain(aperture.highLoad)))")
          }
        }),
      balancerKind(
        "roundRobin", NoFields(), "Each in turn.", [], wrap: { _ in .roundRobin },
        unwrap: { $0 == .roundRobin ? NoFields() : nil }),
      balancerKind(
        "ring", Configuration.LoadBalancer.Ring(), origin: .ours,
        "Consistent hashing: the same caller, the same endpoint.",
        [
          Key(
            "hashHeader", \.details.hashHeader, .optional(.headerName), origin: .ours, defaultNote: "none",
            "The request header to hash; without it, the caller's address."),
          Key(
            "hashCookie", \.details.hashCookie, .optional(.cookieName), origin: .ours, defaultNote: "none",
            "The cookie to hash in place of a header, such as an application's session; without it, the address."),
          Key(
            "pointsPerEndpoint", \.details.pointsPerEndpoint, .integer(1...10_000), origin: .ours,
            "Points of an endpoint of weight 1 on the ring: more spread the load more evenly."),
          Key(
            "loadBound", \.details.loadBound, .number(0...1_000), origin: .ours,
            "Pass over an endpoint with more than this multiple of its fair share of requests in progress; 0: never."),
        ], wrap: { .ring($0) },
        unwrap: { kind in
          if case .ring(let ring) = kind { ring } else { nil }
        },
        check: { ring, trail, decoding in
          if ring.hashHeader != nil, ring.hashCookie != nil {
            decoding.report(
              .error, .conflict, at: trail.key("hashCookie").canonical, "there is a hashHeader as well",
              remedy: "Keep one of them.")
          }
          if ring.loadBound > 0, ring.loadBound <= 1 {
            decoding.report(
              .error, .outOfRange, at: trail.key("loadBound").canonical,
              "\(plain(ring.loadBound)) would refuse endpoints which have a fair share",
              remedy: "Write 0, or a number above 1 such as 1.25.")
          }
        }),
    ], default: "ewma", unsupported: ["heap": "Use p2c or ewma."])

  private static func balancerKind<Details>(
    _ kind: String, _ fresh: Details, origin: KeyShape.Origin = .linkerd, _ meaning: String,
    _ keys: [Key<BalancerFields<Details>>], wrap: @escaping @Sendable (Details) -> Configuration.LoadBalancer.Kind,
    unwrap: @escaping @Sendable (Configuration.LoadBalancer.Kind) -> Details?,
    check: @escaping @Sendable (Details, KeyTrail, inout Decoding) -> Void = { _, _, _ in }
  ) -> KindCase<Configuration.LoadBalancer> {
    KindCase(
      kind,
      ObjectTable<BalancerFields<Details>>(
        { BalancerFields(details: fresh) },
        keys + [
          Key(
            "maxEffort", \.maxEffort, .integer(1...100), "Draws to find an endpoint which is up before any is taken."),
          .ignored("enableProbation", .boolean, "Connections to an endpoint that was removed end with their requests."),
        ], finish: { fields, _, trail, decoding in check(fields.details, trail, &decoding) }),
      origin: origin, meaning,
      wrap: { fields in
        var balancer = Configuration.LoadBalancer()
        balancer.kind = wrap(fields.details)
        balancer.maxEffort = fields.maxEffort
        return balancer
      },
      unwrap: { balancer in
        unwrap(balancer.kind).map { BalancerFields(maxEffort: balancer.maxEffort, details: $0) }
      })
  }

  static let retryBudget = ObjectTable<Configuration.RetryBudget>(
    { Configuration.RetryBudget() },
    [
      Key("minRetriesPerSec", \.minRetriesPerSecond, .integer(0...100_000), unit: "/s", "Always allowed."),
      Key(
        "percentCanRetry", \.percentCanRetry, .number(0...1_000), "Retries per request: 0.2 is one for five requests."),
      Key("ttlSecs", \.ttlSeconds, .integer(1...60), unit: "s", "How long a request counts."),
    ])

  static let service = ObjectTable<Configuration.Service>(
    { Configuration.Service() },
    [
      Key(
        "totalTimeoutMs", \.totalTimeoutMilliseconds, .milliseconds, unit: "ms",
        "Over all attempts, to the end of the response's header; beyond: `outcome.total_timeout`."),
      Key("responseClassifier", \.responseClassifier, responseClassifier, "What is a success, and what is retried."),
      Key("retries", \.retries, retries.codec, "How what the classifier finds retryable is tried again."),
      Key(
        "retryBufferSize", \.retryBufferSize, retryBufferSize.codec, "What is kept of a request to send it again."),
      Key(
        "hedge", \.hedge, .optional(hedge.codec), origin: .ours, defaultNote: "none",
        "Ask a second endpoint when an answer takes longer than nearly all; the first answer counts."),
      Key(
        "rateLimits", \.rateLimits, .list(nameRateLimit.codec), origin: .ours,
        "How often each of the names may be asked for; all hold."),
      .ignored(
        "classificationTimeoutMs", .integer(0...Int.max), say: .hint, "Responses are not held back to be classified."),
    ] + serviceTraffic, strays: perNameStrays)

  static let serviceRefinement = refinement(
    service, "Logical names that the entry is for, as a pattern of their first labels: `/svc/web`, `/svc/*`.")
}

extension KeyTables {
  private struct ConstantFields: Sendable { var milliseconds = 0 }
  private struct JitteredFields: Sendable {
    var min = 0
    var max = 0
  }

  static let backoff = Codec<Configuration.Backoff>.kinds(
    [
      KindCase(
        "constant",
        ObjectTable<ConstantFields>(
          { ConstantFields() },
          [Key("ms", \.milliseconds, .integer(0...86_400_000), unit: "ms", "Each wait.")]),
        "The same wait each time.",
        wrap: { .constant(milliseconds: $0.milliseconds) },
        unwrap: { backoff in
          if case .constant(let milliseconds) = backoff { ConstantFields(milliseconds: milliseconds) } else { nil }
        }),
      KindCase(
        "jittered",
        ObjectTable<JitteredFields>(
          { JitteredFields() },
          [
            Key("minMs", \.min, .milliseconds, unit: "ms", required: true, "The first wait."),
            Key("maxMs", \.max, .milliseconds, unit: "ms", required: true, "No wait is longer."),
          ],
          finish: { fields, _, trail, decoding in
            if fields.max < fields.min, decoding.isSound(trail.key("minMs").canonical), fields.max > 0 {
              decoding.report(
                .error, .conflict, at: trail.key("minMs").canonical, "\(fields.min) is more than maxMs (\(fields.max))")
            }
          }),
        "Longer each time, and at random.",
        wrap: { .jittered(minMilliseconds: $0.min, maxMilliseconds: $0.max) },
        unwrap: { backoff in
          if case .jittered(let min, let max) = backoff { JitteredFields(min: min, max: max) } else { nil }
        }),
    ])

  // MARK: Failure accrual

  private struct ConsecutiveFields: Sendable {
    var failures = 5
    var backoff = Configuration.FailureAccrual.usualBackoff
  }
  private struct RateFields: Sendable {
    var successRate = 0.0
    var requests = 0
    var backoff = Configuration.FailureAccrual.usualBackoff
  }
  private struct WindowFields: Sendable {
    var successRate = 0.0
    var windowSeconds = 0
    var backoff = Configuration.FailureAccrual.usualBackoff
  }
  private struct NoFields: Sendable {}

  private static func probing<Fields>(
    _ path: any WritableKeyPath<Fields, Configuration.Backoff> & Sendable
  ) -> Key<Fields> {
    Key(
      "backoff", path, backoff, defaultNote: "`jittered`, 5000 to 300000 ms",
      "How long an endpoint is left alone before a request probes it, and how long after each probe that failed.")
  }

  static let failureAccrual = Codec<Configuration.FailureAccrual>.kinds(
    [
      KindCase(
        "io.l5d.consecutiveFailures",
        ObjectTable<ConsecutiveFields>(
          { ConsecutiveFields() },
          [
            Key("failures", \.failures, .integer(1...1_000_000), "So many failures without a success between them."),
            probing(\.backoff),
          ]),
        "An endpoint is taken out after some failures in a row.",
        wrap: { .consecutiveFailures(failures: $0.failures, backoff: $0.backoff) },
        unwrap: { accrual in
          guard case .consecutiveFailures(let failures, let backoff) = accrual else { return nil }
          return ConsecutiveFields(failures: failures, backoff: backoff)
        }),
      KindCase(
        "io.l5d.successRate",
        ObjectTable<RateFields>(
          { RateFields() },
          [
            Key(
              "successRate", \.successRate, .number(0...1), required: true,
              "Below this share of successes an endpoint is taken out: 0.9 for nine of ten."),
            Key(
              "requests", \.requests, .integer(1...1_000_000), required: true,
              "Requests that the moving average is of; with fewer nothing is decided."),
            probing(\.backoff),
          ]),
        "An endpoint is taken out when the share of successes among its last requests is low.",
        wrap: { .successRate(successRate: $0.successRate, requests: $0.requests, backoff: $0.backoff) },
        unwrap: { accrual in
          guard case .successRate(let rate, let requests, let backoff) = accrual else { return nil }
          return RateFields(successRate: rate, requests: requests, backoff: backoff)
        }),
      KindCase(
        "io.l5d.successRateWindowed",
        ObjectTable<WindowFields>(
          { WindowFields() },
          [
            Key(
              "successRate", \.successRate, .number(0...1), required: true,
              "Below this share of successes an endpoint is taken out: 0.9 for nine of ten."),
            Key(
              "window", \.windowSeconds, .seconds, unit: "s", required: true,
              "Time that the moving average is of; before it has passed nothing is decided."),
            probing(\.backoff),
          ]),
        "An endpoint is taken out when the share of successes of late is low.",
        wrap: {
          .successRateWindowed(successRate: $0.successRate, windowSeconds: $0.windowSeconds, backoff: $0.backoff)
        },
        unwrap: { accrual in
          guard case .successRateWindowed(let rate, let window, let backoff) = accrual else { return nil }
          return WindowFields(successRate: rate, windowSeconds: window, backoff: backoff)
        }),
      KindCase(
        "none", ObjectTable<NoFields>({ NoFields() }, []), "No endpoint is taken out for its failures.",
        wrap: { _ in .none }, unwrap: { $0 == .none ? NoFields() : nil }),
    ])

  static let latencyOutliers = ObjectTable<Configuration.LatencyOutliers>(
    { Configuration.LatencyOutliers() },
    [
      Key(
        "factor", \.factor, .number(1.1...1_000), origin: .ours,
        "Times the median of the other endpoints: the mean latency, a geometric one, from which an endpoint is too slow."
      ),
      Key(
        "minMs", \.minMilliseconds, .integer(0...86_400_000), unit: "ms", origin: .ours,
        "An endpoint whose mean is below this is never too slow."),
      Key(
        "windowSecs", \.windowSeconds, .integer(1...3_600), unit: "s", origin: .ours,
        "Time after which the endpoints are compared."),
      Key(
        "requests", \.requests, .integer(1...1_000_000), origin: .ours,
        "Answers of an endpoint within the window, at one worker, without which nothing is said of it."),
      Key(
        "ejectMs", \.ejectMilliseconds, .integer(1...86_400_000), unit: "ms", origin: .ours,
        "How long it is left out the first time; twice as long if it is too slow again after that, and so on to ten"
          + " times."),
    ])

  // MARK: Retries

  static let retries = ObjectTable<Configuration.Retries>(
    { Configuration.Retries() },
    [
      Key("budget", \.budget, retryBudget.codec, "What pays for retries; one of each logical name."),
      Key("backoff", \.backoff, backoff, "The wait before a retry."),
      Key(
        "heedIdempotencyKey", \.heedIdempotencyKey, .boolean, origin: .ours,
        "A POST or PATCH with an `Idempotency-Key` field is retried as a PUT is. Only for services that keep the keys they "
          + "have seen."),
    ])

  static let hedge = ObjectTable<Configuration.Hedge>(
    { Configuration.Hedge() },
    [
      Key(
        "percentile", \.percentile, .number(1...99.99), unit: "%", origin: .ours,
        "The second endpoint is asked when an answer takes longer than this share of those of late."),
      Key("minMs", \.minMilliseconds, .integer(0...86_400_000), unit: "ms", origin: .ours, "But never before this."),
      Key(
        "maxExtraPercent", \.maxExtraPercent, .number(0...100), unit: "%", origin: .ours,
        "Requests that are sent twice at most, of all."),
      Key(
        "methods", \.methods, .choice(), origin: .ours,
        "Requests that are sent twice. `read`: GET, HEAD, OPTIONS, TRACE; `idempotent`: PUT, DELETE as well; `all`."),
    ])

  static let retryBufferSize = ObjectTable<Configuration.RetryBufferSize>(
    { Configuration.RetryBufferSize() },
    [
      Key(
        "requestBytes", \.requestBytes, .integer(0...16_777_216), unit: "B",
        "Bytes of a request's body that are kept until its response begins; with a longer body it is not retried."),
      .ignored("responseBytes", .integer(0...Int.max), say: .hint, "A response is passed on as soon as it begins."),
    ])

  // MARK: Classifiers

  private struct GRPCFields: Sendable {
    var successStatusCodes = [0]
    var retryable: [Int] = []
  }

  static let responseClassifier = Codec<Configuration.ResponseClassifier>.kinds(
    plainClassifiers.map { name, value, meaning in plain("io.l5d.http." + name, value, meaning) } + [statusRanges]
      + [
        grpc(
          "default", "gRPC: success by `grpc-status`; UNAVAILABLE is retried.", wrap: { _ in .default },
          unwrap: { $0 == .default ? [] : nil }),
        grpc(
          "compliant",
          "gRPC: as default; streams that were refused are retried, too, and HTTP 429, 502, 503, 504 where no"
            + " `grpc-status` tells.",
          wrap: { _ in .compliant }, unwrap: { $0 == .compliant ? [] : nil }),
        grpc(
          "alwaysRetryable", "gRPC: success by `grpc-status`; every failure is retried.", wrap: { _ in .always },
          unwrap: { $0 == .always ? [] : nil }),
        grpc(
          "neverRetryable", "gRPC: success by `grpc-status`; no failure is retried.", wrap: { _ in .never },
          unwrap: { $0 == .never ? [] : nil }),
        grpc(
          "retryableStatusCodes", "gRPC: success by `grpc-status`; some are retried.",
          keys: [
            Key(
              "retryableStatusCodes", \.retryable, .list(.integer(0...16)), required: true,
              "Codes that are retried, such as 14.")
          ],
          wrap: { .statusCodes($0) },
          unwrap: { retryable in
            if case .statusCodes(let codes) = retryable { codes } else { nil }
          }),
      ]
      // linkerd's h2 routers have names of their own for the same.
      + plainClassifiers.map { name, value, _ in
        plain("io.l5d.h2." + name, value, "The same as `io.l5d.http.\(name)`.", isShown: false)
      },
    default: nil)

  private static let plainClassifiers: [(String, Configuration.ResponseClassifier, String)] = [
    ("nonRetryable5XX", .nonRetryable5XX, "5xx is a failure; none is retried."),
    ("retryableRead5XX", .retryableRead5XX, "5xx is a failure; it is retried for GET, HEAD, OPTIONS, TRACE."),
    (
      "retryableIdempotent5XX", .retryableIdempotent5XX,
      "5xx is a failure; it is retried for GET, HEAD, OPTIONS, TRACE, PUT, DELETE."
    ),
    (
      "retryableAll5XX", .retryableAll5XX,
      "5xx is a failure; it is retried for any method, so what has an effect may have it twice."
    ),
    ("allSuccessful", .allSuccessful, "Every response is a success."),
  ]

  private static func plain(
    _ kind: String, _ value: Configuration.ResponseClassifier, _ meaning: String, isShown: Bool = true
  ) -> KindCase<Configuration.ResponseClassifier> {
    KindCase(
      kind, ObjectTable<NoFields>({ NoFields() }, []), meaning, wrap: { _ in value },
      unwrap: { isShown && $0 == value ? NoFields() : nil })
  }

  private static let statusRanges = KindCase<Configuration.ResponseClassifier>(
    "io.l5d.http.statusRanges",
    ObjectTable<Configuration.ResponseClassifier.StatusRanges>(
      { Configuration.ResponseClassifier.StatusRanges() },
      [
        Key(
          "success", \.success, .list(.statusRange), origin: .ours,
          "Statuses that are a success, each as `404` or `200-399`; all others are failures."),
        Key(
          "retryable", \.retryable, .list(.statusRange), origin: .ours, "Failures that are retried, such as `502-504`."),
        Key(
          "methods", \.methods, .choice(), origin: .ours,
          "Requests that are retried. `read`: GET, HEAD, OPTIONS, TRACE; `idempotent`: PUT, DELETE as well; `all`."),
      ]),
    origin: .ours, "By ranges of status codes.", wrap: { .statusRanges($0) },
    unwrap: { classifier in
      if case .statusRanges(let ranges) = classifier { ranges } else { nil }
    })

  private static func grpc(
    _ name: String, _ meaning: String, keys: [Key<GRPCFields>] = [],
    wrap: @escaping @Sendable ([Int]) -> Configuration.ResponseClassifier.GRPC.Retryable,
    unwrap: @escaping @Sendable (Configuration.ResponseClassifier.GRPC.Retryable) -> [Int]?
  ) -> KindCase<Configuration.ResponseClassifier> {
    KindCase(
      "io.l5d.h2.grpc." + name,
      ObjectTable<GRPCFields>(
        { GRPCFields() },
        keys + [
          Key(
            "successStatusCodes", \.successStatusCodes, .list(.integer(0...16)),
            "Values of `grpc-status` that are a"
              + " success.")
        ]),
      meaning,
      wrap: { fields in
        var grpc = Configuration.ResponseClassifier.GRPC(wrap(fields.retryable))
        grpc.successStatusCodes = fields.successStatusCodes
        return .grpc(grpc)
      },
      unwrap: { classifier in
        guard case .grpc(let grpc) = classifier, let codes = unwrap(grpc.retryable) else { return nil }
        return GRPCFields(successStatusCodes: grpc.successStatusCodes, retryable: codes)
      })
  }
}

extension Codec where Value == ClosedRange<Int> {
  /// `404`, or `200-399`: statuses that a response may have.
  static var statusRange: Codec {
    @Sendable func range(_ text: String) -> ClosedRange<Int>? {
      let ends = text.split(separator: "-", omittingEmptySubsequences: false)
      guard (1...2).contains(ends.count), ends.allSatisfy({ $0.utf8.count == 3 }) else { return nil }
      let numbers = ends.compactMap { UInt16($0).map(Int.init) }
      guard numbers.count == ends.count, numbers.allSatisfy({ (100...599).contains($0) }), numbers[0] <= numbers.last!
      else { return nil }
      return numbers[0]...numbers.last!
    }
    let text = Codec<String>.text("status or range") { text in
      range(text) == nil
        ? TextFault("\"\(text)\" is not a range of statuses", "Write for example 404 or 500-599.") : nil
    }
    return Codec(
      text.shape,
      decode: { node, trail, decoding in text.decode(node, trail, &decoding).flatMap(range) },
      encode: { range in
        .string(range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)")
      })
  }
}

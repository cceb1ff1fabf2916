/// What is done when there is more to do than can be done.
extension KeyTables {
  static let queue = ObjectTable<Configuration.Queue>(
    { Configuration.Queue() },
    [
      Key("size", \.size, .integer(0...100_000), origin: .ours, "Requests that may wait; beyond: 503 at once."),
      Key(
        "maxWaitMs", \.waitMilliseconds, .integer(1...60_000), unit: "ms", origin: .ours,
        "For a place; then 503. While more comes than can be served, a twentieth of it, and the last to come is served"
          + " first."),
    ])

  private struct LimitFields<Details: Sendable>: Sendable {
    var limit = Configuration.ConcurrencyLimit()
    var details: Details
  }

  private static func limitKind<Details>(
    _ kind: String, _ fresh: Details, _ meaning: String, _ keys: [Key<LimitFields<Details>>],
    wrap: @escaping @Sendable (Details) -> Configuration.ConcurrencyLimit.Law,
    unwrap: @escaping @Sendable (Configuration.ConcurrencyLimit.Law) -> Details?
  ) -> KindCase<Configuration.ConcurrencyLimit> {
    KindCase(
      kind,
      ObjectTable<LimitFields<Details>>(
        { LimitFields(details: fresh) },
        [
          Key("initial", \.limit.initial, .integer(1...1_000_000), origin: .ours, "Attempts at first."),
          Key("min", \.limit.min, .integer(1...1_000_000), origin: .ours, "Attempts that are always allowed."),
          Key("max", \.limit.max, .integer(1...1_000_000), origin: .ours, "Attempts that are never exceeded."),
        ] + keys + [
          Key("queue", \.limit.queue, queue.codec, origin: .ours, "Requests above the limit that wait, per worker.")
        ],
        finish: { fields, _, trail, decoding in
          if fields.limit.min > fields.limit.max {
            decoding.report(
              .error, .conflict, at: trail.key("min").canonical,
              "\(fields.limit.min) is more than max (\(fields.limit.max))")
          }
        }),
      origin: .ours, meaning,
      wrap: { fields in
        var limit = fields.limit
        limit.law = wrap(fields.details)
        return limit
      },
      unwrap: { limit in unwrap(limit.law).map { LimitFields(limit: limit, details: $0) } })
  }

  static let concurrencyLimit = Codec<Configuration.ConcurrencyLimit>.kinds(
    [
      KindCase(
        "none", ObjectTable<NoFields>({ NoFields() }, []), origin: .ours, "No limit.",
        wrap: { _ in Configuration.ConcurrencyLimit() }, unwrap: { $0.law == .none ? NoFields() : nil }),
      limitKind(
        "gradient", Configuration.ConcurrencyLimit.Gradient(),
        "By how much longer answers take than when nothing waits; keeps a short queue at the endpoints.",
        [
          Key(
            "tolerance", \.details.tolerance, .number(1...10), origin: .ours,
            "Times the least latency that answers may take before the limit sinks."),
          Key(
            "remeasureMs", \.details.remeasureMilliseconds, .integer(1_000...86_400_000), unit: "ms", origin: .ours,
            "How long the least latency counts; then the limit is lowered for some tenths of a second to measure it anew."
          ),
        ], wrap: { .gradient($0) },
        unwrap: { law in
          if case .gradient(let gradient) = law { gradient } else { nil }
        }),
      limitKind(
        "aimd", Configuration.ConcurrencyLimit.Aimd(),
        "One more each 0.1 s while all is well, a share less when answers are late.",
        [
          Key(
            "latencyMs", \.details.latencyMilliseconds, .milliseconds, unit: "ms", origin: .ours,
            "Answers that take longer on average are late, as those are that time out."),
          Key(
            "decrease", \.details.decrease, .number(0.1...0.99), origin: .ours,
            "What the limit is multiplied with when answers are late."),
        ], wrap: { .aimd($0) },
        unwrap: { law in
          if case .aimd(let aimd) = law { aimd } else { nil }
        }),
    ])

  // MARK: Rates

  private static var rateKeys: [Key<Configuration.RateLimit>] {
    [
      Key(
        "requestsPerSecond", \.requestsPerSecond, .number(0.001...1_000_000), unit: "/s", origin: .ours, required: true,
        "Requests, all workers together; beyond: 429 with `Retry-After`, `pick.rate_limited`."),
      Key(
        "burst", \.burst, .optional(.integer(1...10_000_000)), origin: .ours, defaultNote: "a second's worth",
        "Requests at once after a pause."),
    ]
  }

  static let rateLimit = ObjectTable<Configuration.RateLimit>(
    { Configuration.RateLimit() },
    rateKeys + [
      Key(
        "perHeader", \.perHeader, .optional(.headerName), origin: .ours, defaultNote: "none",
        "Each value of this request header has the rate for itself; requests without it share one."),
      Key(
        "headerValuesMax", \.headerValuesMax, .integer(16...10_000_000), origin: .ours,
        "Values that are told from each other at one time, of 8 bytes each; further ones share with others."),
    ])

  /// Of a logical name.
  static let nameRateLimit = ObjectTable<Configuration.RateLimit>({ Configuration.RateLimit() }, rateKeys)

  // MARK: Priority

  static let priority = ObjectTable<Configuration.Priority>(
    { Configuration.Priority() },
    [
      Key(
        "header", \.header, .headerName, origin: .ours, required: true,
        "The request header that tells how important the request is."),
      Key(
        "classes", \.classes, .list(priorityClass.codec), origin: .ours, required: true,
        "The header's values, the most important first."),
    ],
    finish: { priority, written, trail, decoding in
      let classes = trail.key("classes").canonical
      guard written.contains("classes"), decoding.isSound(classes) else { return }
      let values = priority.classes.map { $0.value.lowercased() }
      if values.isEmpty {
        decoding.report(
          .warning, .emptyValue, at: classes, "no class: has no effect", remedy: "Leave \"priority\" out.")
      } else if Set(values).count < values.count {
        decoding.report(.error, .conflict, at: classes, "two classes have the same value")
      }
    })

  static let priorityClass = ObjectTable<Configuration.Priority.Class>(
    { Configuration.Priority.Class() },
    [
      Key(
        "value", \.value, .headerName, origin: .ours, required: true, "Of the header, in whatever case of letters."),
      Key(
        "share", \.share, .number(0.01...1), origin: .ours,
        "Of `maxConcurrentRequests` and of concurrency limits that such requests may fill: what is left is kept for the"
          + " more important."),
      Key(
        "default", \.isDefault, .boolean, origin: .ours,
        "Requests without one of the values count as these; where no class says so, as those of the last one."),
    ])
}

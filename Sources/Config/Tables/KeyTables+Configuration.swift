extension KeyTables {
  static let configuration = ObjectTable<Configuration>(
    { Configuration() },
    [
      Key("admin", \.admin, admin.codec, "The admin server."),
      Key(
        "workers", \.workers, .optional(.integer(1...1_024)), origin: .ours, defaultNote: "one per core",
        "Worker threads. Each accepts, routes and relays on its own; nothing is shared between them."),
      Key(
        "drainTimeoutMs", \.drainTimeoutMilliseconds, .integer(0...86_400_000), unit: "ms", origin: .ours,
        "Time that open connections get to end after an upgrade, or after a reload which removed their server. Idle ones"
          + " end within 5 s; the time is for requests, streams and tunnels. What is left is closed."),
      Key(
        "memoryLimitMB", \.memoryLimitMegabytes, .optional(.integer(0...10_000_000)), unit: "MB", origin: .ours,
        defaultNote: "the control group's, where there is one",
        "Resident memory from whose 95 % on connections are not accepted and idle ones are closed, until it is below"
          + " 85 %; 0: no limit."),
      Key("metrics", \.metrics, metrics.codec, origin: .ours, "What metrics may cost."),
      Key(
        "dtabStore", \.dtabStore, dtabStore, origin: .ours, defaultNote: "in memory",
        "Where dtabs which are edited at runtime live."),
      Key("namers", \.namers, .list(namer), "Namers beside the built-in ones, each at `/#/` and its prefix."),
      Key("dns", \.dns, dns.codec, origin: .ours, "How `/$/inet` and host names elsewhere are resolved."),
      Key(
        "routers", \.routers, .list(router.codec), required: true,
        "One or more routers, each with its own names, servers and clients."),
      Key("logging", \.logging, logging.codec, origin: .ours, "The process's own log, on standard error."),
      Key(
        "telemetry", \.telemetry, .list(telemeter),
        "linkerd's list of telemeters. Metrics are always served on the admin port, so it may be left out."),
      Key("usage", \.usage, usage.codec, "linkerd's usage reports. Nothing is ever reported to anyone."),
    ],
    finish: { configuration, written, trail, decoding in
      if written.contains("routers"), configuration.routers.isEmpty,
        let found = decoding.values["routers"], case .sequence(let items) = found.node.content, items.isEmpty
      {
        decoding.report(
          .error, .badValue, found.trail, found.place, "no router", remedy: "Add one, at least \"- protocol: http\".")
      }
    })

  static let metrics = ObjectTable<Configuration.Metrics>(
    { Configuration.Metrics() },
    [
      Key(
        "maxSeries", \.maxSeries, .integer(100...10_000_000), origin: .ours,
        "Prometheus series that services and clients may make; a service is charged 32, a client 48, and services get"
          + " half at most. What comes later is counted under `other`, so that hostile names cost nothing."),
      Key(
        "exactStatus", \.exactStatus, .boolean, origin: .ours,
        "Count each status code by itself as well as by class (`2xx`)."),
    ])

  static let dtabStore = Codec<Configuration.DtabStore>.kinds(
    [
      KindCase(
        "io.l5d.inMemory", ObjectTable<NoFields>({ NoFields() }, []), "In the process: edits are lost when it ends.",
        wrap: { _ in .memory }, unwrap: { $0 == .memory ? NoFields() : nil }),
      KindCase(
        "io.l5d.dir",
        ObjectTable<Configuration.DtabStore.DirectoryStore>(
          { Configuration.DtabStore.DirectoryStore() },
          [
            Key(
              "directory", \.path, .directory, origin: .ours, required: true,
              "Holds one directory per namespace. Made if it is missing."),
            Key(
              "historyMax", \.historyMax, .integer(1...100_000), origin: .ours,
              "Versions kept of each namespace for roll-back; the oldest goes first."),
          ]),
        origin: .ours, "A directory of files, written atomically and synchronised before an edit is acknowledged.",
        wrap: { .directory($0) },
        unwrap: { store in
          if case .directory(let directory) = store { directory } else { nil }
        }),
    ],
    unsupported: [
      "io.l5d.etcd": "Use io.l5d.dir.", "io.l5d.zk": "Use io.l5d.dir.", "io.l5d.consul": "Use io.l5d.dir.",
      "io.l5d.k8s": "Use io.l5d.dir.", "io.l5d.dynamoDb": "Use io.l5d.dir.",
      "io.l5d.fs": "Use io.l5d.dir with the same \"directory\".",
    ])

  static let dns = ObjectTable<Configuration.Dns>(
    { Configuration.Dns() },
    [
      Key(
        "servers", \.servers, .list(.dnsServer), origin: .ours, defaultNote: "those of /etc/resolv.conf",
        "Resolvers to ask, as `IP` or `IP:PORT` (`[IPv6]:PORT`)."),
      Key(
        "minTtlSeconds", \.minTtlSeconds, .seconds, unit: "s", origin: .ours,
        "A shorter time to live in an answer counts as this."),
      Key(
        "maxTtlSeconds", \.maxTtlSeconds, .seconds, unit: "s", origin: .ours,
        "A longer time to live in an answer counts as this."),
      Key(
        "timeoutMs", \.timeoutMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "For one question to one resolver."),
    ],
    finish: { dns, _, trail, decoding in
      if dns.minTtlSeconds > dns.maxTtlSeconds {
        decoding.report(
          .error, .conflict, at: trail.key("minTtlSeconds").canonical,
          "\(dns.minTtlSeconds) is more than maxTtlSeconds (\(dns.maxTtlSeconds))")
      }
    })

  static let logging = ObjectTable<Configuration.Logging>(
    { Configuration.Logging() },
    [
      Key(
        "level", \.level, .choice(), origin: .ours,
        "The least severe messages which are written. Can be changed at run time."),
      Key("format", \.format, .choice(), origin: .ours, "Lines for people, or one JSON object per line."),
    ])

  static let usage = ObjectTable<Configuration.Usage>(
    { Configuration.Usage() },
    [
      Key("enabled", \.enabled, .boolean, "Accepted; nothing is reported whatever it says."),
      Key("orgId", \.orgId, .optional(.text()), "Accepted; not sent to anyone."),
    ],
    finish: { usage, _, trail, decoding in
      if usage.enabled {
        decoding.report(
          .hint, .ignoredKey, at: trail.key("enabled").canonical, "has no effect: nothing is ever reported",
          remedy: "Remove \"usage\".")
      }
    })

  /// linkerd's telemeters: those whose work is done anyway are silent, the others are told to be missing.
  static let telemeter = Codec<Configuration.Telemeter>.kinds([
    telemeterKind(
      "io.l5d.prometheus", "Always on: /admin/metrics/prometheus.",
      [
        .ignored("path", .text("path"), "Metrics are at /admin/metrics/prometheus."),
        .ignored("prefix", .text("text"), "Ask for /admin/metrics/prometheus?names=linkerd to get linkerd's names."),
      ]),
    telemeterKind("io.l5d.commonMetrics", "Always on: /admin/metrics.json.", []),
    telemeterKind("io.l5d.influxdb", "Not served.", [], missing: "Let Telegraf scrape /admin/metrics/prometheus."),
    telemeterKind(
      "io.l5d.statsd", "Not served.",
      [
        .ignored("experimental", .boolean, say: nil, ""), .ignored("prefix", .text("text"), say: nil, ""),
        .ignored("hostname", .text("host"), say: nil, ""), .ignored("port", .integer(1...65_535), say: nil, ""),
        .ignored("gaugeIntervalMs", .integer(1...Int.max), say: nil, ""),
        .ignored("sampleRate", .number(0...1), say: nil, ""),
      ], missing: "Let a statsd exporter scrape /admin/metrics/prometheus."),
    telemeterKind(
      "io.l5d.recentRequests", "Not served.",
      [
        .ignored("sampleRate", .number(0...1), say: nil, ""), .ignored("capacity", .integer(1...Int.max), say: nil, ""),
      ],
      missing: "Look at the access log."),
    telemeterKind(
      "io.l5d.tracelog", "Not served.",
      [.ignored("sampleRate", .number(0...1), say: nil, ""), .ignored("level", .text("text"), say: nil, "")],
      missing: "Look at the access log."),
    telemeterKind(
      "io.l5d.zipkin", "Not served.",
      [
        .ignored("sampleRate", .number(0...1), say: nil, ""), .ignored("host", .text("host"), say: nil, ""),
        .ignored("port", .integer(1...65_535), say: nil, ""),
      ], missing: "Trace headers are passed on; spans are not sent."),
  ])

  private static func telemeterKind(
    _ kind: String, _ meaning: String, _ keys: [Key<NoFields>], missing: String? = nil
  ) -> KindCase<Configuration.Telemeter> {
    KindCase(
      kind,
      ObjectTable<NoFields>(
        { NoFields() }, keys,
        finish: { _, _, trail, decoding in
          guard let missing else { return }
          decoding.report(
            .warning, .unsupported, at: trail.key("kind").canonical, "\(kind) is not supported and has no effect",
            remedy: missing)
        }), meaning,
      wrap: { _ in
        var telemeter = Configuration.Telemeter()
        telemeter.kind = kind
        return telemeter
      }, unwrap: { $0.kind == kind ? NoFields() : nil })
  }
}

/// Of a kind which has no keys of its own.
struct NoFields: Sendable {}

extension KeyTables {
  static let router = ObjectTable<Configuration.Router>(
    { Configuration.Router() },
    [
      Key(
        "protocol", \.protocol,
        .choice(unsupported: [
          "thrift": "Thrift is not planned.", "mux": "Mux is not planned.", "thriftmux": "Mux is not planned.",
        ]), required: true,
        "What the router is for: `http` or `h2`. Servers of both take HTTP/1 and HTTP/2; defaults differ."),
      Key(
        "label", \.label, .label, defaultNote: "the protocol",
        "Unique name of the router in metrics, logs and commands."),
      Key(
        "dtab", \.dtab, .dtab,
        "Delegation table; entries of the namespace stand after its own, and so are stronger."),
      Key(
        "namespace", \.namespace, .namespace, origin: .ours, defaultNote: "the label",
        "Name of the table in the dtab store which is edited at runtime."),
      Key("dstPrefix", \.dstPrefix, .path, "Leading part of the logical names that identifiers make."),
      Key("originator", \.originator, .boolean, "Shown only: callers are programs of this host."),
      Key(
        "bindingTimeoutMs", \.bindingTimeoutMilliseconds, .milliseconds, unit: "ms",
        "For binding a name that is not in the cache; after it `bind.timeout`."),
      Key("bindingCache", \.bindingCache, bindingCache.codec, "Names kept bound, per worker."),
      Key(
        "identifier", \.identifiers, .oneOrList(identifier),
        "How requests get their names; of a list, the first that gives one."),
      Key("interpreter", \.interpreter, interpreter, "What turns logical names into bound ones."),
      .ignored("announcers", .list(.map(.text("anything"))), "Servers are not announced."),
      Key("servers", \.servers, .list(server.codec), "Addresses to listen on."),
      Key(
        "client", \.client, perName(client, clientRefinement, \.configs, name: "bound id"),
        "How endpoints are chosen and spoken to."),
      Key(
        "service", \.service, perName(service, serviceRefinement, \.configs, name: "logical name"),
        "What holds for a logical name as a whole."),
      Key(
        "timeoutHeader", \.timeoutHeader, .optional(.headerName), origin: .ours, defaultNote: "none",
        "A request header that says how many milliseconds the caller waits; beyond: `outcome.deadline`. "
          + "`l5d-ctx-deadline` and `grpc-timeout` are always heeded."),
      Key(
        "rateLimits", \.rateLimits, .list(rateLimit.codec), origin: .ours,
        "How often callers of all servers together may ask; all hold."),
      Key(
        "priority", \.priority, .optional(priority.codec), origin: .ours, defaultNote: "none",
        "Which requests are kept when there are too many."),
      Key(
        "streamIdleTimeoutMs", \.streamIdleTimeoutMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "Ends an exchange in which nothing moved for so long."),
      Key(
        "maxHeadersKB", \.maxHeadersKilobytes, .integer(1...1_024), unit: "KB",
        "All header lines of a message together."),
      Key("maxInitialLineKB", \.maxInitialLineKilobytes, .integer(1...1_024), unit: "KB", "A request or status line."),
      Key(
        "maxErrResponseKB", \.maxErrorResponseKilobytes, .integer(1...1_048_576), unit: "KB",
        "Body of an answer which the router makes itself."),
      Key(
        "httpAccessLog", \.httpAccessLog, .optional(.file),
        "A file which gets a line per request; `-`: standard output."),
      Key("accessLogFormat", \.accessLogFormat, .choice(), origin: .ours, "Lines as web servers write them, or JSON."),
      .ignored("h2AccessLog", .text("file"), "Use httpAccessLog, which logs every protocol."),
      .ignored(
        "httpAccessLogRollPolicy", .text("text"), "Let logrotate move the file, with copytruncate."),
      .ignored("httpAccessLogAppend", .boolean, "The file is always appended to."),
      .ignored("httpAccessLogRotateCount", .integer(-1...Int.max), "Let logrotate remove old files."),
      .ignored("streamingEnabled", .boolean, say: .hint, "Bodies always stream."),
      .ignored("streamAfterContentLengthKB", .integer(0...Int.max), say: .hint, "Bodies always stream."),
      .ignored("compressionLevel", .integer(-1...9), "Responses pass as the endpoint compressed them."),
      .ignored("maxRequestKB", .integer(0...Int.max), say: .hint, "Bodies stream, so their size has no bound."),
      .ignored("maxResponseKB", .integer(0...Int.max), say: .hint, "Bodies stream, so their size has no bound."),
      .ignored("tracePropagator", .map(.text("anything")), "Trace headers of every kind are passed on as they are."),
      .ignored("maxChunkKB", .integer(0...Int.max), say: .hint, "Chunks stream, so their size has no bound."),
    ],
    finish: { router, written, trail, decoding in
      if !written.contains("label") { router.label = router.protocol.rawValue }
      if router.protocol == .h2 { takeH2Defaults(&router, trail, decoding) }
      if !written.contains("namespace") {
        router.namespace = router.label
        let labelTrail = trail.key("label")
        if !Codec<String>.isNamespace(router.label), decoding.isSound(labelTrail.canonical) {
          decoding.report(
            .error, .badValue, at: labelTrail.canonical, "is also the default of \"namespace\", and does not fit there",
            remedy: "Set \"namespace\" to 1 to 64 letters, digits, - or _; or use only these in the label.")
        }
        decoding.masked[trail.key("namespace").canonical] = decoding.masked[trail.key("label").canonical]
      }
    })

  /// What linkerd's h2 routers have otherwise, where nothing was written.
  private static func takeH2Defaults(_ router: inout Configuration.Router, _ trail: KeyTrail, _ decoding: Decoding) {
    if decoding.values[trail.key("client").key("protocol").canonical] == nil { router.client.protocol = .h2 }
    let servers = trail.key("servers")
    for index in router.servers.indices {
      let server = servers.index(decoding.index(index, of: servers.canonical))
      if decoding.values[server.key("port").canonical] == nil { router.servers[index].port = 4_142 }
    }
  }

  static let bindingCache = ObjectTable<Configuration.Router.BindingCache>(
    { Configuration.Router.BindingCache() },
    [
      Key(
        "paths", \.paths, .integer(1...10_000_000),
        "Logical names, per worker. Beyond, the one unused for longest gives way; names in use never do."),
      Key("trees", \.trees, .integer(1...10_000_000), "Accepted for compatibility: trees live with their paths here."),
      Key(
        "bounds", \.bounds, .integer(1...10_000_000),
        "Accepted for compatibility: bound names live with their paths here."),
      Key(
        "clients", \.clients, .integer(1...10_000_000),
        "Accepted for compatibility: a balancer lives as long as a path leads to it."),
      Key("idleTtlSecs", \.idleTtlSeconds, .seconds, unit: "s", "An entry which nobody used for so long is dropped."),
    ])

  private struct HeaderFields: Sendable {
    var header: String
  }
  private struct MethodAndHostFields: Sendable { var httpUriInDst = false }
  private struct SegmentsFields: Sendable {
    var segments = 1
    var consume = false
  }
  private struct StaticFields: Sendable { var path = "" }
  private struct NoFields: Sendable {}

  static let identifier = Codec<Configuration.Identifier>.kinds(
    [
      KindCase(
        "io.l5d.header.token",
        ObjectTable<HeaderFields>(
          { HeaderFields(header: "Host") },
          [Key("header", \.header, .headerName, "The header whose value is the name's last label.")]),
        "`dstPrefix` and a header's value as one label.",
        wrap: { .headerToken(header: $0.header) },
        unwrap: { value in
          if case .headerToken(let header) = value { HeaderFields(header: header) } else { nil }
        }),
      KindCase(
        "io.l5d.header",
        ObjectTable<HeaderFields>(
          { HeaderFields(header: "l5d-name") },
          [Key("header", \.header, .headerName, "The header whose value is a path.")]),
        "`dstPrefix` and a header's value as a path.",
        wrap: { .header(header: $0.header) },
        unwrap: { value in
          if case .header(let header) = value { HeaderFields(header: header) } else { nil }
        }),
      KindCase(
        "io.l5d.methodAndHost",
        ObjectTable<MethodAndHostFields>(
          { MethodAndHostFields() },
          [Key("httpUriInDst", \.httpUriInDst, .boolean, "Append the segments of the request's path.")]),
        "`dstPrefix`, then version, method and host: `/svc/1.1/GET/web`.",
        wrap: { .methodAndHost(httpUriInDst: $0.httpUriInDst) },
        unwrap: { value in
          if case .methodAndHost(let uri) = value { MethodAndHostFields(httpUriInDst: uri) } else { nil }
        }),
      KindCase(
        "io.l5d.path",
        ObjectTable<SegmentsFields>(
          { SegmentsFields() },
          [
            Key("segments", \.segments, .integer(1...64), "How many segments of the request's path become labels."),
            Key("consume", \.consume, .boolean, "Take these segments off the path that is sent."),
          ]),
        "`dstPrefix` and the first segments of the request's path.",
        wrap: { .path(segments: $0.segments, consume: $0.consume) },
        unwrap: { value in
          if case .path(let segments, let consume) = value {
            SegmentsFields(segments: segments, consume: consume)
          } else {
            nil
          }
        }),
      KindCase(
        "io.l5d.clientCert",
        ObjectTable<NoFields>({ NoFields() }, []),
        "`dstPrefix` and who the caller is by its verified certificate, which the server's `tls.clientAuth` asks for: "
          + "the first URI without its scheme (`/svc/mesh/ns/web` for `spiffe://mesh/ns/web`), else the first DNS name, "
          + "else the common name.",
        wrap: { _ in .clientCertificate },
        unwrap: { $0 == .clientCertificate ? NoFields() : nil }),
      KindCase(
        "io.l5d.static",
        ObjectTable<StaticFields>(
          { StaticFields() }, [Key("path", \.path, .path, required: true, "What follows `dstPrefix`.")]),
        "The same name for every request.",
        wrap: { .static(path: $0.path) },
        unwrap: { value in
          if case .static(let path) = value { StaticFields(path: path) } else { nil }
        }),
    ],
    unsupported: ["io.l5d.ingress": "", "io.l5d.k8s.istio": "", "io.l5d.header.path": "Use io.l5d.path."])

  private struct DtabFileFields: Sendable {
    var dtabFile = ""
    var transformers: [Configuration.Transformer] = []
  }
  private struct TransformersFields: Sendable {
    var transformers: [Configuration.Transformer] = []
  }

  static let interpreter = Codec<Configuration.Interpreter>.kinds(
    [
      KindCase(
        "default",
        ObjectTable<TransformersFields>(
          { TransformersFields() },
          [Key("transformers", \.transformers, .list(transformer), "Changes made in order to what is bound.")]),
        "The router's dtab and namespace with the configured namers.",
        wrap: { fields in
          var interpreter = Configuration.Interpreter()
          interpreter.transformers = fields.transformers
          return interpreter
        },
        unwrap: { $0.kind == .default ? TransformersFields(transformers: $0.transformers) : nil }),
      KindCase(
        "io.l5d.fs",
        ObjectTable<DtabFileFields>(
          { DtabFileFields() },
          [
            Key(
              "dtabFile", \.dtabFile, .file, required: true,
              "A file with a dtab, watched; its entries are weaker than those of `dtab`."),
            Key("transformers", \.transformers, .list(transformer), "Changes made in order to what is bound."),
          ]),
        "As default, with a table from a file.",
        wrap: { fields in
          var interpreter = Configuration.Interpreter()
          interpreter.kind = .fs(dtabFile: fields.dtabFile)
          interpreter.transformers = fields.transformers
          return interpreter
        },
        unwrap: { value in
          if case .fs(let file) = value.kind {
            DtabFileFields(dtabFile: file, transformers: value.transformers)
          } else {
            nil
          }
        }),
    ], default: "default",
    unsupported: [
      "io.l5d.namerd": "The dtab store takes namerd's place: set \"dtabStore\" and \"namespace\".",
      "io.l5d.namerd.http": "The dtab store takes namerd's place: set \"dtabStore\" and \"namespace\".",
      "io.l5d.mesh": "The dtab store takes namerd's place: set \"dtabStore\" and \"namespace\".",
      "io.l5d.consul.interpreter": "", "io.l5d.k8s.configMap": "",
    ])
}

import Dtab

extension KeyTables {
  /// What every namer has, around what its kind has.
  struct NamerFields<Details: Sendable>: Sendable {
    var prefix: String
    var transformers: [Configuration.Transformer] = []
    var details: Details
  }

  static let namer = Codec<Configuration.Namer>.kinds(
    [
      namerKind(
        "io.l5d.fs", Configuration.Namer.Fs(), "Endpoints from the files of a directory, which is watched.",
        [
          Key(
            "rootDir", \.details.rootDirectory, .directory, required: true,
            "Its files are the names: lines of `HOST PORT` or `HOST PORT * WEIGHT`. Directories are path elements."),
          Key(
            "pollIntervalMs", \.details.pollIntervalMilliseconds, .milliseconds, unit: "ms", origin: .ours,
            "Look at the files this often as well, where the file system does not tell of changes (NFS)."),
        ], wrap: { .fs($0) },
        unwrap: { kind in
          if case .fs(let fs) = kind { fs } else { nil }
        }),
      namerKind(
        "io.l5d.rewrite", Configuration.Namer.Rewrite(), "Makes one name out of another.",
        [
          Key(
            "pattern", \.details.pattern, .capturePattern, required: true,
            "What the rest of the name must look like: segments may be `*` or hold `{variable}` captures."),
          Key(
            "name", \.details.name, .text("path"), required: true,
            "The name it becomes; `{variable}` stands for the capture."),
        ], wrap: { .rewrite($0) },
        unwrap: { kind in
          if case .rewrite(let rewrite) = kind { rewrite } else { nil }
        }, check: checkRewrite),
      namerKind(
        "io.l5d.static", Configuration.Namer.Static(), origin: .ours, "Endpoints written here.",
        [
          Key(
            "names", \.details.names, staticNames, origin: .ours, required: true,
            "From names (one or more labels joined by `/`) to lists of `HOST PORT` or `HOST PORT * WEIGHT`.")
        ], wrap: { .static($0) },
        unwrap: { kind in
          if case .static(let names) = kind { names } else { nil }
        }),
      dnsServiceNamer, consulNamer,
    ] + zooKeeperNamers + kubernetesNamers + [marathonNamer] + mesosNamers,
    unsupported: [
      "io.l5d.istio": "", "io.l5d.curator": "", "io.l5d.rancher": "", "io.l5d.edge": "",
    ])

  static func namerKind<Details: Sendable>(
    _ kind: String, _ fresh: Details, origin: KeyShape.Origin = .linkerd, _ meaning: String,
    _ keys: [Key<NamerFields<Details>>], wrap: @escaping @Sendable (Details) -> Configuration.Namer.Kind,
    unwrap: @escaping @Sendable (Configuration.Namer.Kind) -> Details?,
    check: @escaping @Sendable (Details, KeyTrail, inout Decoding) -> Void = { _, _, _ in }
  ) -> KindCase<Configuration.Namer> {
    KindCase(
      kind,
      ObjectTable<NamerFields<Details>>(
        { NamerFields(prefix: "/" + kind, details: fresh) },
        keys + [
          Key("prefix", \.prefix, .namerPrefix, "Where the namer stands: dtabs call it `/#` and this."),
          Key("transformers", \.transformers, .list(transformer), "Changes made in order to what it binds."),
          .ignored("experimental", .boolean, say: nil, "No kind needs it."),
        ], finish: { fields, _, trail, decoding in check(fields.details, trail, &decoding) }), origin: origin, meaning,
      wrap: { Configuration.Namer(prefix: $0.prefix, kind: wrap($0.details), transformers: $0.transformers) },
      unwrap: { namer in
        unwrap(namer.kind).map {
          NamerFields(prefix: namer.prefix, transformers: namer.transformers, details: $0)
        }
      })
  }

  /// The name may use the pattern's captures only.
  private static let checkRewrite: @Sendable (Configuration.Namer.Rewrite, KeyTrail, inout Decoding) -> Void = {
    rewrite, trail, decoding in
    guard let pattern = try? CapturePattern(parsing: rewrite.pattern) else { return }
    let nameTrail = trail.key("name")
    guard let found = decoding.values[nameTrail.canonical], decoding.isSound(nameTrail.canonical) else { return }
    do throws(DtabError) {
      _ = try CaptureTemplate(parsing: rewrite.name, names: pattern.names)
    } catch {
      let fault = TextFault(error, in: rewrite.name)
      let place = found.isSubstituted ? found.place : decoding.place(in: found.node, at: fault.offset)
      decoding.report(.error, .badValue, nameTrail, place, fault.message, remedy: fault.remedy)
    }
  }

  private static let staticNames = Codec<[Configuration.Namer.Static.Entry]>(
    .map(.list(Codec<Configuration.StaticEndpoint>.endpoint.shape)),
    decode: { node, trail, decoding in
      guard case .mapping(let pairs) = node.content else {
        decoding.report(
          .error, .wrongType, trail, node.place, "expected a mapping from names to lists, found \(node.noun)",
          remedy: "Write for example {web: [\"127.0.0.1 8080\"]}.")
        return nil
      }
      let endpoints = Codec<[Configuration.StaticEndpoint]>.list(.endpoint)
      return pairs.compactMap { pair in
        let entryTrail = trail.key(pair.key)
        decoding.note(pair.value, entryTrail, keyPlace: pair.keyPlace)
        if let first = pair.duplicateOf {
          decoding.report(
            .error, .duplicateKey, entryTrail, pair.keyPlace, "written twice, first in line \(first.line)",
            remedy: "Put all its endpoints in one list.")
          return nil
        }
        let isName = !pair.key.hasPrefix("/") && !pair.key.isEmpty && (try? Path(parsing: "/" + pair.key)) != nil
        guard isName else {
          decoding.report(
            .error, .badValue, entryTrail, pair.keyPlace, "\"\(pair.key)\" is not a name",
            remedy: "Write one or more labels joined by \"/\", without a leading \"/\".")
          return nil
        }
        return endpoints.decode(pair.value, entryTrail, &decoding).map {
          Configuration.Namer.Static.Entry(name: pair.key, endpoints: $0)
        }
      }
    },
    encode: { entries in
      .object(entries.map { JSONValue.Member($0.name, .array($0.endpoints.map { .string($0.line) })) })
    })

  private struct PortFields: Sendable { var port = 0 }
  private struct HostFields: Sendable { var host = "" }
  private struct PathFields: Sendable { var path = "" }

  static let transformer = Codec<Configuration.Transformer>.kinds(
    [
      KindCase(
        "io.l5d.port",
        ObjectTable<PortFields>(
          { PortFields() }, [Key("port", \.port, .port, required: true, "The port that replaces each endpoint's.")]),
        "Sends to another port of the same hosts, usually that of the router there.",
        wrap: { .port($0.port) },
        unwrap: { value in
          if case .port(let port) = value { PortFields(port: port) } else { nil }
        }),
      KindCase(
        "io.l5d.localhost", ObjectTable<NoFields>({ NoFields() }, []), "Keeps the endpoints of this host.",
        wrap: { _ in .localhost }, unwrap: { $0 == .localhost ? NoFields() : nil }),
      KindCase(
        "io.l5d.specificHost",
        ObjectTable<HostFields>(
          { HostFields() }, [Key("host", \.host, .ipAddress, required: true, "The address to keep.")]),
        "Keeps the endpoints with one address.",
        wrap: { .specificHost($0.host) },
        unwrap: { value in
          if case .specificHost(let host) = value { HostFields(host: host) } else { nil }
        }),
      KindCase(
        "io.l5d.const",
        ObjectTable<PathFields>(
          { PathFields() }, [Key("path", \.path, .path, required: true, "The name to bind.")]),
        "Binds this name whatever was asked for.",
        wrap: { .const($0.path) },
        unwrap: { value in
          if case .const(let path) = value { PathFields(path: path) } else { nil }
        }),
      KindCase(
        "io.l5d.replace",
        ObjectTable<PathFields>(
          { PathFields() }, [Key("path", \.path, .path, required: true, "The name to bind.")]),
        "Binds this name in place of each name that is bound; what is not bound stays so.",
        wrap: { .replace($0.path) },
        unwrap: { value in
          if case .replace(let path) = value { PathFields(path: path) } else { nil }
        }),
    ],
    unsupported: ["io.l5d.k8s.daemonset": "", "io.l5d.k8s.localnode": ""])
}

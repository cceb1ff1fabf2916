import Dtab

extension KeyTables {
  static let marathonNamer = namerKind(
    "io.l5d.marathon", Configuration.Marathon(), "Apps of a Marathon, by their ids.",
    [
      Key("host", \.details.host, .text("host"), "A Marathon, or a name in front of several."),
      Key("port", \.details.port, .port, "Its port."),
      Key(
        "hosts", \.details.hosts, .list(clusterHost), origin: .ours,
        "Several Marathons, each `host:port` or `https://host:port`; they take the place of `host` and `port`. The one"
          + " that answered last is asked first. Or one address where ZooKeeper tells who leads, as Marathon's `--zk`:"
          + " `zk://zk1:2181,zk2:2181/marathon`."),
      Key(
        "zkAuth", \.details.zooKeeperAuth, .optional(.userAndPassword), origin: .ours, secret: true,
        defaultNote: "none", "`USER:PASSWORD` of the `digest` scheme, for the `zk://` address in `hosts`."),
      Key(
        "dst", \.details.destination, .optional(.path), defaultNote: "none",
        "A name of another namer whose endpoints are Marathon's, such as `/$/inet/marathon.example/8080`; it takes the"
          + " place of `host`, which is then what the Host field says."),
      Key(
        "uriPrefix", \.details.uriPrefix, .text("path", emptyAllowed: true),
        "What stands before `/v2` in Marathon's paths."),
      Key(
        "mode", \.details.mode, .choice(), origin: .ours,
        "`lazy`: only apps that are asked for, kept up to date by the event stream. `eager`: all apps at the start, then"
          + " the event stream. `poll`: only apps that are asked for, again every `ttlMs`."),
      Key(
        "health", \.details.health, .optional(.choice()), origin: .ours, defaultNote: "fresh",
        "Which running tasks get requests. `off`: all. `fresh`: those that have passed every check once, until one fails"
          + " as often as Marathon tolerates. `strict`: those of which every check passes now. `any`: those of which"
          + " one does, as marathon-lb has it. Tasks whose results merely vanish stay."),
      Key(
        "useHealthCheck", \.details.useHealthCheck, .optional(.boolean), defaultNote: "as `health`",
        "true: as `health: strict`; false: as `health: off`."),
      Key(
        "ttlMs", \.details.ttlMilliseconds, .milliseconds, unit: "ms", "Mode `poll`: between two answers for an app."),
      Key(
        "jitterMs", \.details.jitterMilliseconds, .milliseconds, unit: "ms",
        "Mode `poll`: so much more or less, at random."),
      Key(
        "eventSilenceMs", \.details.eventSilenceMilliseconds, .milliseconds, unit: "ms", origin: .ours,
        "The event stream is taken for dead after so long without a byte. Marathon sends an empty line about every ten"
          + " seconds."),
      Key("tls", \.details.tls, .optional(clusterTLS.codec), defaultNote: "none", "Speak TLS with Marathon."),
      Key(
        "auth", \.details.auth, .optional(clusterAuth.codec), origin: .ours, defaultNote: "none",
        "Who the router says it is. Without it, `MARATHON_HTTP_AUTH_CREDENTIAL` (`user:password`) and"
          + " `DCOS_SERVICE_ACCOUNT_CREDENTIAL` of the environment are looked at."),
    ], wrap: { .marathon($0) },
    unwrap: { kind in
      if case .marathon(let marathon) = kind { marathon } else { nil }
    },
    check: { marathon, trail, decoding in
      checkSource(marathon.hosts, key: "hosts", zooKeeperAuth: marathon.zooKeeperAuth, trail, &decoding)
      if !marathon.hosts.isEmpty, marathon.destination != nil {
        decoding.report(
          .error, .conflict, at: trail.key("dst").canonical, "both hosts and dst are set", remedy: "Keep one of them.")
      }
      if marathon.health != nil, marathon.useHealthCheck != nil {
        decoding.report(
          .error, .conflict, at: trail.key("useHealthCheck").canonical, "both health and useHealthCheck are set",
          remedy: "Keep health.")
      }
      if !marathon.uriPrefix.isEmpty, !marathon.uriPrefix.hasPrefix("/") || marathon.uriPrefix.hasSuffix("/") {
        decoding.report(
          .error, .badValue, at: trail.key("uriPrefix").canonical,
          "\"\(marathon.uriPrefix)\" does not begin with / or ends with one", remedy: "Write for example /marathon.")
      }
    })
}

import Dtab

extension KeyTables {
  static let mesosNamers = [
    namerKind(
      "io.l5d.mesos", Configuration.Mesos(), origin: .ours, "Tasks of all frameworks of a Mesos cluster.",
      [
        Key(
          "masters", \.details.masters, .list(clusterHost), origin: .ours,
          "The masters, each `host:port` or `https://host:port`. Whichever is asked sends on to the one that leads. Or one"
            + " address where ZooKeeper tells who leads, as the masters' `--zk`: `zk://zk1:2181,zk2:2181/mesos`."),
        Key(
          "zkAuth", \.details.zooKeeperAuth, .optional(.userAndPassword), origin: .ours, secret: true,
          defaultNote: "none", "`USER:PASSWORD` of the `digest` scheme, for the `zk://` address in `masters`."),
        Key(
          "dst", \.details.destination, .optional(.path), origin: .ours, defaultNote: "none",
          "A name of another namer whose endpoints are the masters, such as `/#/io.l5d.zkLeader/mesos`; it takes the"
            + " place of `masters`."),
        Key(
          "uriPrefix", \.details.uriPrefix, .text("path", emptyAllowed: true), origin: .ours,
          "What stands before `/api/v1` and `/state` in the master's paths."),
        Key(
          "mode", \.details.mode, .optional(.choice()), origin: .ours, defaultNote: "subscribe, else state",
          "`subscribe`: the event stream of the operator API. `state`: ask for `/state` every `pollIntervalMs`."),
        Key(
          "pollIntervalMs", \.details.pollIntervalMilliseconds, .milliseconds, unit: "ms", origin: .ours,
          "Between two answers of `/state`, a fifth more or less at random. It is large: think of the master."),
        Key("tls", \.details.tls, .optional(clusterTLS.codec), origin: .ours, defaultNote: "none", "Speak TLS."),
        Key(
          "auth", \.details.auth, .optional(clusterAuth.codec), origin: .ours, defaultNote: "none",
          "Who the router says it is. Without it, `DCOS_SERVICE_ACCOUNT_CREDENTIAL` of the environment is looked at."),
      ], wrap: { .mesos($0) },
      unwrap: { kind in
        if case .mesos(let mesos) = kind { mesos } else { nil }
      },
      check: { mesos, trail, decoding in
        checkSource(mesos.masters, key: "masters", zooKeeperAuth: mesos.zooKeeperAuth, trail, &decoding)
        if mesos.masters.isEmpty, mesos.destination == nil, decoding.isSound(trail.key("masters").canonical) {
          decoding.report(
            .error, .conflict, at: trail.key("masters").canonical, "there is neither a master nor a dst",
            remedy: "Write at least one master, such as m1.example:5050.")
        }
        if !mesos.uriPrefix.isEmpty, !mesos.uriPrefix.hasPrefix("/") || mesos.uriPrefix.hasSuffix("/") {
          decoding.report(
            .error, .badValue, at: trail.key("uriPrefix").canonical,
            "\"\(mesos.uriPrefix)\" does not begin with / or ends with one", remedy: "Write for example /mesos.")
        }
      }),
    namerKind(
      "io.l5d.vip", Configuration.Vip(), origin: .ours,
      "VIPs that labels of Mesos tasks or Marathon apps state, by name or address.",
      [
        Key(
          "mesos", \.details.mesos, .optional(.namerPrefix), origin: .ours, defaultNote: "the first io.l5d.mesos",
          "The `prefix` of the Mesos namer that knows the tasks. Where there is none, the apps of a Marathon namer count."
        ),
        Key(
          "marathon", \.details.marathon, .optional(.namerPrefix), origin: .ours,
          defaultNote: "the first io.l5d.marathon, if any",
          "The `prefix` of the Marathon namer whose ids VIPs share with its app ports."),
      ], wrap: { .vip($0) },
      unwrap: { kind in
        if case .vip(let vip) = kind { vip } else { nil }
      }),
    namerKind(
      "io.l5d.mesosdns", Configuration.MesosDns(), origin: .ours, "Mesos tasks by the names that mesos-dns serves.",
      [
        Key(
          "mesos", \.details.mesos, .optional(.namerPrefix), origin: .ours, defaultNote: "the first io.l5d.mesos",
          "The `prefix` of the Mesos namer that knows the tasks."),
        Key("domain", \.details.domain, .text("domain"), origin: .ours, "What the names end with."),
      ], wrap: { .mesosDns($0) },
      unwrap: { kind in
        if case .mesosDns(let dns) = kind { dns } else { nil }
      }),
  ]
}

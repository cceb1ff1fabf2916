import Dtab

extension KeyTables {
  static let dnsServiceNamer = namerKind(
    "io.l5d.dnssrv", Configuration.Namer.DnsService(),
    "Services by their SRV records, as Mesos-DNS, Consul and Kubernetes publish them.",
    [
      Key(
        "refreshIntervalSeconds", \.details.refreshIntervalSeconds, .seconds, unit: "s",
        "A name is asked for this often, and more often if its time to live is shorter."),
      Key(
        "dnsHosts", \.details.dnsHosts, .list(.dnsServer),
        "Name servers to ask, as `IP` or `IP:PORT`; without them those of `dns`, else those of the host."),
      Key(
        "domain", \.details.domain, .optional(.host), "Stands behind names that do not end with a dot."),
    ], wrap: { .dnssrv($0) },
    unwrap: { kind in
      if case .dnssrv(let service) = kind { service } else { nil }
    })
}

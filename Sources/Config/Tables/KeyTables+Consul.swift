extension KeyTables {
  static let consulNamer = namerKind(
    "io.l5d.consul", Configuration.Namer.Consul(), "Services as Consul knows them, followed as they change.",
    [
      Key("host", \.details.host, .host, "The agent or server to ask."),
      Key("port", \.details.port, .port, "Its HTTP port."),
      Key(
        "includeTag", \.details.includeTag, .boolean,
        "Names are `DATACENTER/TAG/SERVICE` rather than `DATACENTER/SERVICE`."),
      Key(
        "useHealthCheck", \.details.useHealthCheck, .boolean,
        "Leave out instances whose status is none of `healthStatuses`."),
      Key(
        "healthStatuses", \.details.healthStatuses, .list(.choice()),
        "With `useHealthCheck`. Of several checks of an instance the worst counts; `maintenance` is worst."),
      Key("token", \.details.token, .optional(.text()), secret: true, "Sent as `X-Consul-Token`."),
      Key(
        "setHost", \.details.setHost, .boolean,
        "Requests get the Host that Consul's DNS has the service under, `[TAG.]SERVICE.service.DATACENTER.DOMAIN`."
          + " A Location or Refresh of the response that names it gets back the Host the request came with."),
      Key(
        "consistencyMode", \.details.consistencyMode, .choice(),
        "`stale` lets any server answer; `consistent` has the leader make sure first."),
      .ignored("failFast", .boolean, say: .hint, "The agent is asked again with a growing wait whatever it says."),
      Key(
        "preferServiceAddress", \.details.preferServiceAddress, .boolean,
        "The address of an instance where it has one; false: always that of its node."),
      Key(
        "weights", \.details.weights, .list(tagWeight.codec),
        "Weights of instances by tag. Of several the highest counts; without any it is 1."),
      Key("tls", \.details.tls, .optional(clusterTLS.codec), defaultNote: "none", "How to speak TLS with it."),
    ], wrap: { .consul($0) },
    unwrap: { kind in
      if case .consul(let consul) = kind { consul } else { nil }
    })

  private static let tagWeight = ObjectTable<Configuration.Namer.Consul.TagWeight>(
    { Configuration.Namer.Consul.TagWeight() },
    [
      Key("tag", \.tag, .text("tag"), required: true, "As the instance has it."),
      Key("weight", \.weight, .number(0...1_000_000), required: true, "1 is that of instances without such a tag."),
    ])
}

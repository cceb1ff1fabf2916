import Testing

@testable import Config

@Suite("keys of namers")
struct NamerKeyTests {
  private func namer(_ text: String) -> Loaded {
    load("namers:\n- {\(text)}\nrouters:\n- protocol: http\n  servers: [{}]\n")
  }

  @Test("linkerd's examples of namers are taken as they are")
  func linkerd() throws {
    let zooKeeper = namer("kind: io.l5d.serversets, zkAddrs: [{host: 127.0.0.1, port: 2181}, {host: zk2}]")
    #expect(zooKeeper.lines.isEmpty)
    guard case .serversets(let servers)? = zooKeeper.configuration?.namers.first?.kind else {
      Issue.record("no serversets")
      return
    }
    #expect(servers.servers.map(\.host) == ["127.0.0.1", "zk2"])
    #expect(servers.servers.map(\.port) == [2_181, 2_181])
    let consul = namer(
      "kind: io.l5d.consul, host: 127.0.0.1, port: 2181, includeTag: true, useHealthCheck: false, "
        + "healthStatuses: [passing, warning], consistencyMode: stale, weights: [{tag: primary, weight: 5.0}]")
    #expect(consul.lines.isEmpty)
    guard case .consul(let values)? = consul.configuration?.namers.first?.kind else {
      Issue.record("no consul")
      return
    }
    #expect(values.healthStatuses == [.passing, .warning])
    #expect(values.consistencyMode == .stale)
    #expect(values.weights.first?.weight == 5)
    #expect(namer("kind: io.l5d.k8s, host: localhost, port: 8001, labelSelector: version").lines.isEmpty)
    #expect(namer("kind: io.l5d.k8s.ns, host: localhost, envVar: MY_POD_NAMESPACE").lines.isEmpty)
    #expect(namer("kind: io.l5d.k8s.external, experimental: true, port: 8001").lines.isEmpty)
    #expect(
      namer("kind: io.l5d.dnssrv, experimental: true, refreshIntervalSeconds: 60, dnsHosts: [10.0.0.1]").lines.isEmpty)
    #expect(namer("kind: io.l5d.zkLeader, zkAddrs: [{host: zk1}], zkRoot: /a, zkAuth: \"u:p\"").lines.isEmpty)
  }

  @Test("where ZooKeeper knows the leader takes the place of hosts")
  func leader() {
    #expect(namer("kind: io.l5d.mesos, masters: [\"zk://zk1:2181,zk2:2181/mesos\"]").lines.isEmpty)
    #expect(
      namer("kind: io.l5d.marathon, hosts: [\"zk://[::1]:2181,zk2/dcos/marathon\"], zkAuth: \"u:p\"").lines.isEmpty)
  }

  @Test("VIPs come from a Mesos namer or a Marathon namer, and one of them is needed")
  func vips() {
    #expect(namer("kind: io.l5d.marathon}\n- {kind: io.l5d.vip").lines.isEmpty)
    #expect(namer("kind: io.l5d.mesos}\n- {kind: io.l5d.vip").lines.isEmpty)
    #expect(namer("kind: io.l5d.vip").lines.contains { $0.contains("there is no namer of the kind io.l5d.mesos") })
    let other = namer("kind: io.l5d.marathon}\n- {kind: io.l5d.vip, marathon: /m").lines
    #expect(other.contains { $0.contains("there is no namer of the kind io.l5d.marathon at /m") }, "\(other)")
  }

  @Test(
    "what is wrong is told with the key and the remedy",
    arguments: [
      ("kind: io.l5d.serversets", "zkAddrs"), ("kind: io.l5d.serversets, zkAddrs: []", "Write at least one server"),
      ("kind: io.l5d.zkLeader, zkAddrs: [{host: \"zk1:2181\"}]", "The port has a key of its own"),
      ("kind: io.l5d.zkLeader, zkAddrs: [{host: zk1}], zkRoot: a", "Write \"/a\""),
      ("kind: io.l5d.consul, healthStatuses: [ok]", "is not one of"),
      ("kind: io.l5d.k8, host: a", "Did you mean \"io.l5d.k8s\""),
      (
        "kind: io.l5d.mesos, masters: [\"zk://zk1:2181\"]", "no node's path behind the servers. Write for example zk://"
      ),
      ("kind: io.l5d.mesos, masters: [\"zk://u:p@zk1/mesos\"]", "under the key zkAuth"),
      ("kind: io.l5d.mesos, masters: [\"zk://zk1,,zk2/mesos\"]", "\"\" is not a ZooKeeper server"),
      ("kind: io.l5d.mesos, masters: [\"zk://zk1/mesos\", m1]", "a zk:// address beside other hosts"),
      ("kind: io.l5d.marathon, hosts: [m1], zkAuth: \"u:p\"", "zkAuth without a zk:// address"),
    ])
  func wrong(_ text: String, _ message: String) {
    let lines = namer(text).lines
    #expect(lines.contains { $0.contains(message) }, "\(lines)")
  }
}

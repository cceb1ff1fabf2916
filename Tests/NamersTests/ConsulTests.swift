import Dtab
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("io.l5d.consul", .serialized)
  @ControlActor
  final class ConsulTests {
    let consul: FakeConsul

    init() throws { consul = try FakeConsul() }

    func namer(_ change: (inout ConsulNamer.Options) -> Void = { _ in }) -> ConsulNamer {
      var options = ConsulNamer.Options()
      options.delay = ReconnectDelay(firstMilliseconds: 10, longestMilliseconds: 40)
      change(&options)
      let resolver = offlineResolver()
      let client = ClusterClient(hosts: [ClusterHost(host: "127.0.0.1", port: consul.port)], resolver: resolver)
      return ConsulNamer(client: client, options: options, resolver: resolver)
    }

    @Test("instances are endpoints; changes come with blocking queries; the rest of the path is residual")
    func instances() async {
      consul.set("dc1/web", [.init(port: 1), .init(node: "127.0.0.2", port: 2)])
      let lookup = namer().lookup("/dc1/web/x/y")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1", "127.0.0.2:2"] })
      #expect(lookup.bound?.id == "/#/io.l5d.consul/dc1/web")
      #expect(lookup.bound?.residual == "/x/y")
      #expect(consul.requests.first == "/v1/health/service/web?dc=dc1")
      #expect(await eventually { self.consul.requests.count == 2 })
      #expect(consul.requests[1] == "/v1/health/service/web?dc=dc1&index=11&wait=60s")
      consul.set("dc1/web", [.init(port: 3)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:3"] })
      // Nothing happens, nothing is asked.
      let asked = consul.requests.count
      try? await ControlActor.sleep(milliseconds: 300)
      #expect(consul.requests.count <= asked + 1)
    }

    @Test("`.local` is the agent's own datacenter, and the token, the tag and the mode are sent")
    func parameters() async {
      consul.set("dc1/web", [.init(port: 1, tags: ["prod"]), .init(port: 2, tags: ["canary"])])
      let namer = namer {
        $0.includesTag = true
        $0.token = "secret"
        $0.consistency = .stale
      }
      let lookup = namer.lookup("/.local/prod/web/r")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      #expect(lookup.bound?.id == "/#/io.l5d.consul/.local/prod/web")
      #expect(consul.requests.first == "/v1/health/service/web?stale=&tag=prod")
      #expect(consul.tokens.first == "secret")
    }

    @Test("with health statuses, the worst check of an instance decides; maintenance is worst")
    func health() async {
      consul.set(
        "dc1/web",
        [
          .init(port: 1), .init(port: 2, checks: [("a", "passing"), ("b", "warning")]),
          .init(port: 3, checks: [("a", "critical"), ("b", "passing")]), .init(port: 4, checks: []),
          .init(port: 5, checks: [("_node_maintenance", "critical")]),
          .init(port: 6, checks: [("_service_maintenance:web", "critical"), ("a", "critical")]),
        ])
      let ports: [(Set<ConsulHealth>?, [Int])] = [
        (nil, [1, 2, 3, 4, 5, 6]), ([.passing], [1, 4]), ([.passing, .warning], [1, 2, 4]), ([.critical], [3]),
        ([.maintenance], [5, 6]),
      ]
      for (statuses, expected) in ports {
        let lookup = namer { $0.healthStatuses = statuses }.lookup("/dc1/web")
        #expect(await eventually { lookup.bound?.endpoints.shown == expected.map { "127.0.0.1:\($0)" } })
      }
    }

    @Test("addresses of instances or of nodes, and weights by tag")
    func addresses() async {
      consul.set(
        "dc1/web",
        [
          .init(node: "127.0.0.9", address: "127.0.0.1", port: 1, tags: ["primary", "slow"]),
          .init(node: "127.0.0.9", port: 2), .init(node: "not a host", port: 3), .init(port: 0),
        ])
      let weighted = namer { $0.weights = ["primary": 5, "slow": 0.1] }.lookup("/dc1/web")
      #expect(await eventually { weighted.bound?.endpoints.shown == ["127.0.0.1:1*5.0", "127.0.0.9:2"] })
      let nodes = namer { $0.prefersServiceAddress = false }.lookup("/dc1/web")
      #expect(await eventually { nodes.bound?.endpoints.shown == ["127.0.0.9:1", "127.0.0.9:2"] })
    }

    @Test(
      "with setHost requests name the service as Consul's DNS does, with the domain that the agent says",
      arguments: [
        (#"{"Config":{"Datacenter":"dc1"},"DebugConfig":{"DNSDomain":"mesh.","Datacenter":"dc1","X":[1]}}"#, "mesh"),
        (#"{"Config":{"Datacenter":"dc1","Domain":".old.example."},"Member":{}}"#, "old.example"),
        (#"{"Config":{"Datacenter":"dc1","Domain":null}}"#, "consul"),
      ])
    func authority(_ agent: String, _ domain: String) async {
      consul.agent = agent
      consul.set("dc1/web", [.init(port: 1, tags: ["prod"])])
      consul.set("dc2/web", [.init(port: 2)])
      consul.set("dc1/no host", [.init(port: 3)])
      let plain = namer { $0.setsHost = true }
      let tagged = namer {
        $0.setsHost = true
        $0.includesTag = true
      }
      let expected: [(NameLookup, String?)] = [
        (plain.lookup("/dc1/web"), "web.service.dc1.\(domain)"),
        (plain.lookup("/.local/web/x"), "web.service.dc1.\(domain)"),
        (plain.lookup("/dc2/web"), "web.service.dc2.\(domain)"),
        (tagged.lookup("/.local/prod/web"), "prod.web.service.dc1.\(domain)"),
        (plain.lookup(Path(labels: ["dc1", "no host"])), nil),
        (namer().lookup("/dc1/web"), nil),
      ]
      for (lookup, authority) in expected {
        #expect(await eventually { lookup.bound != nil })
        #expect(lookup.bound?.endpoints.authority == authority)
      }
      // Once for each namer that needs it.
      #expect(consul.requests.count { $0.hasPrefix("/v1/agent/self") } == 2)
    }

    @Test("with setHost nothing is bound before the agent has said its domain; what goes wrong is told")
    func authorityLater() async {
      consul.set("dc1/web", [.init(port: 1)])
      let namer = namer { $0.setsHost = true }
      let lookup = namer.lookup("/dc1/web")
      #expect(await eventually { namer.state().names.first?.lastError?.contains("/v1/agent/self: 403") == true })
      #expect(lookup.bound == nil)
      consul.agent = "[]"
      // It asks again after a pause that grows.
      #expect(
        await eventually(withinMilliseconds: 15_000) { namer.state().names.first?.lastError?.contains("403") == false })
      consul.agent = "{}"
      #expect(await eventually(withinMilliseconds: 15_000) { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
    }

    @Test("a service without instances, and a datacenter that nobody knows, are neg; near names are offered")
    func absence() async {
      consul.set("dc1/users", [.init(port: 1)])
      consul.set("dc1/empty", [])
      let namer = namer()
      let lookups = ["/dc1/usres", "/dc1/empty", "/nowhere/users", "/dc1", "/"].map { namer.lookup($0) }
      #expect(await eventually { lookups.allSatisfy(\.isNeg) })
      #expect(
        await eventually { namer.nearNames(to: "/dc1/usres", limit: 3) == ["/#/io.l5d.consul/dc1/users"] })
      consul.set("dc1/empty", [.init(port: 5)])
      #expect(await eventually { lookups[1].bound?.endpoints.shown == ["127.0.0.1:5"] })
    }

    @Test(
      "what goes wrong leaves what was known, with its age and the error",
      arguments: [
        FakeConsul.Fault.status(500, "rpc error: No cluster leader"), .status(403, "Permission denied"),
        .status(429, "slow down"), .garbage,
      ])
    func faults(_ fault: FakeConsul.Fault) async {
      consul.set("dc1/web", [.init(port: 1)])
      let namer = namer()
      let lookup = namer.lookup("/dc1/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      consul.fault = fault
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:1"])
      #expect(namer.state().names.first?.lastError?.contains("/v1/health/service/web") == true)
      consul.set("dc1/web", [.init(port: 2)])
      consul.fault = .none
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      #expect(await eventually { lookup.bound?.endpoints.staleSince == nil })
    }

    @Test("an agent that goes away and comes back is asked again, in no hurry")
    func restart() async throws {
      consul.set("dc1/web", [.init(port: 1)])
      let lookup = namer().lookup("/dc1/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      await consul.stop()
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      try await ControlActor.sleep(milliseconds: 100)
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:1"])
      let second = try FakeConsul(port: consul.port)
      second.set("dc1/web", [.init(port: 2)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      await second.stop()
    }

    @Test("an index that goes backwards begins anew, so that nothing is waited for in vain")
    func backwards() async {
      consul.setIndex(1_000)
      consul.set("dc1/web", [.init(port: 1)])
      let lookup = namer().lookup("/dc1/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      consul.setIndex(5)
      consul.set("dc1/web", [.init(port: 2)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      #expect(await eventually { self.consul.requests.contains { $0.contains("index=6&") } })
      consul.set("dc1/web", [.init(port: 3)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:3"] })
    }

    @Test("answers that come at once, again and again, are not asked for in a loop")
    func pace() async throws {
      consul.set("dc1/web", [.init(port: 1)])
      let lookup = namer().lookup("/dc1/web")
      #expect(await eventually { lookup.bound != nil })
      let before = consul.requests.count
      let began = Clock.now
      for port in 2...60 {
        consul.set("dc1/web", [.init(port: port)])
        try await ControlActor.sleep(milliseconds: 10)
      }
      let milliseconds = Int(Clock.now.nanoseconds(since: began) / 1_000_000)
      #expect(consul.requests.count - before <= milliseconds / 100 + 2)
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:60"] })
      consul.fault = .noIndex
      let then = consul.requests.count
      try await ControlActor.sleep(milliseconds: 500)
      #expect(consul.requests.count - then <= 3)
    }

    @Test("a service nobody asks for any more is not asked for either")
    func lifetime() async throws {
      consul.set("dc1/web", [.init(port: 1)])
      let namer = namer()
      var lookup: NameLookup? = namer.lookup("/dc1/web")
      #expect(await eventually { lookup?.bound != nil })
      lookup = nil
      try await ControlActor.sleep(milliseconds: 50)
      let asked = consul.requests.count
      for port in 2...4 {
        consul.set("dc1/web", [.init(port: port)])
        try await ControlActor.sleep(milliseconds: 120)
      }
      #expect(consul.requests.count == asked)
      #expect(namer.state().names.isEmpty)
    }
  }
}

import Dtab
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("io.l5d.dnssrv", .serialized)
  @ControlActor
  final class DnsServiceTests {
    let server = DnsServer()

    deinit { server.stop() }

    func namer(domain: String? = nil) -> DnsServiceNamer {
      DnsServiceNamer(domain: domain, refreshMilliseconds: 60, resolver: server.resolver())
    }

    func host(_ name: String, _ address: String?) {
      server.set(name, .a, address.map { .addresses([$0]) } ?? .nxdomain)
      server.set(name, .aaaa, .nothing)
    }

    @Test("each record is an endpoint with its port and weight; the rest of the path is residual")
    func records() async {
      server.set("_http._tcp.web.test", .srv, .services(["1 10 8080 a.test", "1 30 8081 b.test"]))
      host("a.test", "10.0.0.1")
      host("b.test", "10.0.0.2")
      let lookup = namer().lookup("/_http._tcp.web.test/x/y")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.1:8080*10.0", "10.0.0.2:8081*30.0"] })
      #expect(lookup.bound?.id == "/#/io.l5d.dnssrv/_http._tcp.web.test")
      #expect(lookup.bound?.residual == "/x/y")
    }

    @Test("names in use that have records are offered for one that has none")
    func nearNames() async {
      server.set("_http._tcp.users.test", .srv, .services(["1 1 8080 a.test"]))
      host("a.test", "10.0.0.1")
      let namer = namer()
      let users = namer.lookup("/_http._tcp.users.test")
      let wrong = namer.lookup("/_http._tcp.usres.test")
      #expect(await eventually { users.bound != nil && wrong.isNeg })
      #expect(
        namer.nearNames(to: "/_http._tcp.usres.test", limit: 3) == ["/#/io.l5d.dnssrv/_http._tcp.users.test"])
      withExtendedLifetime((users, wrong)) {}
    }

    @Test("the lowest priority counts that has targets with an address, and counts again when it is back")
    func priorities() async {
      server.set("_a._tcp.test", .srv, .services(["20 1 2 backup.test", "10 1 1 main.test"]))
      host("main.test", "10.0.0.1")
      host("backup.test", "10.0.0.2")
      let lookup = namer().lookup("/_a._tcp.test")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.1:1"] })
      host("main.test", nil)
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.2:2"] })
      host("main.test", "10.0.0.3")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.3:1"] })
    }

    @Test(
      "weights of 0 are equal among themselves, and small beside others",
      arguments: [([0, 0], [1, 1]), ([0, 50], [0.5, 50]), ([3, 4], [3, 4])] as [([UInt16], [Double])])
    func weights(_ given: [UInt16], _ expected: [Double]) {
      let records = given.enumerated().map {
        AresDriver.SrvRecord(priority: 1, weight: $1, port: UInt16($0 + 1), target: "t")
      }
      #expect(DnsService.tiers(records).first?.map(\.weight) == expected)
    }

    @Test("no such name, no record, and the target `.` are neg; the name becomes one when records appear")
    func absence() async {
      server.set("_none._tcp.test", .srv, .nothing)
      server.set("_off._tcp.test", .srv, .services(["0 0 0 ."]))
      let namer = namer()
      let lookups = ["/_missing._tcp.test", "/_none._tcp.test", "/_off._tcp.test"].map { namer.lookup($0) }
      #expect(await eventually { lookups.allSatisfy(\.isNeg) })
      host("a.test", "10.0.0.1")
      server.set("_none._tcp.test", .srv, .services(["0 0 80 a.test"]))
      #expect(await eventually { lookups[1].bound?.endpoints.shown == ["10.0.0.1:80"] })
      server.set("_none._tcp.test", .srv, .nxdomain)
      #expect(await eventually { lookups[1].isNeg })
    }

    @Test("a name server that fails leaves what was known, with its age", arguments: [0, 1, 2])
    func failures(_ kind: Int) async {
      host("a.test", "10.0.0.1")
      server.set("_a._tcp.test", .srv, .services(["0 0 80 a.test"]))
      let namer = namer()
      let lookup = namer.lookup("/_a._tcp.test")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.1:80"] })
      server.set("_a._tcp.test", .srv, [.servfail, .silence, .garbage][kind])
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      #expect(lookup.bound?.endpoints.shown == ["10.0.0.1:80"])
      #expect(namer.state().names.first?.lastError?.contains("SRV _a._tcp.test") == true)
      server.set("_a._tcp.test", .srv, .services(["0 0 81 a.test"]))
      #expect(await eventually(withinMilliseconds: 5_000) { lookup.bound?.endpoints.shown == ["10.0.0.1:81"] })
      #expect(await eventually { lookup.bound?.endpoints.staleSince == nil })
    }

    @Test("a name that nobody could ask about yet fails, and is known when somebody can")
    func firstFailure() async {
      server.set("_a._tcp.test", .srv, .servfail)
      let lookup = namer().lookup("/_a._tcp.test")
      #expect(await eventually { if case .failed = lookup.state { true } else { false } })
      host("a.test", "10.0.0.1")
      server.set("_a._tcp.test", .srv, .services(["0 0 80 a.test"]))
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.1:80"] })
    }

    @Test("the domain stands behind names without a dot at their end")
    func domain() async {
      host("a.test", "10.0.0.1")
      server.set("_a._tcp.dom.test", .srv, .services(["0 0 80 a.test"]))
      server.set("_b._tcp", .srv, .services(["0 0 81 a.test"]))
      let namer = namer(domain: ".dom.test.")
      let lookup = namer.lookup("/_a._tcp")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["10.0.0.1:80"] })
      let full = namer.lookup("/_b._tcp.")
      #expect(await eventually { full.bound?.endpoints.shown == ["10.0.0.1:81"] })
    }

    @Test("what cannot be a host name is neg", arguments: ["/-a", "/a..b", "/\\x20", "/"])
    func neg(_ text: String) throws {
      #expect(namer().lookup(try Path(parsing: text)).isNeg)
    }

    @Test("a name is asked for again by its time to live or the interval, whichever is shorter, and not when unused")
    func refresh() async throws {
      host("a.test", "10.0.0.1")
      server.set("_a._tcp.test", .srv, .services(["0 0 80 a.test"], ttl: 3_600))
      let namer = namer()
      var lookup: NameLookup? = namer.lookup("/_a._tcp.test")
      #expect(await eventually { lookup?.bound != nil })
      func asked() -> Int { server.questions.count { $0 == "_a._tcp.test srv" } }
      let before = asked()
      #expect(await eventually { asked() >= before + 3 })
      lookup = nil
      try await ControlActor.sleep(milliseconds: 100)
      let after = asked()
      try await ControlActor.sleep(milliseconds: 200)
      #expect(asked() == after)
    }
  }
}

import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("/$/inet and DNS", .serialized)
  @ControlActor
  final class InetNamerTests {
    let server = DnsServer()
    let directory = TemporaryDirectory()

    deinit { server.stop() }

    func resolver(_ change: (inout Resolver.Options) -> Void = { _ in }) -> Resolver {
      server.resolver(hosts: "\(directory.path)/hosts", change)
    }

    func bound(_ path: Path, _ resolver: Resolver) -> BoundName? {
      NamerRegistry(resolver: resolver).lookup(path).bound
    }

    @Test("A and AAAA together are the endpoints; the rest of the path is residual")
    func both() async {
      server.set("db.test", .a, .addresses(["10.0.0.2", "10.0.0.1"]))
      server.set("db.test", .aaaa, .addresses(["2001:db8::1"]))
      let bound = bound("/$/inet/db.test/5432/x/y", resolver())
      #expect(bound?.id == "/$/inet/db.test/5432")
      #expect(bound?.residual == "/x/y")
      #expect(bound?.endpoints.current == .pending)
      #expect(
        await eventually { bound?.endpoints.shown == ["10.0.0.1:5432", "10.0.0.2:5432", "[2001:db8::1]:5432"] })
      #expect(bound?.endpoints.current.endpoints.first?.metadata["host"] == "db.test")
    }

    @Test("literal addresses, localhost and a bare port ask nobody")
    func literals() {
      let resolver = resolver()
      #expect(bound("/$/inet/10.1.2.3/80", resolver)?.endpoints.shown == ["10.1.2.3:80"])
      #expect(bound("/$/inet/::1/80/r", resolver)?.endpoints.shown == ["[::1]:80"])
      #expect(bound("/$/inet/LocalHost/80", resolver)?.endpoints.shown == ["127.0.0.1:80"])
      let port = bound("/$/inet/8080/r", resolver)
      #expect(port?.id == "/$/inet/8080")
      #expect(port?.residual == "/r")
      #expect(port?.endpoints.shown == ["127.0.0.1:8080"])
      #expect(server.questions.isEmpty)
    }

    @Test(
      "what cannot be a host and a port is neg",
      arguments: [
        "/$/inet/a/0", "/$/inet/a/65536", "/$/inet/a/99999999999999999999", "/$/inet/a/http", "/$/inet/a", "/$/inet",
        "/$/inet/0", "/$/inet/65536", "/$/inet/-a/80", "/$/inet/a..b/80", "/$/inet/\\xff/80", "/$/inet/a\\x20b/80",
      ])
    func neg(_ text: String) throws {
      #expect(NamerRegistry(resolver: resolver()).lookup(try Path(parsing: text)).isNeg)
    }

    @Test(
      "what can only be a mistyped address fails and says so", arguments: ["127.1", "10.0.0.256", "1.2.3.4.5", "7"])
    func mistyped(_ host: String) throws {
      let lookup = NamerRegistry(resolver: resolver()).lookup(try Path(parsing: "/$/inet/\(host)/80"))
      guard case .failed(let text) = lookup.state else {
        Issue.record("\(lookup.state)")
        return
      }
      #expect(text.contains(host) && text.contains("127.0.0.1"))
      #expect(server.questions.isEmpty)
    }

    @Test("an answer is asked for again when its time is over, and changes reach the endpoints")
    func changes() async {
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      server.set("web.test", .aaaa, .nothing)
      let bound = bound("/$/inet/web.test/80", resolver())
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.1:80"] })
      server.set("web.test", .a, .addresses(["10.0.0.3", "10.0.0.2"]))
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.2:80", "10.0.0.3:80"] })
      #expect(bound?.endpoints.lastError == nil)
    }

    @Test("the time to live is kept within its bounds")
    func ttl() async {
      for name in ["long.test", "zero.test"] { server.set(name, .aaaa, .nothing) }
      server.set("long.test", .a, .addresses(["10.0.0.1"], ttl: 3_600))
      server.set("zero.test", .a, .addresses(["10.0.0.2"], ttl: 0))
      let resolver = resolver {
        $0.ttlMillisecondsMin = 100
        $0.ttlMillisecondsMax = 200
      }
      let names = ["/$/inet/long.test/80", "/$/inet/zero.test/80"].map { bound($0, resolver) }
      #expect(await eventually { names.allSatisfy { $0?.endpoints.shown.isEmpty == false } })
      let since = Clock.now
      let count: @ControlActor (String) -> Int = { [server] name in server.questions.count { $0 == "\(name) a" } }
      let (long, zero) = (count("long.test"), count("zero.test"))
      // Not for ever, and not more often than the bounds say.
      #expect(
        await eventually(withinMilliseconds: 10_000) {
          count("long.test") >= long + 4 && count("zero.test") >= zero + 4
        })
      let milliseconds = Int(Clock.now.nanoseconds(since: since) / 1_000_000)
      #expect((count("long.test") - long - 1) * 200 <= milliseconds)
      #expect((count("zero.test") - zero - 1) * 100 <= milliseconds)
      _ = names
    }

    @Test("a name that does not exist is a name with negative endpoints, until it exists")
    func nxdomain() async {
      let bound = bound("/$/inet/new.test/80", resolver())
      #expect(await eventually { bound?.endpoints.current == .neg })
      #expect(bound?.endpoints.lastError?.contains("NXDOMAIN") == true)
      server.set("new.test", .a, .addresses(["10.0.0.9"]))
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.9:80"] })
      #expect(bound?.endpoints.lastError == nil)
      server.set("new.test", .a, .nxdomain)
      #expect(await eventually { bound?.endpoints.current == .neg })
    }

    @Test("failures and silence keep the last good answer and show since when", arguments: [true, false])
    func lastGood(isSilent: Bool) async {
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      server.set("web.test", .aaaa, .nothing)
      let bound = bound("/$/inet/web.test/80", resolver())
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.1:80"] })
      server.set("web.test", .a, isSilent ? .silence : .servfail)
      server.set("web.test", .aaaa, isSilent ? .silence : .servfail)
      #expect(await eventually { bound?.endpoints.lastError != nil })
      #expect(bound?.endpoints.shown == ["10.0.0.1:80"])
      #expect(bound?.endpoints.staleSince != nil)
      server.set("web.test", .a, .addresses(["10.0.0.2"]))
      server.set("web.test", .aaaa, .nothing)
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.2:80"] && bound?.endpoints.lastError == nil })
    }

    @Test("nobody answering, and nothing known, is a failure with its reason")
    func timeout() async {
      server.set("web.test", .a, .silence)
      server.set("web.test", .aaaa, .silence)
      let bound = bound("/$/inet/web.test/80", resolver())
      #expect(
        await eventually {
          if case .failed(let text)? = bound?.endpoints.current { text.contains("Timeout") } else { false }
        })
    }

    @Test("a malformed answer is a failure")
    func garbage() async {
      server.set("web.test", .a, .garbage)
      server.set("web.test", .aaaa, .nothing)
      let bound = bound("/$/inet/web.test/80", resolver())
      #expect(await eventually { if case .failed? = bound?.endpoints.current { true } else { false } })
    }

    @Test("one family that keeps us waiting does not hold up the other for long")
    func slowFamily() async {
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      server.set("web.test", .aaaa, .silence)
      let bound = bound("/$/inet/web.test/80", resolver { $0.attemptTimeoutMilliseconds = 5_000 })
      let since = Clock.now
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.1:80"] })
      #expect(Clock.now.nanoseconds(since: since) < patience(500_000_000))
    }

    @Test("one family that fails keeps its own last good addresses")
    func oneFamilyFails() async {
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      server.set("web.test", .aaaa, .addresses(["2001:db8::1"]))
      let bound = bound("/$/inet/web.test/80", resolver())
      #expect(await eventually { bound?.endpoints.shown.count == 2 })
      server.set("web.test", .a, .addresses(["10.0.0.2"]))
      server.set("web.test", .aaaa, .servfail)
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.2:80", "[2001:db8::1]:80"] })
      #expect(bound?.endpoints.lastError?.contains("AAAA") == true)
      server.set("web.test", .aaaa, .nothing)
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.2:80"] })
    }

    @Test("a truncated answer is fetched over TCP")
    func truncated() async {
      let addresses = (0..<300).map { "10.0.\($0 / 250).\($0 % 250)" }
      server.set("big.test", .a, .truncated(addresses))
      server.set("big.test", .aaaa, .nothing)
      let bound = bound("/$/inet/big.test/80", resolver { $0.attemptTimeoutMilliseconds = 2_000 })
      #expect(await eventually(withinMilliseconds: 5_000) { bound?.endpoints.current.endpoints.count == 300 })
    }

    @Test("everyone who uses a name shares one look-up, whatever the case and the port")
    func shared() async {
      server.set("web.test", .a, .addresses(["10.0.0.1"], ttl: 60))
      server.set("web.test", .aaaa, .nothing)
      let registry = NamerRegistry(resolver: resolver())
      let names = ["/$/inet/web.test/80", "/$/inet/WEB.test/80", "/$/inet/web.test/81/x", "/$/inet/web.test/80/r"]
        .map { registry.lookup($0).bound }
      #expect(await eventually { names.allSatisfy { $0?.endpoints.shown.isEmpty == false } })
      #expect(server.questions.sorted() == ["web.test a", "web.test aaaa"])
      #expect(names[0]?.endpoints === names[3]?.endpoints)
    }

    @Test("a name that is no longer used is no longer asked for")
    func idle() async {
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      server.set("web.test", .aaaa, .nothing)
      let resolver = resolver()
      var name = bound("/$/inet/web.test/80", resolver)
      #expect(await eventually { name?.endpoints.shown.isEmpty == false })
      name = nil
      #expect(await eventually { resolver.nameCount == 0 })
      let count = server.questions.count
      try? await ControlActor.sleep(milliseconds: 150)
      #expect(server.questions.count == count)
    }

    @Test("fixedinet keeps its first answer")
    func fixed() async {
      server.set("web.test", .a, .servfail)
      server.set("web.test", .aaaa, .nothing)
      let resolver = resolver()
      let bound = bound("/$/fixedinet/web.test/80/r", resolver)
      #expect(bound?.id == "/$/fixedinet/web.test/80")
      #expect(await eventually { if case .failed? = bound?.endpoints.current { true } else { false } })
      server.set("web.test", .a, .addresses(["10.0.0.1"]))
      #expect(await eventually { bound?.endpoints.shown == ["10.0.0.1:80"] })
      server.set("web.test", .a, .addresses(["10.0.0.2"]))
      try? await ControlActor.sleep(milliseconds: 150)
      #expect(bound?.endpoints.shown == ["10.0.0.1:80"])
      #expect(resolver.nameCount == 0)
    }

    @Test("the hosts file goes before DNS and is read again when it changes")
    func hosts() async {
      directory.replace("hosts", "# local\n10.9.9.9 Web.Test web # a\n2001:db8::9\tweb.test\nnonsense web.test\n")
      let resolver = resolver()
      let bound = bound("/$/inet/web.TEST/80", resolver)
      #expect(bound?.endpoints.shown == ["10.9.9.9:80", "[2001:db8::9]:80"])
      #expect(server.questions.isEmpty)
      directory.replace("hosts", "10.9.9.8 web.test\n")
      #expect(await eventually { bound?.endpoints.shown == ["10.9.9.8:80"] })
    }

    @Test("AAAA answers without a route are left out when there are A answers")
    func routes() async {
      server.set("web.test", .a, .addresses(["127.0.0.1"]))
      // 0100::/64 is the discard-only prefix (RFC 6666).
      server.set("web.test", .aaaa, .addresses(["::1", "100::1"]))
      let bound = bound("/$/inet/web.test/80", resolver { $0.dropsUnreachableIPv6 = true })
      let expected = ["127.0.0.1", "::1", "100::1"].compactMap { SocketAddress(ip: $0, port: 80) }
        .filter { $0.isIPv4 || Socket.hasRoute(to: $0) }
      #expect(await eventually { Set(bound?.endpoints.current.endpoints.map(\.address) ?? []) == Set(expected) })
    }

    @Test("host names in endpoint files are resolved, live; one that fails leaves the others alone")
    func inFiles() async {
      server.set("web.test", .a, .addresses(["10.0.0.1", "10.0.0.2"]))
      server.set("web.test", .aaaa, .nothing)
      server.set("gone.test", .a, .servfail)
      directory.makeDirectory("disco")
      directory.replace("disco/web", "web.test 80 * 2\n127.0.0.1 81\ngone.test 82\n")
      let namer = FsNamer(rootDirectory: directory.path + "/disco", resolver: resolver())
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      #expect(source.current == .pending)
      #expect(await eventually { source.shown == ["10.0.0.1:80*2.0", "10.0.0.2:80*2.0", "127.0.0.1:81"] })
      #expect(source.lastError?.hasPrefix("line 3: gone.test: ") == true)
      server.set("web.test", .a, .addresses(["10.0.0.3"]))
      #expect(await eventually { source.shown == ["10.0.0.3:80*2.0", "127.0.0.1:81"] })
      server.set("gone.test", .a, .addresses(["10.0.0.4"]))
      #expect(
        await eventually(withinMilliseconds: 4_000) {
          source.shown == ["10.0.0.3:80*2.0", "10.0.0.4:82", "127.0.0.1:81"] && source.lastError == nil
        })
    }

    @Test("one look-up for the control plane's own clients")
    func once() async throws {
      server.set("admin.test", .a, .addresses(["10.0.0.1"]))
      let resolver = resolver()
      #expect(try await resolver.addresses(of: "admin.test") == [SocketAddress(ip: "10.0.0.1", port: 0)!])
      #expect(try await resolver.addresses(of: "[::1]") == [SocketAddress(ip: "::1", port: 0)!])
      await #expect(throws: ResolverError.self) { _ = try await resolver.addresses(of: "nobody.test") }
    }

    @Test("short names are tried in the search domains, as resolv.conf says")
    func searchDomains() async {
      directory.replace("resolv.conf", "nameserver 127.0.0.1\nsearch a.test b.test\noptions ndots:2\n")
      let resolver = resolver {
        $0.servers = []
        $0.resolvConfPath = "\(directory.path)/resolv.conf"
        $0.resolvConfCheckMilliseconds = 0
      }
      #expect(resolver.candidates("web") == ["web.a.test", "web.b.test", "web"])
      #expect(resolver.candidates("x.web") == ["x.web.a.test", "x.web.b.test", "x.web"])
      #expect(resolver.candidates("y.x.web") == ["y.x.web", "y.x.web.a.test", "y.x.web.b.test"])
      #expect(resolver.candidates("web.") == ["web."])
      directory.replace("resolv.conf", "nameserver 127.0.0.1\nsearch c.test\n")
      #expect(resolver.candidates("web") == ["web.c.test", "web"])
    }

    @Test("many names at once")
    func many() async {
      let resolver = resolver { $0.attemptTimeoutMilliseconds = 2_000 }
      for index in 0..<300 {
        server.set("n\(index).test", .a, .addresses(["10.1.\(index / 250).\(index % 250)"], ttl: 60))
        server.set("n\(index).test", .aaaa, .nothing)
      }
      let registry = NamerRegistry(resolver: resolver)
      let names = (0..<300).map { registry.lookup(Path(labels: ["$", "inet", "n\($0).test", "80"])).bound }
      #expect(await eventually(withinMilliseconds: 10_000) { names.allSatisfy { $0?.endpoints.shown.count == 1 } })
      #expect(server.questions.count >= 600)
    }
  }
}

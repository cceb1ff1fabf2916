import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("io.l5d.serversets and io.l5d.zkLeader", .serialized)
  @ControlActor
  final class ServersetTests {
    let server: ZooKeeperServer
    let client: ZooKeeperClient
    let writer: ZooKeeperWriterSession

    init() async throws {
      server = try ZooKeeperServer()
      var options = ZooKeeperClientTests.impatient
      options.returnMilliseconds = 3_000
      client = ZooKeeperClient(server.ensemble, resolver: offlineResolver(), options: options)
      writer = try await ZooKeeperWriterSession(server, sessionMilliseconds: 30_000)
    }

    func namer() -> ServersetNamer { ServersetNamer(client: client, resolver: offlineResolver()) }
    func leaders() -> ZkLeaderNamer { ZkLeaderNamer(client: client, resolver: offlineResolver()) }

    func member(
      _ port: Int, status: String = "ALIVE", http: Int? = nil, shard: Int? = nil, host: String = "127.0.0.1"
    ) -> String {
      let named = http.map { #""http": {"host": "\#(host)", "port": \#($0)}"# } ?? ""
      let shard = shard.map { #", "shard": \#($0)"# } ?? ""
      return #"{"serviceEndpoint": {"host": "\#(host)", "port": \#(port)}, "additionalEndpoints": {\#(named)}, "#
        + #""status": "\#(status)"\#(shard)}"#
    }

    @discardableResult
    func join(_ path: String, _ json: String, as session: ZooKeeperWriterSession? = nil) async throws -> String {
      try await (session ?? writer).create(path + "/member_", json, ephemeral: true, sequential: true)
    }

    @Test("members that are alive are endpoints; they come, change and go")
    func members() async throws {
      try await writer.createAll("/discovery/web")
      try await join("/discovery/web", member(1))
      let second = try await join("/discovery/web", member(2))
      try await join("/discovery/web", member(3, status: "STARTING"))
      try await writer.create("/discovery/web/vector_1", "{}")
      let lookup = namer().lookup("/discovery/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1", "127.0.0.1:2"] })
      #expect(lookup.bound?.id == "/#/io.l5d.serversets/discovery/web")
      try await join("/discovery/web", member(4))
      #expect(await eventually { lookup.bound?.endpoints.shown.count == 3 })
      try await writer.set(second, member(2, status: "STOPPING"))
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1", "127.0.0.1:4"] })
      try await writer.delete(second)
      await writer.close()
      #expect(await eventually { lookup.isNeg })
    }

    @Test("the first answer has all members: a set is not seen half")
    func whole() async throws {
      try await writer.create("/big")
      for port in 1...300 { try await join("/big", member(port)) }
      let lookup = namer().lookup("/big")
      #expect(await eventually(withinMilliseconds: 5_000) { lookup.bound != nil })
      #expect(lookup.bound?.endpoints.current.endpoints.count == 300)
    }

    @Test("an endpoint by name, and a shard by number")
    func names() async throws {
      try await writer.create("/web")
      try await join("/web", member(1, http: 81, shard: 0))
      try await join("/web", member(2, http: 82, shard: 1))
      let namer = namer()
      let cases: [(Path, [String])] = [
        ("/web", ["127.0.0.1:1", "127.0.0.1:2"]), ("/web:http", ["127.0.0.1:81", "127.0.0.1:82"]),
        ("/web:http#1", ["127.0.0.1:82"]), ("/web#0", ["127.0.0.1:1"]),
      ]
      for (path, expected) in cases {
        let lookup = namer.lookup(path)
        #expect(await eventually { lookup.bound?.endpoints.shown == expected }, "\(path)")
        #expect(lookup.bound?.id == "/#/io.l5d.serversets" + path)
      }
      let none = namer.lookup("/web:admin")
      #expect(await eventually { none.isNeg })
    }

    @Test("the longest beginning with live members is the name, the rest residual; what appears later takes over")
    func residual() async throws {
      try await writer.createAll("/a/b")
      try await join("/a", member(1))
      let namer = namer()
      let lookup = namer.lookup("/a/b/x/y")
      #expect(await eventually { lookup.bound?.residual == "/b/x/y" && lookup.bound?.id == "/#/io.l5d.serversets/a" })
      try await join("/a/b", member(2))
      #expect(await eventually { lookup.bound?.residual == "/x/y" && lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
    }

    @Test("a name nobody has is neg, and those it may have been meant to be are offered")
    func near() async throws {
      try await writer.createAll("/discovery/prod/web")
      try await writer.createAll("/discovery/prod/users")
      let namer = namer()
      let lookup = namer.lookup("/discovery/prod/wib")
      #expect(await eventually { lookup.isNeg })
      #expect(namer.nearNames(to: "/discovery/prod/wib", limit: 3) == ["/#/io.l5d.serversets/discovery/prod/web"])
      let other = namer.lookup("/discovry/prod/web")
      #expect(await eventually { other.isNeg })
      #expect(namer.nearNames(to: "/discovry/prod/web", limit: 3) == ["/#/io.l5d.serversets/discovery"])
    }

    @Test("a member that cannot be read as one is left out and named; the others serve")
    func malformed() async throws {
      try await writer.create("/web")
      try await join("/web", member(1))
      try await join("/web", "{\"serviceEndpoint\": ")
      let namer = namer()
      let lookup = namer.lookup("/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      #expect(namer.state().names.first?.lastError?.contains("/web/member_0000000001: JSON") == true)
    }

    @Test(
      "servers that are away: endpoints stay, their age shows; members whose sessions ended meanwhile may come back")
    func outage() async throws {
      try await writer.create("/web")
      try await join("/web", member(1))
      let namer = namer()
      let lookup = namer.lookup("/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      server.stop()
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      #expect(namer.state().lastError?.contains("zookeeper 127.0.0.1:\(server.port)") == true)
      // The member's session ends while nobody can be told.
      try await ControlActor.sleep(milliseconds: 2_500)
      try server.start()
      let second = try await ZooKeeperWriterSession(server, sessionMilliseconds: 30_000)
      // The server takes the old session up from its log; its client, which is gone, would have let it expire.
      try await second.delete("/web/member_0000000000")
      #expect(await eventually(withinMilliseconds: 10_000) { self.client.failure == nil })
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:1"])
      try await join("/web", member(2), as: second)
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1", "127.0.0.1:2"] })
      #expect(await eventually(withinMilliseconds: 6_000) { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      #expect(lookup.bound?.endpoints.staleSince == nil)
    }

    // MARK: Leaders

    @Test("the candidate with the lowest number leads; when it goes the next one does, and with the last the name")
    func leader() async throws {
      try await writer.createAll("/election/svc")
      var names: [String] = []
      for port in 1...3 {
        names.append(
          try await writer.create("/election/svc/member_", "127.0.0.1:\(port)", ephemeral: true, sequential: true))
      }
      let namer = leaders()
      let lookup = namer.lookup("/election/svc/rest")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      #expect(lookup.bound?.id == "/#/io.l5d.zkLeader/election/svc")
      #expect(lookup.bound?.residual == "/rest")
      try await writer.delete(names[0])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      try await writer.delete(names[2])
      try await writer.delete(names[1])
      #expect(await eventually { lookup.isNeg })
    }

    @Test(
      "who leads among such children",
      arguments: [
        (["member_0000000010", "member_0000000009"], "member_0000000009"),
        (["_c_b-latch-0000000002", "_c_a-latch-0000000003"], "_c_b-latch-0000000002"),
        (["log_replicas", "json.info_0000000004", "info_0000000001"], "json.info_0000000004"),
        (["log_replicas", "v2"], nil), ([], nil),
      ] as [([String], String?)])
    func first(_ names: [String], _ leader: String?) { #expect(LeaderGroup.first(of: names) == leader) }

    @Test(
      "what a leader's node may say",
      arguments: [
        ("10.0.0.1:8080", ["10.0.0.1:8080"]), ("a:1,b:2\n", ["a:1", "b:2"]), ("[::1]:5", ["::1:5"]),
        (#"{"address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"ip":16777343,"port":1}"#, ["10.0.0.1:5050(m1)"]),
        (#"{"hostname":"m1","ip":16777343,"pid":"master@10.0.0.2:5050","port":5050}"#, ["10.0.0.2:5050(m1)"]),
        (#"{"serviceEndpoint":{"host":"h","port":9},"status":"ALIVE"}"#, ["h:9"]), ("h", []), ("{", []), ("", []),
        (#"{"hostname":"m1","port":5050}"#, ["m1:5050"]),
      ])
    func data(_ text: String, _ expected: [String]) {
      let places = LeaderData.places(Array(text.utf8))
      #expect(places.map { "\($0.host):\($0.port)" + ($0.name.map { "(\($0))" } ?? "") } == expected)
    }

    @Test("the master of zk://…/mesos is followed through a change of leader, and stays known without one")
    func mesos() async throws {
      func master(_ port: Int) -> String {
        #"{"address":{"hostname":"m\#(port).example","ip":"127.0.0.1","port":\#(port)},"ip":16777343,"port":1}"#
      }
      try await writer.createAll("/mesos/log_replicas")
      let first = try await writer.create("/mesos/json.info_", master(5_051), ephemeral: true, sequential: true)
      let second = try await writer.create("/mesos/json.info_", master(5_052), ephemeral: true, sequential: true)
      let clients = ZooKeeperClients(resolver: offlineResolver())
      let ensemble = try ZooKeeperEnsemble(parsing: "zk://127.0.0.1:\(server.port)/mesos")
      let plain = ZooKeeperLeader(ensemble, election: .mesos, clients: clients)
      let secure = ZooKeeperLeader(ensemble, election: .mesos, clients: clients, isSecure: true)
      var changes = 0
      let tokens = [plain.observe { changes += 1 }, secure.observe {}]
      #expect(await eventually { plain.hosts.map(\.description) == ["http://127.0.0.1:5051"] })
      #expect(await eventually { secure.hosts.map(\.description) == ["https://m5051.example:5051"] })
      #expect(plain.lastError == nil)
      try await writer.delete(first)
      #expect(await eventually { plain.hosts.map(\.description) == ["http://127.0.0.1:5052"] && changes == 2 })
      try await writer.delete(second)
      #expect(await eventually { plain.lastError?.contains("nobody leads") == true })
      #expect(plain.hosts.map(\.description) == ["http://127.0.0.1:5052"])
      withExtendedLifetime(tokens) {}
    }

    @Test("Marathon's leader is found where old and new versions stand for election")
    func marathon() async throws {
      try await writer.createAll("/marathon/leader")
      try await writer.create("/marathon/leader/member_", "127.0.0.1:1", ephemeral: true, sequential: true)
      let leader = ZooKeeperLeader(
        try ZooKeeperEnsemble(parsing: "127.0.0.1:\(server.port)/marathon"), election: .marathon,
        clients: ZooKeeperClients(resolver: offlineResolver()))
      let token = leader.observe {}
      #expect(await eventually { leader.hosts.map(\.description) == ["http://127.0.0.1:1"] })
      try await writer.create("/marathon/leader-curator")
      try await writer.create(
        "/marathon/leader-curator/_c_1-latch-", "127.0.0.1:2", ephemeral: true, sequential: true)
      #expect(await eventually { leader.hosts.map(\.description) == ["http://127.0.0.1:2"] })
      withExtendedLifetime(token) {}
    }
  }
}

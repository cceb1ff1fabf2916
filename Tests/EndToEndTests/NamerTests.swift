import Foundation
import Net
import TestSupport
import Testing

/// Namers over a source of their own, through the binary: what they say is in force while requests flow.
extension LoadTests {
  @Suite("namers", .serialized)
  struct NamerTests {
    private func answering(_ body: String) -> Backend {
      Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    private func becomes(_ router: Router, _ name: String, _ body: String, seconds: Int = 5) throws -> Bool {
      for _ in 0..<(patience(seconds) * 50) {
        if try router.get(name)?.bodyText == body { return true }
        usleep(20_000)
      }
      return false
    }

    /// What a server over HTTP says at present, and the version that it has.
    private final class Source: Sendable {
      private let state = Locked<(version: Int, body: String)>((1, "[]"))
      private let isGone = Locked(false)
      func set(_ body: String) { state.withLock { $0 = ($0.version + 1, body) } }
      var current: (version: Int, body: String) { state.withLock { $0 } }

      /// Nothing is answered any more; connections end.
      func leave() { isGone.withLock { $0 = true } }

      /// As Consul answers: at once, or when there is something newer than the question knows.
      func consul() -> Backend {
        Backend { connection in
          while let request = connection.request() {
            let asked = request.startLine.split(separator: "index=").dropFirst().first
              .flatMap { Int($0.prefix { $0.isNumber }) }
            while let asked, self.current.version == asked, !self.isGone.withLock({ $0 }) { usleep(5_000) }
            if self.isGone.withLock({ $0 }) { return }
            let (version, body) = self.current
            connection.socket.send(
              "HTTP/1.1 200 OK\r\nX-Consul-Index: \(version)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
          }
        }
      }
    }

    @Test("Consul: a change is in force in the middle of traffic; an agent that is gone changes nothing")
    func consul() throws {
      let (first, second) = (answering("1"), answering("2"))
      let source = Source()
      func instance(_ port: Int) -> String {
        #"[{"Node":{"Address":"127.0.0.1"},"Service":{"Address":"","Port":\#(port),"Tags":[]},"Checks":[]}]"#
      }
      source.set(instance(first.port))
      var agent: Backend? = source.consul()
      let router = try Router(
        dtab: "/svc => /#/io.l5d.consul/dc1",
        namers: "- {kind: io.l5d.consul, host: 127.0.0.1, port: \(try #require(agent?.port))}")
      #expect(try becomes(router, "web", "1"))
      source.set(instance(second.port))
      #expect(try becomes(router, "web", "2"))
      let state = try #require(try AdminPage.get(router, "/namer_state/io.l5d.consul.json"))
      #expect(state.contains(#""state":"bound""#), "\(state)")
      agent = nil
      source.leave()
      source.set("[]")
      usleep(300_000)
      for _ in 0..<20 { #expect(try router.get("web")?.bodyText == "2") }
      let failing = try #require(try AdminPage.get(router, "/namer_state/io.l5d.consul.json"))
      #expect(!failing.contains(#""failingMilliseconds":null"#), "\(failing)")
      withExtendedLifetime((first, second)) {}
    }

    @Test("the leader of a group in ZooKeeper gets the requests; when it goes the next one does")
    func zkLeader() throws {
      let (first, second) = (answering("1"), answering("2"))
      let zooKeeper = try ZooKeeperServer()
      try zooKeeper.run([
        "create /election", "create /election/web",
        "create /election/web/member_0000000001 127.0.0.1:\(first.port)",
        "create /election/web/member_0000000002 127.0.0.1:\(second.port)",
      ])
      let router = try Router(
        dtab: "/svc => /#/io.l5d.zkLeader",
        namers: "- {kind: io.l5d.zkLeader, zkAddrs: [{host: 127.0.0.1, port: \(zooKeeper.port)}], zkRoot: /election}")
      #expect(try becomes(router, "web", "1"))
      try zooKeeper.run(["delete /election/web/member_0000000001"])
      #expect(try becomes(router, "web", "2"))
      zooKeeper.stop()
      usleep(200_000)
      for _ in 0..<20 { #expect(try router.get("web")?.bodyText == "2") }
      withExtendedLifetime((first, second)) {}
    }

    @Test("SRV records of a service are followed; a name server that is gone changes nothing")
    func dnssrv() throws {
      let (first, second) = (answering("1"), answering("2"))
      let server = DnsServer()
      func records(_ ports: Int...) {
        server.set("_http._tcp.web.test", .srv, .services(ports.map { "1 1 \($0) a.test" }))
      }
      server.set("a.test", .a, .addresses(["127.0.0.1"]))
      server.set("a.test", .aaaa, .nothing)
      records(first.port)
      let router = try Router(
        dtab: "/svc => /#/io.l5d.dnssrv", top: "dns: {minTtlSeconds: 1}",
        namers: """
          - {kind: io.l5d.dnssrv, refreshIntervalSeconds: 1, dnsHosts: ["\(server.address)"], domain: test}
          """)
      #expect(try becomes(router, "_http._tcp.web", "1"))
      #expect(try router.get("_http._tcp.wab")?.reasonWord == "bind.neg")
      records(second.port)
      #expect(try becomes(router, "_http._tcp.web", "2", seconds: 10))
      server.stop()
      usleep(2_500_000)
      for _ in 0..<20 { #expect(try router.get("_http._tcp.web")?.bodyText == "2") }
      withExtendedLifetime((first, second)) {}
    }

    @Test("Kubernetes over TLS with a token: slices are watched, and an API that is gone changes nothing")
    @ControlActor
    func kubernetes() async throws {
      let (first, second) = (answering("1"), answering("2"))
      let certificates = Certificates.shared
      let files = TLSIdentityFiles(certificate: certificates.path("api.pem"), key: certificates.path("api.key"))
      let api = try FakeKubernetes(tls: try TLSServerContext(.init(certificates: [files])))
      api.token = "k8s-token"
      let token = certificates.path("k8s-token")
      try "k8s-token\n".write(toFile: token, atomically: true, encoding: .utf8)
      func slice(_ port: Int) {
        api.slice(
          "web-1", of: "web", ports: #"[{"name":"http","port":\#(port),"protocol":"TCP"}]"#,
          [("127.0.0.1", #""ready":true"#)])
      }
      slice(first.port)
      // Whoever waits for the router must leave this thread to the API.
      func becomes(_ router: Router, _ name: String, _ body: String) async -> Bool {
        await eventually(withinMilliseconds: 10_000) {
          await Task.detached { try? router.get(name)?.bodyText == body }.value == true
        }
      }
      let namer = """
        - kind: io.l5d.k8s
          host: 127.0.0.1
          port: \(api.port)
          tls: {trustCertsBundle: \(certificates.path("ca.pem")), commonName: api.test}
          auth: {tokenFile: \(token)}
        """
      let router = try await Task.detached {
        try Router(dtab: "/svc => /#/io.l5d.k8s/ns/http", namers: namer)
      }.value
      #expect(await becomes(router, "web", "1"), "\(api.requests)")
      slice(second.port)
      #expect(await becomes(router, "web", "2"), "\(api.requests)")
      let refused = try await Task.detached { try router.get("wbe")?.reasonWord }.value
      #expect(refused == "bind.neg")
      await api.stop()
      try await ControlActor.sleep(milliseconds: 300)
      for _ in 0..<20 { #expect(await becomes(router, "web", "2")) }
      withExtendedLifetime((first, second)) {}
    }

    @Test("Consul over TLS with a token")
    @ControlActor
    func securedConsul() async throws {
      let backend = answering("1")
      let certificates = Certificates.shared
      let files = TLSIdentityFiles(certificate: certificates.path("api.pem"), key: certificates.path("api.key"))
      let agent = try ControlHTTPServer(
        on: .loopback(port: 0), tls: try TLSServerContext(.init(certificates: [files]))
      ) { request in
        guard request.headers["X-Consul-Token"] == "consul-token" else {
          return .text(status: 403, "Permission denied")
        }
        if request.query["index"] != nil { try? await ControlActor.sleep(milliseconds: 60_000) }
        let text =
          #"[{"Node":{"Address":"127.0.0.1"},"Service":{"Address":"","Port":\#(backend.port),"Tags":[]},"Checks":[]}]"#
        return ControlResponse(
          status: 200, headers: ControlHeaders(["Content-Type": "application/json", "X-Consul-Index": "7"]),
          body: .whole(Array(text.utf8)))
      }
      let port = try #require(agent.address?.port)
      let namer = """
        - kind: io.l5d.consul
          host: 127.0.0.1
          port: \(port)
          token: consul-token
          tls: {trustCertsBundle: \(certificates.path("ca.pem")), commonName: api.test}
        """
      let router = try await Task.detached { try Router(dtab: "/svc => /#/io.l5d.consul/dc1", namers: namer) }.value
      #expect(
        await eventually(withinMilliseconds: 10_000) {
          await Task.detached { try? router.get("web")?.bodyText == "1" }.value == true
        })
      await agent.close()
      withExtendedLifetime(backend) {}
    }

    @Test(
      "Consul's setHost: the backend gets the host that Consul has the service under, the caller its own back",
      arguments: Pairing.all)
    @ControlActor
    func consulHost(_ pairing: Pairing) async throws {
      let own = "web.service.dc1.mesh"
      let answer = Sending(
        start: "HTTP/1.1 302 Found",
        fields: "Location: http://\(own)/login\r\nRefresh: 3; url=http://\(own)/\r\nX-Own: http://\(own)/\r\n",
        body: .sized("1"))
      let seen = Locked<[Arrived]>([])
      let backend = pairing.backend { request in
        seen.withLock { $0.append(request) }
        return answer
      }
      let agent = try ControlHTTPServer(on: .loopback(port: 0)) { request in
        if request.query["index"] != nil { try? await ControlActor.sleep(milliseconds: 60_000) }
        let text =
          request.path == "/v1/agent/self"
          ? #"{"Config":{"Datacenter":"dc1"},"DebugConfig":{"DNSDomain":"mesh."}}"#
          : #"[{"Node":{"Address":"127.0.0.1"},"Service":{"Address":"","Port":\#(backend.port)},"Checks":[]}]"#
        return ControlResponse(
          status: 200, headers: ControlHeaders(["Content-Type": "application/json", "X-Consul-Index": "7"]),
          body: .whole(Array(text.utf8)))
      }
      let namer = "- {kind: io.l5d.consul, host: 127.0.0.1, port: \(try #require(agent.address?.port)), setHost: true}"
      let router = try await Task.detached {
        try Router(
          dtab: "/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.consul/.local/web",
          router: "client: {protocol: \(pairing.backend)}", namers: namer)
      }.value
      let plain = router.service(backend)
      @Sendable func ask(_ target: String, _ host: String) async throws -> Arrived {
        try await Task.detached {
          try pairing.call(
            Sending(start: "GET \(target) HTTP/1.1", fields: "X-First: 1\r\nHost: \(host)\r\nX-Last: 2\r\n"),
            router: router)
        }.value
      }
      for target in ["/a", "/b"] {
        let answer = try await ask(target, "web")
        #expect(answer["location"] == "http://web/login" && answer["refresh"] == "3; url=http://web/", "\(answer.head)")
        #expect(answer["x-own"] == "http://\(own)/" && answer.body == "1")
        // The pools' next exchange begins anew.
        let other = try await ask(target, plain)
        #expect(other["location"] == "http://\(own)/login", "\(other.head)")
      }
      let requests = seen.withLock { $0 }
      #expect(requests.map { $0.all("host") } == [[own], [plain], [own], [plain]])
      #expect(requests.allSatisfy { $0["x-first"] == "1" && $0["x-last"] == "2" })
      await agent.close()
    }

    @Test("ZooKeeper: members come and go; its servers may go without a request that fails")
    func serversets() throws {
      let (first, second) = (answering("1"), answering("2"))
      let zooKeeper = try ZooKeeperServer()
      func member(_ port: Int) -> String {
        #"{"serviceEndpoint":{"host":"127.0.0.1","port":\#(port)},"additionalEndpoints":{},"status":"ALIVE"}"#
      }
      try zooKeeper.run([
        "create /discovery", "create /discovery/web", "create /discovery/web/member_1 \(member(first.port))",
      ])
      let router = try Router(
        dtab: "/svc => /#/io.l5d.serversets/discovery",
        namers: "- {kind: io.l5d.serversets, zkAddrs: [{host: 127.0.0.1, port: \(zooKeeper.port)}]}")
      #expect(try becomes(router, "web", "1"))
      #expect(try router.get("wab")?.reasonWord == "bind.neg")
      try zooKeeper.run([
        "create /discovery/web/member_2 \(member(second.port))", "delete /discovery/web/member_1",
      ])
      #expect(try becomes(router, "web", "2"))
      zooKeeper.stop()
      usleep(200_000)
      for _ in 0..<20 { #expect(try router.get("web")?.bodyText == "2") }
      let state = try #require(try AdminPage.get(router, "/namer_state/io.l5d.serversets.json"))
      #expect(state.contains("failingMilliseconds"), "\(state)")
      withExtendedLifetime((first, second)) {}
    }
  }
}

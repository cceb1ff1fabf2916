import Foundation
import TestSupport
import Testing

import class Net.Locked

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
      func set(_ body: String) { state.withLock { $0 = ($0.version + 1, body) } }
      var current: (version: Int, body: String) { state.withLock { $0 } }

      /// As Consul answers: at once, or when there is something newer than the question knows.
      func consul() -> Backend {
        Backend { connection in
          while let request = connection.request() {
            let asked = request.startLine.split(separator: "index=").dropFirst().first
              .flatMap { Int($0.prefix { $0.isNumber }) }
            while let asked, self.current.version == asked { usleep(5_000) }
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
      source.set("[]")
      usleep(300_000)
      withExtendedLifetime((first, second)) {}
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

import Foundation
import MeshBase
import Testing

@testable import Telemetry

struct JsonPageTests {
  private func flat(_ page: MetricsPage?) throws -> [String: Double] {
    let text = try #require(page).text()
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return try #require(parsed as? [String: NSNumber]).mapValues(\.doubleValue)
  }

  private func tree(_ page: MetricsPage?) throws -> [String: Any] {
    let text = try #require(page).text()
    return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("flat keys are the scopes joined by slashes, ids with slashes of their own")
  func flatKeys() throws {
    let all = try flat(busyRegistry().jsonPage(at: start))
    let expected: [String: Double] = [
      "rt/http/server/127.0.0.1/4140/requests": 3, "rt/http/server/127.0.0.1/4140/success": 2,
      "rt/http/server/127.0.0.1/4140/failures": 1, "rt/http/server/127.0.0.1/4140/failures/connect.refused": 1,
      "rt/http/server/127.0.0.1/4140/pending": 1, "rt/http/server/127.0.0.1/4140/connects": 2,
      "rt/http/server/127.0.0.1/4140/status/200": 2, "rt/http/server/127.0.0.1/4140/status/2XX": 2,
      "rt/http/server/127.0.0.1/4140/status/502": 1, "rt/http/server/127.0.0.1/4140/status/5XX": 1,
      "rt/http/server/127.0.0.1/4140/request_latency_ms.count": 3,
      "rt/http/server/127.0.0.1/4140/request_latency_ms.sum": 3.7,
      "rt/http/service/svc/web/requests": 3, "rt/http/service/svc/web/retries/budget": 50,
      "rt/http/client/#/io.l5d.fs/web/requests": 3, "rt/http/client/#/io.l5d.fs/web/status/error": 1,
      "rt/http/client/#/io.l5d.fs/web/connect_latency_ms.count": 2,
      "rt/http/client/#/io.l5d.fs/web/loadbalancer/size": 3,
      "rt/http/client/#/io.l5d.fs/web/loadbalancer/available": 2,
      "rt/http/client/#/io.l5d.fs/web/retries/requeues": 1, "rt/http/bindcache/path/misses": 2,
      "worker/0/turns": 1, "stage/relay/duration_us.count": 2, "meshrouter/dtab_revision/default": 7,
    ]
    for (key, value) in expected { #expect(all[key] == value, "\(key)") }
    for name in ["count", "sum", "avg", "min", "max", "p50", "p90", "p95", "p99", "p9990", "p9999"] {
      #expect(all["rt/http/service/svc/web/request_latency_ms.\(name)"] != nil, "\(name)")
    }
    #expect(all["rt/http/server/127.0.0.1/4140/failures/bind.neg"] == nil)
  }

  @Test("open streams and resets of HTTP/2 stand below server and client")
  func streams() throws {
    let registry = busyRegistry()
    let router = registry.router("http")
    let server = router.server("127.0.0.1/4140")[0]
    server.streamOpened()
    server.streamOpened()
    server.streamClosed()
    server.streamReset(code: 8, isLocal: false)
    server.streamReset(code: 2, isLocal: false)
    server.streamReset(code: 7, isLocal: true)
    let all = try flat(registry.jsonPage(at: start))
    #expect(all["rt/http/server/127.0.0.1/4140/stream/open_streams"] == 1)
    #expect(all["rt/http/server/127.0.0.1/4140/stream/remote_resets"] == 2)
    #expect(all["rt/http/server/127.0.0.1/4140/stream/local_resets"] == 1)
    #expect(all["rt/http/client/#/io.l5d.fs/web/stream/open_streams"] == 0)
    #expect(all["rt/http/client/#/io.l5d.fs/web/stream/local_resets"] == nil)
  }

  @Test("the tree nests by scope, and each end tells what it is")
  func nested() throws {
    for pretty in [false, true] {
      let all = try tree(busyRegistry().jsonPage(JsonOptions(tree: true, pretty: pretty), at: start))
      var node: Any = all
      for name in ["rt", "http", "server", "127.0.0.1/4140"] {
        node = try #require((node as? [String: Any])?[name], "\(name)")
      }
      let server = try #require(node as? [String: [String: Any]])
      #expect(server["requests"]?["counter"] as? Int == 3)
      #expect(server["pending"]?["gauge"] as? Int == 1)
      #expect(server["failures"]?["counter"] as? Int == 1)
      #expect((server["failures"]?["connect.refused"] as? [String: Int])?["counter"] == 1)
      #expect(server["request_latency_ms"]?["stat.count"] as? Int == 3)
      #expect((server["status"]?["2XX"] as? [String: Int])?["counter"] == 2)
    }
  }

  @Test("tree and flat hold the same metrics")
  func sameMetrics() throws {
    let registry = busyRegistry()
    let flat = try flat(registry.jsonPage(at: start))
    var leaves: [String: Double] = [:]
    func walk(_ node: [String: Any], _ path: [String]) {
      for (name, child) in node {
        if let child = child as? [String: Any] {
          walk(child, path + [name])
        } else if let value = child as? NSNumber {
          let stat = name.hasPrefix("stat.") ? String(name.dropFirst(4)) : ""
          #expect(["counter", "gauge"].contains(name) || !stat.isEmpty)
          leaves[path.joined(separator: "/") + stat] = value.doubleValue
        }
      }
    }
    walk(try tree(registry.jsonPage(JsonOptions(tree: true), at: start)), [])
    #expect(leaves == flat)
  }

  @Test(
    "q gives a subtree with keys relative to it",
    arguments: [
      ("rt/http/service", "svc/web/requests"), ("rt/http/service/svc/web", "requests"),
      ("/rt/http/client/#/io.l5d.fs/", "web/requests"), ("rt/http/client/#/io.l5d.fs/web/loadbalancer", "size"),
      ("rt/http/server/127.0.0.1/4140/failures", "connect.refused"), ("rt/http/server/127.0.0.1/4140/requests", ""),
      ("meshrouter/dtab_revision", "default"),
    ])
  func subtrees(q: String, key: String) throws {
    let registry = busyRegistry()
    let part = try flat(registry.jsonPage(JsonOptions(q: q), at: start))
    #expect(part[key] != nil, "\(part.keys.sorted())")
    let all = try flat(registry.jsonPage(at: start))
    let prefix = linkerdName(q.hasSuffix("/") ? String(q.dropLast()) : q)
    var expected: [String: Double] = [:]
    for (name, value) in all {
      if name.hasPrefix(prefix + "/") {
        expected[String(name.dropFirst(prefix.count + 1))] = value
      } else if name.hasPrefix(prefix), name.dropFirst(prefix.count).first.map({ $0 == "." }) ?? true {
        expected[String(name.dropFirst(prefix.count))] = value
      }
    }
    #expect(part == expected)
    _ = try tree(registry.jsonPage(JsonOptions(tree: true, q: q, pretty: true), at: start))
  }

  @Test(
    "there is no page for what does not exist",
    arguments: [
      "nothing", "rt/other", "rt/htt", "rt/http/service/svc/we", "rt/http/server/127.0.0.1/4140/failures/bind.neg",
      "rt/http/service/svc/web/requests/more",
    ])
  func missing(q: String) {
    #expect(busyRegistry().jsonPage(JsonOptions(q: q), at: start) == nil)
  }

  @Test("keys are sorted and escaped")
  func sortedAndEscaped() throws {
    let registry = MetricsRegistry(workers: 1)
    let router = registry.router("a\"\\b")
    for name in ["/svc/z", "/svc/a\u{1}", "/svc/m\"n"] { _ = router.service(name) }
    let text = try #require(registry.jsonPage(at: start)).text()
    let services = text.matches(of: /"rt\/a\\"\\\\b\/service\/svc\/([^\/]*)\/requests"/).map { String($0.1) }
    #expect(services == ["a\\u0001", "m\\\"n", "z"])
    _ = try flat(registry.jsonPage(at: start))
  }

  @Test("histograms show all they recorded, then the last complete window, and all again once nobody asks")
  func windows() throws {
    let registry = MetricsRegistry(workers: 1)
    let service = registry.router("http").service("/svc/web")[0]
    let key = "rt/http/service/svc/web/request_latency_ms.count"
    func record(_ times: Int) {
      for _ in 0..<times {
        service.requestBegan()
        service.requestEnded(success: true, microseconds: 1_000)
      }
    }
    func shown(_ seconds: UInt64) throws -> Double? {
      try flat(registry.jsonPage(at: start.advanced(byMilliseconds: seconds * 1_000)))[key]
    }
    func tick(_ seconds: UInt64) { registry.tick(at: start.advanced(byMilliseconds: seconds * 1_000)) }
    record(3)
    #expect(try shown(0) == 3)
    tick(30)
    record(2)
    #expect(try shown(30) == 5)
    tick(60)
    #expect(try shown(61) == 5)
    record(4)
    #expect(try shown(90) == 5)
    tick(120)
    #expect(try shown(121) == 4)
    tick(180)
    #expect(try shown(181) == 0)
    tick(482)
    #expect(try shown(483) == 9)
  }
}

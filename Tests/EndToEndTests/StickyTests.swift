import Foundation
import TestSupport
import Testing

@Suite("callers that stick to an endpoint")
struct StickyTests {
  private static func router(_ backend: Speech, _ more: String = "") throws -> Router {
    try Router(
      dtab: "/svc => /#/io.l5d.fs; /svc/split => 1 * /#/io.l5d.fs/one & 1 * /#/io.l5d.fs/two",
      router: """
        client:
          protocol: \(backend.rawValue)
          failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 2, backoff: {kind: constant, ms: 60000}}
          stickyCookie: {secret: s, sameSite: Lax, maxAgeSeconds: 3600\(more)}
        """)
  }

  /// The cookie's value in an answer.
  private func value(_ answer: AnyMessage, _ name: String = "mesosphere_server_id") -> String? {
    let cookie = answer.all("set-cookie").first { $0.hasPrefix(name + "=") }
    return cookie.map { String($0.dropFirst(name.count + 1).prefix { $0 != ";" }) }
  }

  @Test("a caller with the cookie comes to the same endpoint, whose requests do not show it", arguments: Speech.pairs)
  func cookie(caller: Speech, backend: Speech) throws {
    let router = try Self.router(backend)
    let endpoints = (0..<4).map { AnyBackend(backend, body: "\($0)") }
    router.service("shop", ports: endpoints.map(\.port))
    for _ in 0..<6 {
      let first = try #require(try router.ask(caller, "shop"))
      let cookie = try #require(first.all("set-cookie").first)
      let id = try #require(value(first))
      #expect(id.utf8.count == 16 && cookie.hasSuffix("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"), "\(cookie)")
      #expect(first["cache-control"] == "private")
      for field in ["mesosphere_server_id=\(id)", "a=1; mesosphere_server_id=\(id); b=2"] {
        let next = try #require(try router.ask(caller, "shop", fields: "Cookie: \(field)\r\n"))
        #expect(next.body == first.body && next["set-cookie"] == nil && next["cache-control"] == nil)
        let request = try #require(endpoints[Int(first.body) ?? 0].requests.last)
        #expect(request["cookie"] == (field.contains("a=1") ? "a=1; b=2" : nil))
      }
    }
  }

  @Test("what is no value of ours is taken off, and another is given")
  func foreign() throws {
    let router = try Self.router(.h1)
    let endpoint = AnyBackend(.h1, fields: "Set-Cookie: mesosphere_server_id=theirs; Path=/\r\nSet-Cookie: own=1\r\n")
    router.service("one", ports: [endpoint.port])
    for foreign in ["x", "0123456789abcdef", "ABCDEF0123456789", ""] {
      let answer = try #require(try router.ask(.h1, "one", fields: "Cookie: mesosphere_server_id=\(foreign); z=1\r\n"))
      #expect(answer.status == 200 && answer.all("set-cookie").count == 2 && answer.all("set-cookie")[0] == "own=1")
      #expect(value(answer)?.utf8.count == 16)
      #expect(endpoint.requests.last?["cookie"] == "z=1")
    }
  }

  @Test("when the endpoint vanishes or fails, another takes over, and the caller sticks to that one")
  func vanishing() throws {
    let router = try Self.router(.h1)
    let endpoints = (0..<3).map { AnyBackend(.h1, body: "\($0)") }
    router.service("left", ports: endpoints.map(\.port))
    var answer = try #require(try router.ask(.h1, "left"))
    var id = try #require(value(answer))
    let gone = answer.body
    router.service("left", ports: endpoints.indices.filter { "\($0)" != gone }.map { endpoints[$0].port })
    #expect(
      try Router.eventually {
        answer = try #require(try router.ask(.h1, "left", fields: "Cookie: mesosphere_server_id=\(id)\r\n"))
        return answer.body != gone
      })
    let next = try #require(value(answer))
    #expect(next != id)
    id = next
    let home = answer.body
    for _ in 0..<10 {
      let again = try #require(try router.ask(.h1, "left", fields: "Cookie: mesosphere_server_id=\(id)\r\n"))
      #expect(again.body == home && again["set-cookie"] == nil)
    }
  }

  @Test("a refused connection moves the caller within the same request")
  func refusing() throws {
    let router = try Self.router(.h1)
    let refusing = Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfirs")
      connection.socket.close()
    }
    let other = AnyBackend(.h1, body: "other")
    router.service("down", ports: [refusing.port, other.port])
    var stuck: String?
    _ = try Router.eventually {
      let answer = try router.ask(.h1, "down")
      if answer?.body == "firs" { stuck = answer.flatMap { value($0) } }
      return stuck != nil
    }
    let id = try #require(stuck)
    refusing.stopListening()
    let answer = try #require(try router.ask(.h1, "down", fields: "Cookie: mesosphere_server_id=\(id)\r\n"))
    #expect(answer.status == 200 && answer.body == "other" && value(answer) != id && value(answer) != nil)
  }

  @Test("a caller keeps its branch of a weighted union", arguments: Speech.allCases)
  func branches(caller: Speech) throws {
    let router = try Self.router(.h1)
    let (one, two) = (AnyBackend(.h1, body: "one"), AnyBackend(.h1, body: "two"))
    router.service("one", ports: [one.port])
    router.service("two", ports: [two.port])
    for _ in 0..<4 {
      let first = try #require(try router.ask(caller, "split"))
      let id = try #require(value(first))
      for _ in 0..<12 {
        let next = try #require(try router.ask(caller, "split", fields: "Cookie: mesosphere_server_id=\(id)\r\n"))
        #expect(next.body == first.body && next["set-cookie"] == nil)
      }
    }
  }

  @Test("values are the same on another router with the same secret, and different with another")
  func fleet() throws {
    let endpoint = AnyBackend(.h1)
    func id(_ router: Router) throws -> String? {
      router.service("web", ports: [endpoint.port])
      return try router.ask(.h1, "web").flatMap { value($0) }
    }
    let first = try id(Self.router(.h1))
    #expect(first != nil)
    #expect(try id(Self.router(.h1)) == first)
    let other = try Router(router: "client: {stickyCookie: {name: mesosphere_server_id, secret: t}}")
    #expect(try id(other) != first)
  }

  @Test("rings bind callers by a header, a cookie or their address", arguments: Speech.allCases)
  func rings(caller: Speech) throws {
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: "/#/io.l5d.fs/header", loadBalancer: {kind: ring, hashHeader: X-User}}
          - {prefix: "/#/io.l5d.fs/cookie", loadBalancer: {kind: ring, hashCookie: JSESSIONID}}
          - {prefix: "/#/io.l5d.fs/peer", loadBalancer: {kind: ring}}
        """)
    let endpoints = (0..<4).map { AnyBackend(.h1, body: "\($0)") }
    for name in ["header", "cookie", "peer"] { router.service(name, ports: endpoints.map(\.port)) }
    func homes(_ name: String, _ fields: (Int) -> String) throws -> [String?] {
      try (0..<12).map { try router.ask(caller, name, fields: fields($0))?.body }
    }
    for user in 0..<4 {
      #expect(Set(try homes("header") { _ in "x-user: u\(user)\r\n" }).count == 1)
      #expect(Set(try homes("cookie") { "Cookie: n=\($0); JSESSIONID=s\(user)\r\n" }).count == 1)
    }
    #expect(Set(try homes("header") { "X-User: \($0)\r\n" }).count > 1)
    #expect(Set(try homes("cookie") { "Cookie: JSESSIONID=\($0)\r\n" }).count > 1)
    #expect(Set(try homes("peer") { "Cookie: JSESSIONID=\($0)\r\nX-User: \($0)\r\n" }).count == 1)
  }
}

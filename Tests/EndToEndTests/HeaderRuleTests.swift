import Foundation
import TestSupport
import Testing

@Suite("header rules")
struct HeaderRuleTests {
  private static func router(_ backend: Speech) throws -> Router {
    try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: /, protocol: \(backend.rawValue)}
          - prefix: "/#/io.l5d.fs/ruled"
            requestHeaders: {remove: [X-Secret], set: {X-Version: "2"}, add: {X-Seen: client}}
            responseHeaders: {remove: [Server, X-Powered-By], set: {X-Frame-Options: DENY}, add: {X-From: client}}
        service:
          kind: io.l5d.static
          configs:
          - prefix: /svc/ruled
            requestHeaders: {set: {X-Version: "1"}, add: {X-Seen: service}}
            responseHeaders: {add: {X-From: service, Set-Cookie: "a=b; Path=/"}}
        """)
  }

  @Test("fields go, are replaced and come, by logical and by bound name", arguments: Speech.pairs)
  func rules(caller: Speech, backend: Speech) throws {
    let router = try Self.router(backend)
    let endpoint = AnyBackend(
      backend,
      fields: "Server: apache\r\nX-Powered-By: PHP\r\nX-Frame-Options: ALLOW\r\nX-Frame-Options: x\r\nX-From: it\r\n")
    for name in ["ruled", "plain"] { router.service(name, ports: [endpoint.port]) }
    for round in 0..<3 {
      let answer = try #require(
        try router.ask(
          caller, "ruled", "POST",
          fields: "x-secret: s\r\nX-SECRET: t\r\nX-Version: 0\r\nx-version: 00\r\nX-Seen: caller\r\n", body: "hello"))
      #expect(answer.status == 200 && answer.body == "ok" && answer.isWhole, "round \(round)")
      #expect(answer["server"] == nil && answer["x-powered-by"] == nil)
      #expect(answer.all("x-frame-options") == ["DENY"])
      #expect(answer.all("x-from") == ["it", "client", "service"])
      #expect(answer.all("set-cookie") == ["a=b; Path=/"])
      let request = try #require(endpoint.requests.last)
      #expect(request["x-secret"] == nil && request.all("x-version") == ["2"] && request.body == "hello")
      #expect(request.all("x-seen") == ["caller", "service", "client"])
      #expect(request["l5d-dst-client"] == "/#/io.l5d.fs/ruled" && request["content-length"] == "5")
    }
    // Names without rules are as they were.
    let answer = try #require(try router.ask(caller, "plain", fields: "X-Secret: s\r\nX-Version: 0\r\n"))
    #expect(answer.status == 200 && answer["server"] == "apache" && answer.all("x-frame-options") == ["ALLOW", "x"])
    #expect(answer.all("x-from") == ["it"] && answer["set-cookie"] == nil)
    let request = try #require(endpoint.requests.last)
    #expect(request["x-secret"] == "s" && request.all("x-version") == ["0"] && request["x-seen"] == nil)
  }

  @Test("the answer that opens a WebSocket has them as well, and the cookie")
  func upgrade() throws {
    let router = try Router(
      router: """
        client: {stickyCookie: {}, requestHeaders: {set: {X-Version: "2"}}, responseHeaders: {remove: [X-Secret]}}
        service: {responseHeaders: {add: {X-From: service}}}
        """)
    let backend = Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\nX-Secret: s\r\n\r\nhello")
      _ = connection.socket.awaitEnd()
    }
    let name = router.service(backend)
    let caller = try router.connect()
    caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    let head = try #require(caller.readHead())
    #expect(head.status == 101 && head["upgrade"] == "x" && head["x-from"] == "service" && head["x-secret"] == nil)
    #expect(head["set-cookie"]?.hasPrefix("mesosphere_server_id=") == true)
    #expect(text(caller.read(count: 5)) == "hello")
    #expect(backend.requests.first?["x-version"] == "2")
  }

  @Test("a retried request bears the same fields once, and answers of the router bear none")
  func again() throws {
    let router = try Router(
      router: """
        client: {failureAccrual: {kind: none}, requestHeaders: {add: {X-Seen: client}}}
        service:
          responseClassifier: {kind: io.l5d.http.retryableRead5XX}
          requestHeaders: {add: {X-Seen: service}}
          responseHeaders: {add: {X-From: service}}
        """)
    let (bad, good) = (AnyBackend(.h1, status: 500), AnyBackend(.h1))
    router.service("again", ports: [bad.port, good.port])
    for _ in 0..<20 {
      let answer = try #require(try router.ask(.h1, "again"))
      #expect(answer.status == 200 && answer.all("x-from") == ["service"])
    }
    #expect(!bad.requests.isEmpty)
    #expect((bad.requests + good.requests).allSatisfy { $0.all("x-seen") == ["service", "client"] })
    let refused = try #require(try router.ask(.h1, "nobody"))
    #expect(refused.status == 502 && refused["x-from"] == nil)
  }
}

@Suite("names without traffic control")
struct UncontrolledTests {
  @Test("nothing on the wire tells that other names have it", arguments: Speech.pairs)
  func same(caller: Speech, backend: Speech) throws {
    let endpoint = AnyBackend(backend, fields: "Set-Cookie: mesosphere_server_id=x\r\nX-A: b\r\n")
    let plain = try Router(router: "client: {protocol: \(backend.rawValue)}")
    let controlled = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: /, protocol: \(backend.rawValue)}
          - {prefix: "/#/io.l5d.fs/other", stickyCookie: {}, requestHeaders: {remove: [X-B]}}
        service:
          kind: io.l5d.static
          configs:
          - prefix: /svc/other
            responseHeaders: {remove: [X-A]}
            faults: {abort: {percent: 100}}
            mirror: {name: /svc/web}
        """)
    let fields = "Cookie: mesosphere_server_id=0123456789abcdef\r\nX-B: c\r\n"
    var answers: [AnyMessage] = []
    for router in [plain, controlled] {
      router.service("web", ports: [endpoint.port])
      for body in [nil, "hello"] {
        answers.append(
          try #require(try router.ask(caller, "web", body == nil ? "GET" : "POST", fields: fields, body: body)))
      }
    }
    /// What differs from request to request.
    func text(_ message: AnyMessage) -> [String] {
      message.lines.filter { line in
        !["l5d-ctx-trace", "l5d-reqid", "date"].contains(String(line.prefix { $0 != ":" }).lowercased())
      }
    }
    #expect(endpoint.requests.count == 4)
    for index in 0..<2 {
      #expect(text(answers[index]) == text(answers[index + 2]) && answers[index].body == answers[index + 2].body)
      #expect(text(endpoint.requests[index]) == text(endpoint.requests[index + 2]))
    }
    #expect(try AdminPage.get(controlled, "/admin/metrics/prometheus")?.contains("mirror_events_total{") == false)
  }
}

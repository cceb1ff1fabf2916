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

import Foundation
import TestSupport
import Testing

import class Net.Locked

@Suite("copies of requests for a shadow")
struct MirrorTests {
  private static func router(_ backend: Speech = .h1, shadow: Speech = .h1, _ more: String = "") throws -> Router {
    try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: /, protocol: \(backend.rawValue)}
          - {prefix: "/#/io.l5d.fs/shadow", protocol: \(shadow.rawValue), failureAccrual: {kind: none}}
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc, mirror: {name: /svc/shadow, percent: 100, maxBodyBytes: 50000, timeoutMs: 1500\(more)}}
          - {prefix: /svc/shadow, responseClassifier: {kind: io.l5d.http.retryableAll5XX}}
          - {prefix: /svc/quiet, mirror: {name: /svc/shadow, percent: 0}}
        """, server: "clearContext: false")
  }

  private func events(_ router: Router, _ event: String, of service: String = "/svc/web") throws -> Int {
    try AdminPage.sum(
      router, "meshrouter_service_mirror_events_total", "service=\"\(service)\"", "event=\"\(event)\"")
  }

  private func milliseconds(_ body: () throws -> Void) throws -> Int {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Int((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000)
  }

  @Test("the shadow gets the same request, marked, in whatever protocol", arguments: Speech.pairs, Speech.allCases)
  func same(pair: (Speech, Speech), shadowSpeech: Speech) throws {
    let (caller, backend) = pair
    let router = try Self.router(backend, shadow: shadowSpeech)
    let (endpoint, shadow) = (AnyBackend(backend), AnyBackend(shadowSpeech, status: 201, body: "shadow"))
    router.service("web", ports: [endpoint.port])
    router.service("shadow", ports: [shadow.port])
    let bodies = [nil, "", "hello", String(repeating: "0123456789", count: 4_000)]
    for (index, body) in bodies.enumerated() {
      let answer = try #require(
        try router.ask(caller, "web", body == nil ? "GET" : "POST", fields: "X-Own: \(index)\r\n", body: body))
      #expect(answer.status == 200 && answer.body == "ok" && answer["l5d-mirror"] == nil)
      #expect(try Router.eventually { shadow.requests.count == index + 1 }, "body \(index)")
      let (own, copy) = (try #require(endpoint.requests.last), try #require(shadow.requests.last))
      #expect(copy.startLine == own.startLine && copy.body == body ?? "" && own.body == body ?? "" && copy.isWhole)
      #expect(copy["x-own"] == "\(index)" && copy["host"] == "web" && copy["l5d-mirror"] == "true")
      #expect(own["l5d-mirror"] == nil && copy["l5d-reqid"] == own["l5d-reqid"])
      #expect(copy["l5d-dst-service"] == "/svc/shadow" && copy["l5d-dst-client"] == "/#/io.l5d.fs/shadow")
    }
    #expect(try Router.eventually { try events(router, "success") == bodies.count })
    #expect(try events(router, "sent") == bodies.count)
    // Copies count for the shadow, and for nobody else; and none is made of a copy.
    #expect(try AdminPage.sum(router, "meshrouter_service_requests_total", "/svc/web") == bodies.count)
    #expect(try AdminPage.sum(router, "meshrouter_service_requests_total", "/svc/shadow") == bodies.count)
    #expect(try AdminPage.sum(router, "meshrouter_server_requests_total") == bodies.count)
    #expect(shadow.requests.count == bodies.count)
  }

  @Test("chunked bodies are copied as well", arguments: Speech.allCases)
  func chunked(shadowSpeech: Speech) throws {
    let router = try Self.router(shadow: shadowSpeech)
    let shadow = AnyBackend(shadowSpeech)
    router.service("web", ports: [AnyBackend(.h1).port])
    router.service("shadow", ports: [shadow.port])
    for (index, chunks) in ["0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\nT: x\r\n\r\n"].enumerated()
    {
      let socket = try router.connect()
      socket.send("POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n")
      socket.send(chunks)
      #expect(socket.readResponse()?.status == 200)
      #expect(try Router.eventually { shadow.requests.count == index + 1 }, "\(chunks)")
      #expect(shadow.requests.last?.body == (index == 0 ? "" : "abc") && shadow.requests.last?.isWhole == true)
    }
    #expect(try Router.eventually { try events(router, "success") == 3 })
  }

  @Test("a shadow that is dead, refuses, fails or is not known is not felt", arguments: Speech.allCases)
  func dead(caller: Speech) throws {
    let router = try Self.router()
    let endpoint = AnyBackend(.h1)
    router.service("web", ports: [endpoint.port])
    for _ in 0..<3 { #expect(try router.ask(caller, "web")?.status == 200) }
    #expect(try Router.eventually { try events(router, "failure") == 3 })
    let closed = ClosedPort()
    router.service("shadow", ports: [Int(closed.number)])
    for _ in 0..<3 { #expect(try router.ask(caller, "web", "POST", body: "x")?.status == 200) }
    #expect(try Router.eventually { try events(router, "failure") == 6 })
    let failing = AnyBackend(.h1, status: 500)
    router.service("shadow", ports: [failing.port])
    var (asked, served) = (0, 0)
    let wasFound = try Router.eventually {
      asked += 1
      if try router.ask(caller, "web")?.status == 200 { served += 1 }
      return failing.requests.count >= 3
    }
    #expect(wasFound && served == asked)
    #expect(try Router.eventually { try events(router, "failure") == 6 + asked })
    // Retryable as it is, nothing was tried twice.
    #expect(failing.requests.count <= asked)
    #expect(try AdminPage.sum(router, "meshrouter_service_retries_total", "/svc/shadow", "kind=\"classified\"") == 0)
    #expect(endpoint.requests.count == 6 + asked)
  }

  @Test(
    "a slow shadow holds nobody up, is given up in time, and beyond a number gets no more", arguments: Speech.allCases)
  func slow(caller: Speech) throws {
    let router = try Self.router(.h1, shadow: .h1, ", maxInFlight: 3")
    let endpoint = AnyBackend(.h1)
    let shadow = Backend { connection in
      while connection.request() != nil { sleep(20) }
    }
    router.service("web", ports: [endpoint.port])
    router.service("shadow", ports: [shadow.port])
    var served = 0
    let took = try milliseconds {
      for _ in 0..<40 where try router.ask(caller, "web", "POST", body: "hello")?.status == 200 { served += 1 }
    }
    #expect(served == 40 && took < 1_400, "\(took) ms")
    #expect(try Router.eventually { try events(router, "sent") + events(router, "dropped_busy") == 40 })
    let sent = try events(router, "sent")
    #expect((3...6).contains(sent), "3 on each of two workers: \(sent)")
    #expect(try Router.eventually { try events(router, "failure") == sent })
    #expect(try AdminPage.sum(router, "meshrouter_client_in_flight") == 0)
    // There is room again.
    #expect(try router.ask(caller, "web")?.status == 200)
    #expect(try Router.eventually { try events(router, "sent") == sent + 1 })
  }

  @Test("an answer without end is thrown away, and ends with the copy's time")
  func endless() throws {
    let router = try Self.router()
    router.service("web", ports: [AnyBackend(.h1).port])
    let shadow = Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      while connection.socket.send("4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n") { usleep(1_000) }
    }
    router.service("shadow", ports: [shadow.port])
    #expect(try router.ask(.h1, "web")?.status == 200)
    #expect(try Router.eventually { try events(router, "failure") == 1 })
    #expect(router.residentKilobytes < 200_000)
  }

  @Test("a request that is too long is served and not copied", arguments: Speech.pairs)
  func long(caller: Speech, backend: Speech) throws {
    let router = try Self.router(backend)
    let (endpoint, shadow) = (AnyBackend(backend), AnyBackend(.h1))
    router.service("web", ports: [endpoint.port])
    router.service("shadow", ports: [shadow.port])
    let body = String(repeating: "x", count: 3_000_000)
    #expect(try router.ask(caller, "web", "POST", body: body)?.status == 200)
    #expect(endpoint.requests.last?.body.utf8.count ?? 0 >= 1 << 20)
    #expect(try router.ask(caller, "web", "POST", body: String(repeating: "y", count: 50_000))?.status == 200)
    #expect(try Router.eventually { shadow.requests.count == 1 && shadow.requests[0].body.utf8.count == 50_000 })
    #expect(try events(router, "dropped_body") == 1)
    #expect(try events(router, "sent") == 1)
  }

  @Test("a caller who leaves takes no copy along that is on its way, and leaves none of half a request")
  func leaving() throws {
    let router = try Self.router()
    let endpoint = Backend { connection in
      while connection.request() != nil { sleep(20) }
    }
    let shadow = AnyBackend(.h1, wait: 200)
    router.service("web", ports: [endpoint.port])
    router.service("shadow", ports: [shadow.port])
    // The first request binds the shadow's name.
    let first = try router.connect()
    first.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    #expect(try Router.eventually { shadow.requests.count == 1 })
    first.reset()
    let half = try router.connect()
    half.send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\n\r\nhello")
    usleep(100_000)
    half.reset()
    let peer = try HTTP2Peer(connectingTo: router.port)
    let stream = peer.request("web", "POST", end: false)
    stream.send("hello")
    usleep(100_000)
    stream.reset(.cancel)
    let whole = peer.request("web")
    #expect(try Router.eventually { shadow.requests.count == 2 })
    whole.reset(.cancel)
    #expect(try Router.eventually { try events(router, "dropped_body") == 2 })
    #expect(try Router.eventually { try events(router, "success") == 2 })
    #expect(shadow.requests.count == 2)
  }

  @Test("a share of the requests, none where it is 0, none of CONNECT and upgrades, none of what is a copy")
  func share() throws {
    let router = try Router(
      router: """
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc/some, mirror: {name: /svc/shadow, percent: 30}}
          - {prefix: /svc/none, mirror: {name: /svc/shadow, percent: 0}}
          - {prefix: /svc/all, mirror: {name: /svc/shadow}}
        """, server: "clearContext: false")
    let (endpoint, shadow) = (AnyBackend(.h1), AnyBackend(.h1))
    for name in ["some", "none", "all"] { router.service(name, ports: [endpoint.port]) }
    router.service("shadow", ports: [shadow.port])
    for _ in 0..<10 { #expect(try router.ask(.h1, "none")?.status == 200) }
    #expect(try router.ask(.h1, "all", fields: "Upgrade: x\r\nConnection: upgrade\r\n")?.status == 200)
    #expect(try router.ask(.h1, "all", fields: "l5d-mirror: true\r\n")?.status == 200)
    for _ in 0..<200 { #expect(try router.ask(.h1, "some")?.status == 200) }
    #expect(try Router.eventually { try events(router, "success", of: "/svc/some") == shadow.requests.count })
    #expect((25...100).contains(shadow.requests.count), "\(shadow.requests.count) of 200")
    #expect(try events(router, "sent", of: "/svc/all") == 0)
  }

  @Test("a reload and a drain with copies on their way lose no request")
  func reload() throws {
    let router = try Self.router()
    let shadow = AnyBackend(.h1, wait: 300)
    router.service("web", ports: [AnyBackend(.h1).port])
    router.service("shadow", ports: [shadow.port])
    for round in 0..<3 {
      for _ in 0..<5 { #expect(try router.ask(.h1, "web")?.status == 200) }
      router.configuration = router.configuration.replacing(
        "maxBodyBytes: 5000\(round)", with: "maxBodyBytes: 5000\(round + 1)")
      #expect(try AdminPage.post(router, "/admin/reload")?.status == 200)
    }
    #expect(try Router.eventually { shadow.requests.count == 15 })
    #expect(try router.ask(.h2, "web")?.status == 200)
    router.signal(SIGTERM)
    #expect(router.waitForExit(milliseconds: 8_000) == 0)
  }

  @Test("no copy is lost that waits for its turn when a reload replaces the router")
  func replaced() throws {
    let router = try Self.router()
    let shadow = AnyBackend(.h1)
    router.service("web", ports: [AnyBackend(.h1).port])
    router.service("shadow", ports: [shadow.port])
    let (answered, isOver) = (Locked(0), Locked(false))
    let load = Load()
    for _ in 0..<4 {
      load.start {
        while !isOver.withLock({ $0 }) {
          if (try? router.ask(.h1, "web")?.status) == 200 { answered.withLock { $0 += 1 } }
        }
      }
    }
    for round in 0..<40 {
      router.configuration = router.configuration.replacing(
        "maxBodyBytes: \(50_000 + round)", with: "maxBodyBytes: \(50_001 + round)")
      #expect(try AdminPage.post(router, "/admin/reload")?.status == 200)
    }
    isOver.withLock { $0 = true }
    load.wait()
    let count = answered.withLock { $0 }
    #expect(try Router.eventually { shadow.requests.count == count }, "\(shadow.requests.count) of \(count)")
    #expect(try events(router, "dropped_busy") == 0)
  }
}

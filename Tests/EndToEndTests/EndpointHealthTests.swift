import Foundation
import TestSupport
import Testing

/// Which endpoints are left out, how many at a time, and how they come back.
@Suite("endpoints that are not well")
struct EndpointHealthTests {
  private static func router(_ client: String) throws -> Router {
    try Router(
      router: """
        client:
        \(client.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
        """)
  }

  private static func failing() -> Backend {
    Backend(answering: "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
  }

  private static func slow(_ milliseconds: UInt32) -> Backend {
    Backend { connection in
      while connection.request() != nil {
        usleep(milliseconds * 1_000)
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
  }

  private static func ask(_ caller: RawSocket, _ name: String, times: Int) {
    for _ in 0..<times {
      caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      _ = caller.readResponse()
    }
  }

  @Test("an endpoint that is much slower than the others is left out, by all workers, and is not asked meanwhile")
  func latency() throws {
    let router = try Self.router(
      """
      loadBalancer: {kind: roundRobin}
      latencyOutliers: {factor: 4, minMs: 5, windowSecs: 1, requests: 5, ejectMs: 60000}
      """)
    let (slow, fast, third) = (Self.slow(40), Self.slow(2), Self.slow(2))
    let name = router.service(slow, fast, third)
    let callers = try (0..<4).map { _ in try router.connect() }
    Self.ask(callers[0], name, times: 60)
    let until = Date(timeIntervalSinceNow: 20)
    while try AdminPage.sum(router, "meshrouter_client_endpoint_ejections_total") == 0, Date() < until {
      Self.ask(callers[0], name, times: 30)
    }
    usleep(100_000)
    let (before, others) = (slow.requests.count, fast.requests.count + third.requests.count)
    for caller in callers { Self.ask(caller, name, times: 50) }
    #expect(slow.requests.count == before)
    #expect(fast.requests.count + third.requests.count == others + 200)
    let why = try AdminPage.get(router, "/api/2/why?url=http://\(name)/&format=text")
    #expect(why?.contains("much slower than the others") == true)
  }

  @Test("no more endpoints are left out than the configured share, and the others serve on")
  func share() throws {
    let router = try Self.router(
      """
      loadBalancer: {kind: roundRobin}
      failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 3, backoff: {kind: constant, ms: 60000}}
      maxEjectedPercent: 50
      """)
    let backends = (0..<4).map { _ in Self.failing() }
    let name = router.service(backends[0], backends[1], backends[2], backends[3])
    let caller = try router.connect()
    Self.ask(caller, name, times: 100)
    let counts = backends.map(\.requests.count).sorted()
    #expect(counts[0] == 3 && counts[1] == 3, "\(counts)")
    #expect(counts[2] > 40 && counts[3] > 40, "\(counts)")
    #expect(try AdminPage.sum(router, "meshrouter_client_endpoint_ejections_refused_total") > 10)
    #expect(try AdminPage.sum(router, "meshrouter_client_picks_in_panic_total") == 0)
  }

  @Test("when all are left out, requests go through all the same, and are counted")
  func panic() throws {
    let router = try Self.router(
      "failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 3, backoff: {kind: constant, ms: 60000}}")
    let (one, two) = (Self.failing(), Self.failing())
    let name = router.service(one, two)
    let caller = try router.connect()
    Self.ask(caller, name, times: 100)
    #expect(one.requests.count + two.requests.count == 100)
    #expect(try AdminPage.sum(router, "meshrouter_client_picks_in_panic_total") > 80)
  }

  @Test("an endpoint that has come takes a tenth of its share at first; the first ones take all of theirs")
  func slowStart() throws {
    let router = try Self.router("loadBalancer: {kind: p2c}\nslowStartMs: 600000")
    let (one, two) = (Backend(), Backend())
    let new = Backend()
    let name = router.service(one, two)
    let caller = try router.connect()
    Self.ask(caller, name, times: 100)
    #expect(one.requests.count > 25 && two.requests.count > 25)
    router.service(name, ports: [one.port, two.port, new.port])
    let until = Date(timeIntervalSinceNow: 10)
    while new.requests.count == 0, Date() < until { Self.ask(caller, name, times: 1) }
    let before = new.requests.count
    Self.ask(caller, name, times: 900)
    let share = new.requests.count - before
    #expect((10...70).contains(share), "\(share) of 900 requests; 300 would be its whole share")
    #expect(try AdminPage.get(router, "/api/2/why?url=http://\(name)/&format=text")?.contains("slow start") == true)
  }
}

import Foundation
import HTTP
import TestSupport
import Testing

/// A second endpoint that is asked because the first takes long.
@Suite("hedged requests")
struct HedgeTests {
  private static func router(_ hedge: String, _ more: String = "") throws -> Router {
    try Router(
      router: """
        service:
          hedge: {\(hedge)}
          totalTimeoutMs: 8000
        \(more)
        client:
          loadBalancer: {kind: roundRobin}
          failureAccrual: {kind: none}
        """)
  }

  /// Answers at once but for requests to `/slow`, which take so long.
  private static func backend(slowMilliseconds: UInt32 = 1_500, answer: String = ok) -> Backend {
    Backend { connection in
      while let request = connection.request() {
        if request.startLine.contains("/slow") { usleep(slowMilliseconds * 1_000) }
        connection.socket.send(answer)
      }
    }
  }
  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  /// So that the router knows what is usual.
  private static func warmUp(_ router: Router, _ name: String) throws -> RawSocket {
    let caller = try router.connect()
    for _ in 0..<200 {
      caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      #expect(caller.readResponse()?.status == 200)
    }
    return caller
  }

  private static func ask(_ caller: RawSocket, _ name: String, _ target: String = "/slow", method: String = "GET")
    -> (answer: Message?, seconds: TimeInterval)
  {
    let start = Date()
    caller.send("\(method) \(target) HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 0\r\n\r\n")
    let answer = caller.readResponse()
    return (answer, Date().timeIntervalSince(start))
  }

  @Test(
    "a request whose endpoint hangs is answered by another after the usual time, and the caller's connection goes on")
  func hangs() throws {
    let router = try Self.router("percentile: 95, maxExtraPercent: 50, minMs: 20")
    let (slow, fast) = (Self.backend(slowMilliseconds: 3_000), Self.backend(slowMilliseconds: 0))
    let name = router.service(slow, fast)
    let caller = try Self.warmUp(router, name)
    for round in 0..<8 {
      let (answer, seconds) = Self.ask(caller, name)
      #expect(answer?.status == 200 && answer?.bodyText == "ok", "round \(round)")
      #expect(seconds < 2, "round \(round): \(seconds) s")
    }
    #expect(try AdminPage.sum(router, "meshrouter_service_retries_total", "kind=\"hedge\"", "outcome=\"sent\"") > 0)
    #expect(try AdminPage.sum(router, "meshrouter_client_attempts_total", "reason=\"relay.superseded\"") > 0)
    #expect(try AdminPage.sum(router, "meshrouter_service_failures_total") == 0)
  }

  @Test("over HTTP/2 on both sides as well")
  func http2() throws {
    let router = try Router(
      router: """
        service:
          hedge: {percentile: 90, maxExtraPercent: 100, minMs: 20, methods: all}
        client:
          protocol: h2
          loadBalancer: {kind: roundRobin}
        """)
    let slow = HTTP2Backend { stream in
      if stream.finished().startLine.contains("/slow") { stream.gone(seconds: 3) }
      stream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "ok")
    }
    let fast = HTTP2Backend()
    router.service("h2hedge", ports: [slow.port, fast.port])
    let caller = try HTTP2Peer(connectingTo: router.port).settled()
    for _ in 0..<200 { #expect(caller.get("h2hedge").status == 200) }
    for round in 0..<6 {
      let start = Date()
      let answer = caller.get("h2hedge", "/slow")
      #expect(answer.status == 200 && answer.bodyText == "ok" && answer.isComplete, "round \(round)")
      #expect(Date().timeIntervalSince(start) < 2, "round \(round)")
      let post = caller.request("h2hedge", "POST", "/slow", end: false)
      post.send("body")
      post.end()
      let posted = post.finished()
      #expect(posted.status == 200 && posted.bodyText == "ok", "round \(round)")
    }
    let bodies = fast.requests.map(\.current).filter { $0.startLine.hasPrefix("POST") }
    // The streams that were given up end before their backend does.
    for stream in slow.requests { stream.gone(seconds: 5) }
    usleep(200_000)
    #expect(bodies.count == 6 && bodies.allSatisfy { $0.bodyText == "body" })
  }

  @Test("when the first attempt fails while the second is out, the second one's answer is the request's")
  func failsMeanwhile() throws {
    let router = try Self.router("percentile: 95, maxExtraPercent: 50, minMs: 20")
    let failing = Backend { connection in
      while let request = connection.request() {
        if request.startLine.contains("/slow") {
          usleep(200_000)
          connection.socket.send("HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nfail")
        } else {
          connection.socket.send(Self.ok)
        }
      }
    }
    let late = Self.backend(slowMilliseconds: 600)
    let name = router.service(failing, late)
    let caller = try Self.warmUp(router, name)
    for round in 0..<6 {
      // Whichever of the two is asked first, the good one's answer is the first that is a success.
      let (answer, _) = Self.ask(caller, name)
      #expect(answer?.status == 200 && answer?.bodyText == "ok", "round \(round): \(answer?.startLine ?? "nothing")")
    }
    #expect(failing.requests.count > 100)
  }

  @Test("requests that are not safe to repeat are sent once, and so is every one beyond the budget")
  func limits() throws {
    let router = try Self.router("percentile: 50, maxExtraPercent: 1, minMs: 1")
    let (one, two) = (Self.backend(slowMilliseconds: 60), Self.backend(slowMilliseconds: 60))
    let name = router.service(one, two)
    let caller = try Self.warmUp(router, name)
    let before = one.requests.count + two.requests.count
    for _ in 0..<10 { #expect(Self.ask(caller, name, method: "POST").answer?.status == 200) }
    #expect(one.requests.count + two.requests.count == before + 10)
    for _ in 0..<40 { #expect(Self.ask(caller, name).answer?.status == 200) }
    let extra = one.requests.count + two.requests.count - before - 50
    #expect((1...3).contains(extra), "\(extra) second attempts of 250 requests at 1 %")
    #expect(try AdminPage.sum(router, "meshrouter_service_retries_total", "kind=\"hedge\"", "budget_exhausted") > 5)
  }

  @Test("a caller that leaves ends both attempts")
  func callerLeaves() throws {
    let router = try Self.router("percentile: 95, maxExtraPercent: 50, minMs: 20")
    let (one, two) = (Self.backend(slowMilliseconds: 700), Self.backend(slowMilliseconds: 700))
    let name = router.service(one, two)
    let caller = try Self.warmUp(router, name)
    for _ in 0..<4 {
      let leaving = try router.connect()
      leaving.send("GET /slow HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      usleep(200_000)
      leaving.resetNow()
    }
    usleep(100_000)
    #expect(try AdminPage.sum(router, "meshrouter_client_in_flight") == 0)
    #expect(Self.ask(caller, name, "/").answer?.status == 200)
  }
}

import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

/// Requests that failed at one endpoint and go to another, because the service's classifier says so.
@Suite("classified retries")
struct RetryTests {
  private static func router(_ classifier: String, _ more: String = "", client: String = "failureAccrual: {kind: none}")
    throws -> Router
  {
    try Router(
      router: """
        service:
          responseClassifier: {kind: \(classifier)}
        \(more)
        client:
        \(client.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
        """)
  }
  private static let idempotent: Router = {
    do { return try router("io.l5d.http.retryableIdempotent5XX") } catch { fatalError("\(error)") }
  }()
  private static let plain: Router = {
    do { return try router("io.l5d.http.nonRetryable5XX") } catch { fatalError("\(error)") }
  }()
  private static let all: Router = {
    do { return try router("io.l5d.http.retryableAll5XX", "  retryBufferSize: {requestBytes: 20000}") } catch {
      fatalError("\(error)")
    }
  }()

  /// Answers 500 with a body to every request.
  private static func failing(_ fields: String = "") -> Backend {
    Backend(answering: "HTTP/1.1 500 Oh\r\n\(fields)Content-Length: 4\r\n\r\nfail")
  }

  @Test("a GET that an endpoint fails is answered by another, and the endpoint's connection serves on")
  func get() throws {
    let bad = Self.failing()
    let name = Self.idempotent.service(bad, Backend())
    let caller = try Self.idempotent.connect()
    for round in 0..<60 {
      caller.send("GET /\(round) HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      let answer = caller.readResponse()
      #expect(answer?.status == 200 && answer?.bodyText == "ok", "round \(round): \(answer?.startLine ?? "nothing")")
    }
    #expect(bad.requests.count > 0)
    #expect(bad.connectionCount == 1)
  }

  @Test("PUT goes again with its body, byte by byte the same, POST does not")
  func bodies() throws {
    let bad = Self.failing()
    let good = Backend.echo()
    let name = Self.idempotent.service(bad, good)
    let body = String(repeating: "0123456789abcdef", count: 900)
    let caller = try Self.idempotent.connect()
    for round in 0..<20 {
      caller.send("PUT /\(round) HTTP/1.1\r\nHost: \(name)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      let answer = caller.readResponse()
      #expect(answer?.status == 200 && answer?.bodyText.hasSuffix("\r\n\r\n" + body) == true, "round \(round)")
      caller.send(
        "PUT /\(round) HTTP/1.1\r\nHost: \(name)\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
      )
      let chunked = caller.readResponse()
      #expect(chunked?.status == 200 && chunked?.bodyText.hasSuffix("hello world") == true, "round \(round)")
      caller.send("PUT /\(round) HTTP/1.1\r\nHost: \(name)\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
      #expect(caller.readResponse()?.status == 200, "round \(round)")
    }
    #expect(bad.requests.count > 0)
    #expect(
      bad.requests.allSatisfy { $0.body.count == body.utf8.count || ["hello world", ""].contains(text($0.body)) })
    let once = Self.failing()
    let failing = Self.idempotent.service(once)
    caller.send("POST / HTTP/1.1\r\nHost: \(failing)\r\nContent-Length: 2\r\n\r\nhi")
    #expect(caller.readResponse()?.status == 500)
    #expect(once.requests.count == 1)
  }

  @Test("a body beyond the buffer is sent once, and whole")
  func largeBody() throws {
    let (bad, good) = (Self.failing(), Backend.echo())
    let name = Self.all.service(bad, good)
    let body = String(repeating: "x", count: 200_000)
    var statuses: Set<Int> = []
    for _ in 0..<20 {
      let caller = try Self.all.connect()
      caller.send("POST / HTTP/1.1\r\nHost: \(name)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      let answer = caller.readResponse()
      statuses.insert(answer?.status ?? 0)
      if answer?.status == 200 { #expect(answer?.bodyText.hasSuffix(body) == true) }
    }
    #expect(statuses == [200, 500])
  }

  @Test("over HTTP/2 as well, with bodies, to endpoints of HTTP/1")
  func streams() throws {
    let name = Self.all.service(Self.failing(), Backend.echo())
    let peer = try HTTP2Peer(connectingTo: Self.all.port)
    for round in 0..<20 {
      let stream = peer.request(name, "POST", "/\(round)", end: false)
      stream.send("first, ")
      stream.send("second")
      stream.end()
      let answer = stream.finished()
      #expect(answer.status == 200 && answer.bodyText.hasSuffix("first, second"), "round \(round): \(answer.status)")
    }
  }

  @Test("with the default classifier a 500 is passed on; what says l5d-retryable is not")
  func retryableByWord() throws {
    let name = Self.plain.service(Self.failing(), Backend())
    var statuses: Set<Int> = []
    for _ in 0..<30 { statuses.insert(try Self.plain.get(name)?.status ?? 0) }
    #expect(statuses == [200, 500])
    let refusing = Self.plain.service(Self.failing("l5d-retryable: true\r\n"), Backend())
    for _ in 0..<30 { #expect(try Self.plain.get(refusing)?.status == 200) }
  }

  @Test(
    "what another router has tried already is not tried again", arguments: ["l5d-success-class: 0.0", "l5d-err: x"])
  func routersInLine(field: String) throws {
    let name = Self.idempotent.service(Self.failing("\(field)\r\n"), Backend())
    var statuses: Set<Int> = []
    for _ in 0..<30 { statuses.insert(try Self.idempotent.get(name)?.status ?? 0) }
    #expect(statuses == [200, 500])
  }

  @Test("an endpoint that hangs is left after the attempt's time, one that breaks off at once")
  func hanging() throws {
    let router = try Self.router(
      "io.l5d.http.retryableRead5XX", client: "failureAccrual: {kind: none}\nrequestAttemptTimeoutMs: 150")
    let hanging = Backend { connection in
      while connection.request() != nil { sleep(20) }
    }
    let name = router.service(hanging, Backend())
    for _ in 0..<12 { #expect(try router.get(name)?.status == 200) }
    #expect(hanging.requests.count > 0)
    let breaking = Backend { connection in
      _ = connection.request()
      connection.socket.send("HTTP/1.1 200 O")
      connection.socket.close()
    }
    let broken = router.service(breaking, Backend())
    for _ in 0..<20 { #expect(try router.get(broken)?.status == 200) }
    #expect(breaking.requests.count > 0)
  }

  @Test("nothing is sent again once the caller has seen a byte of the response")
  func afterTheFirstByte() throws {
    let cutting = Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      usleep(20_000)
      connection.socket.close()
    }
    let name = Self.idempotent.service(cutting)
    let answer = try Self.idempotent.get(name)
    #expect(answer?.status == 200 && answer?.isComplete == false)
    #expect(cutting.requests.count == 1)
  }

  @Test("when all fail, retries stay within the budget and the last answer is passed on")
  func budget() throws {
    let router = try Self.router(
      "io.l5d.http.retryableRead5XX", "  retries: {budget: {minRetriesPerSec: 0, percentCanRetry: 0.25, ttlSecs: 10}}")
    let (one, two) = (Self.failing(), Self.failing())
    let name = router.service(one, two)
    let caller = try router.connect()
    for _ in 0..<200 {
      caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      let answer = caller.readResponse()
      #expect(answer?.status == 500 && answer?.bodyText == "fail")
    }
    let attempts = one.requests.count + two.requests.count
    #expect(attempts > 230 && attempts <= 250, "\(attempts) attempts")
    let page = try AdminPage.get(router, "/admin/metrics/prometheus") ?? ""
    #expect(page.contains("outcome=\"budget_exhausted\""))
  }

  @Test("waits between attempts as configured, within the total time")
  func backoff() throws {
    let router = try Self.router(
      "io.l5d.http.retryableRead5XX", "  retries: {backoff: {kind: constant, ms: 120}}\n  totalTimeoutMs: 1000")
    let name = router.service(Self.failing())
    let started = Date()
    let answer = try router.get(name)
    let took = Date().timeIntervalSince(started)
    #expect(answer?.status == 504 && answer?.reasonWord == "outcome.total_timeout", "\(answer?.startLine ?? "nothing")")
    #expect(took > 0.9 && took < 4)
  }

  @Test("an endpoint that asks for time gets no request meanwhile; where all do, the caller is told")
  func retryAfter() throws {
    let router = try Self.router(
      "io.l5d.http.retryableRead5XX", client: "loadBalancer: {kind: roundRobin}\nfailureAccrual: {kind: none}")
    let busy = { Backend(answering: "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n") }
    let one = busy()
    let name = router.service(one, Backend())
    for _ in 0..<40 { #expect(try router.get(name)?.status == 200) }
    // Of each worker one, and not one more.
    #expect((1...4).contains(one.requests.count), "\(one.requests.count) requests to the busy endpoint")
    let all = router.service(busy(), busy())
    var last: Message?
    for _ in 0..<10 { last = try router.get(all) }
    #expect(last?.status == 503 && last?["retry-after"] == "9", "\(last?.startLine ?? "nothing")")
    #expect(last?["l5d-err"] == nil)
  }

  @Test("five failures in a row leave an endpoint out; its probe lets it in again")
  func accrual() throws {
    let router = try Self.router(
      "io.l5d.http.retryableRead5XX",
      client: """
        loadBalancer: {kind: roundRobin}
        failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 5, backoff: {kind: constant, ms: 700}}
        """)
    let isWell = Locked(false)
    let sick = Backend { connection in
      while connection.request() != nil {
        connection.socket.send(
          isWell.withLock { $0 }
            ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" : "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
      }
    }
    let name = router.service(sick, Backend())
    let caller = try router.connect()
    func burst(_ count: Int) {
      for _ in 0..<count {
        caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
        #expect(caller.readResponse()?.status == 200)
      }
    }
    burst(100)
    // Five, and perhaps a probe if the test was slow.
    #expect((5...7).contains(sick.requests.count), "\(sick.requests.count) requests to the sick endpoint")
    isWell.withLock { $0 = true }
    let before = sick.requests.count
    usleep(1_500_000)
    burst(200)
    #expect(sick.requests.count > before + 20, "\(sick.requests.count - before) requests after it was well")
  }

  @Test("what one worker found out, the other knows")
  func ejectedEverywhere() throws {
    let router = try Self.router(
      "io.l5d.http.nonRetryable5XX",
      client: """
        loadBalancer: {kind: roundRobin}
        failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 4, backoff: {kind: constant, ms: 60000}}
        """)
    let sick = Self.failing()
    let name = router.service(sick, Backend())
    // Connections are spread over both workers.
    for _ in 0..<200 { _ = try router.get(name) }
    // Requests that were out at the same time, and both workers' own counts until the first trips.
    #expect(sick.requests.count <= 8, "\(sick.requests.count) requests to the sick endpoint")
  }

  @Test("a POST with an Idempotency-Key goes again where the service heeds it")
  func idempotencyKey() throws {
    let router = try Self.router(
      "io.l5d.http.retryableIdempotent5XX", "  retries: {heedIdempotencyKey: true}",
      client: "failureAccrual: {kind: none}\nloadBalancer: {kind: roundRobin}")
    let name = router.service(Self.failing(), Backend.echo())
    func statuses(_ fields: String) throws -> Set<Int> {
      Set(
        try (0..<10).map { _ in
          let caller = try router.connect()
          caller.send("POST / HTTP/1.1\r\nHost: \(name)\r\n\(fields)Content-Length: 2\r\n\r\nhi")
          return caller.readResponse()?.status ?? 0
        })
    }
    #expect(try statuses("idempotency-key: 8e03978e\r\n") == [200])
    #expect(try statuses("") == [200, 500])
    let plain = Self.idempotent.service(Self.failing())
    let caller = try Self.idempotent.connect()
    caller.send("POST / HTTP/1.1\r\nHost: \(plain)\r\nIdempotency-Key: x\r\nContent-Length: 2\r\n\r\nhi")
    #expect(caller.readResponse()?.status == 500)
  }

  // MARK: Calls

  /// Ends every call with this status, in a response that is nothing but trailers.
  private static func calls(ending status: Int) -> (HTTP2Backend, Locked<Int>) {
    let count = Locked(0)
    let backend = HTTP2Backend { stream in
      count.withLock { $0 += 1 }
      stream.respond("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: \(status)\r\n\r\n", end: true)
    }
    return (backend, count)
  }

  private func statuses(_ router: Router, _ name: String, count: Int) throws -> [String] {
    let peer = try HTTP2Peer(connectingTo: router.port)
    return (0..<count).map { _ in
      let call = peer.request(
        name, "POST", "/a.B/C", fields: "content-type: application/grpc\r\nte: trailers\r\n", end: false)
      call.send("\0\0\0\0\0")
      call.end()
      return call.finished()["grpc-status"] ?? "none"
    }
  }

  @Test("a call that ends UNAVAILABLE goes to another endpoint, with its message; one that ends INTERNAL does not")
  func unavailable() throws {
    let router = try Self.router(
      "io.l5d.h2.grpc.default", client: "failureAccrual: {kind: none}\nprotocol: h2\nloadBalancer: {kind: roundRobin}")
    let (away, asked) = Self.calls(ending: 14)
    let (there, _) = Self.calls(ending: 0)
    let name = router.service(away.backend, there.backend)
    #expect(try statuses(router, name, count: 20) == Array(repeating: "0", count: 20))
    #expect(asked.withLock { $0 } > 0)
    let (broken, _) = Self.calls(ending: 13)
    let other = router.service(broken.backend, there.backend)
    #expect(Set(try statuses(router, other, count: 20)) == ["0", "13"])
  }

  @Test("what callers ask wrongly leaves no endpoint out, what servers fail does", arguments: [(5, false), (13, true)])
  func callStatus(status: Int, isEjected: Bool) throws {
    let router = try Self.router(
      "io.l5d.h2.grpc.neverRetryable",
      client: """
        protocol: h2
        loadBalancer: {kind: roundRobin}
        failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 3, backoff: {kind: constant, ms: 60000}}
        """)
    let (one, asked) = Self.calls(ending: status)
    let (there, _) = Self.calls(ending: 0)
    let name = router.service(one.backend, there.backend)
    _ = try statuses(router, name, count: 40)
    let count = asked.withLock { $0 }
    #expect(isEjected ? count <= 4 : count >= 15, "\(count) calls")
  }
}

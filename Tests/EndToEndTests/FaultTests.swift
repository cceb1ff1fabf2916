import Foundation
import TestSupport
import Testing

@Suite("faults on purpose")
struct FaultTests {
  private static func router(_ backend: Speech = .h1, server: String = "clearContext: false") throws -> Router {
    try Router(
      router: """
        client: {protocol: \(backend.rawValue)}
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc, responseClassifier: {kind: io.l5d.http.retryableRead5XX}}
          - {prefix: /svc/slow, faults: {delay: {ms: 300}}}
          - {prefix: /svc/half, faults: {abort: {status: 500, percent: 50}}}
          - {prefix: /svc/gone, faults: {abort: {status: 418, grpcStatus: 8, percent: 100}}}
          - {prefix: /svc/both, totalTimeoutMs: 5000, faults: {delay: {ms: 200}, abort: {percent: 100}}}
          - {prefix: /svc/some, faults: {abort: {percent: 100}, onlyWith: {header: X-Chaos, value: "yes"}}}
          - {prefix: /svc/asked, faults: {byHeader: true}}
          - {prefix: /svc/late, totalTimeoutMs: 150, faults: {delay: {ms: 5000}}}
        """, server: server)
  }

  private func milliseconds(_ body: () throws -> Void) throws -> Int {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Int((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000)
  }

  @Test("a delayed request arrives late and whole, and its answer says so", arguments: Speech.pairs)
  func delay(caller: Speech, backend: Speech) throws {
    let router = try Self.router(backend)
    let endpoint = AnyBackend(backend)
    router.service("slow", ports: [endpoint.port])
    for body in [nil, String(repeating: "x", count: 100_000)] {
      var answer: AnyMessage?
      let took = try milliseconds { answer = try router.ask(caller, "slow", body == nil ? "GET" : "POST", body: body) }
      #expect(answer?.status == 200 && answer?["l5d-fault-injected"] == "delay" && answer?.isWhole == true)
      #expect(took >= 290, "\(took) ms")
      #expect(endpoint.requests.last?.body == body ?? "")
    }
    #expect(try AdminPage.sum(router, "meshrouter_service_faults_total", "/svc/slow", "kind=\"delay\"") == 2)
  }

  @Test(
    "a refused request reaches no endpoint, is not tried again, and speaks against none", arguments: Speech.allCases)
  func abort(caller: Speech) throws {
    let router = try Self.router()
    let endpoint = AnyBackend(.h1)
    for name in ["gone", "half", "both"] { router.service(name, ports: [endpoint.port]) }
    let answer = try #require(try router.ask(caller, "gone"))
    #expect(answer.status == 418 && answer["l5d-fault-injected"] == "abort" && answer["l5d-retryable"] == nil)
    #expect(answer["l5d-err"]?.hasPrefix("fault.injected; name=/svc/gone") == true)
    #expect(endpoint.requests.isEmpty)
    var refused = 0
    for _ in 0..<60 { if try router.ask(caller, "half")?.status == 500 { refused += 1 } }
    #expect((12...48).contains(refused) && endpoint.requests.count == 60 - refused, "\(refused) refused")
    let half = ["/svc/half", "kind=\"abort\""]
    #expect(try AdminPage.sum(router, "meshrouter_service_faults_total", half[0], half[1]) == refused)
    #expect(
      try AdminPage.sum(router, "meshrouter_service_failures_total", half[0], "reason=\"fault.injected\"") == refused)
    #expect(try AdminPage.sum(router, "meshrouter_client_attempts_total", "result=\"failure\"") == 0)
    #expect(try AdminPage.sum(router, "meshrouter_service_retries_total", "outcome=\"sent\"") == 0)
    var status: Int?
    let took = try milliseconds { status = try router.ask(caller, "both")?.status }
    #expect(status == 503 && took >= 190)
  }

  @Test("a call of gRPC ends with the status that is configured")
  func calls() throws {
    let router = try Self.router(.h2)
    router.service("gone", ports: [AnyBackend(.h2).port])
    let answer = try #require(
      try router.ask(.h2, "gone", "POST", fields: "Content-Type: application/grpc\r\n", body: ""))
    #expect(answer.status == 200 && answer["grpc-status"] == "8" && answer["l5d-fault-injected"] == "abort")
  }

  @Test("only requests with the field, and only what they may ask for", arguments: Speech.allCases)
  func conditions(caller: Speech) throws {
    let router = try Self.router()
    let endpoint = AnyBackend(.h1)
    for name in ["some", "asked", "plain"] { router.service(name, ports: [endpoint.port]) }
    #expect(try router.ask(caller, "some")?.status == 200)
    #expect(try router.ask(caller, "some", fields: "x-chaos: no\r\n")?.status == 200)
    #expect(try router.ask(caller, "some", fields: "x-chaos: yes\r\n")?.status == 503)
    #expect(try router.ask(caller, "asked")?.status == 200)
    #expect(try router.ask(caller, "asked", fields: "l5d-fault-abort: 404\r\n")?.status == 404)
    let answer = try router.ask(caller, "asked", fields: "l5d-fault-delay: 50\r\n")
    #expect(answer?.status == 200 && answer?["l5d-fault-injected"] == "delay")
    #expect(endpoint.requests.last?["l5d-fault-delay"] == nil)
    #expect(try router.ask(caller, "plain", fields: "l5d-fault-abort: 404\r\n")?.status == 200)
    // Callers from outside are not heard.
    let outside = try Self.router(server: "clearContext: true")
    outside.service("asked", ports: [endpoint.port])
    #expect(try outside.ask(caller, "asked", fields: "l5d-fault-abort: 404\r\n")?.status == 200)
  }

  @Test("time-outs and callers who leave end a delay")
  func impatience() throws {
    let router = try Self.router()
    let endpoint = AnyBackend(.h1)
    router.service("late", ports: [endpoint.port])
    #expect(try router.ask(.h1, "late")?["l5d-err"]?.hasPrefix("outcome.total_timeout") == true)
    #expect(
      try router.ask(.h2, "late", fields: "grpc-timeout: 50m\r\n")?["l5d-err"]?.hasPrefix("outcome.deadline") == true)
    router.service("slow", ports: [endpoint.port])
    for _ in 0..<5 {
      let socket = try router.connect()
      socket.send("GET / HTTP/1.1\r\nHost: slow\r\n\r\n")
      usleep(50_000)
      socket.reset()
      let peer = try HTTP2Peer(connectingTo: router.port)
      peer.request("slow").reset(.cancel)
      peer.close()
    }
    #expect(try Router.eventually { try AdminPage.sum(router, "meshrouter_server_in_flight") == 0 })
    usleep(400_000)
    #expect(endpoint.requests.isEmpty)
  }

  @Test("a router before this one neither tries again nor leaves this one out")
  func inLine() throws {
    let near = Backend.freePort()
    let router = try Router(
      routers: """
        - protocol: http
          label: far
          dtab: /svc => /#/io.l5d.fs
          service: {faults: {abort: {status: 503, percent: 100}}}
          servers: [{port: $PORT, clearContext: false}]
        - protocol: http
          label: near
          dtab: /svc => /$/inet/127.0.0.1/$PORT
          client: {failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 2}}
          service: {responseClassifier: {kind: io.l5d.http.retryableRead5XX}}
          servers: [{port: \(near)}]
        """)
    router.service("web", ports: [AnyBackend(.h1).port])
    for _ in 0..<10 {
      let socket = try RawSocket(connectingTo: near)
      socket.send("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
      let answer = socket.readResponse()
      #expect(answer?.status == 503 && answer?["l5d-fault-injected"] == "abort")
    }
    #expect(try AdminPage.sum(router, "meshrouter_service_faults_total", "router=\"far\"") == 10)
    #expect(try AdminPage.sum(router, "meshrouter_client_endpoint_ejections_total", "router=\"near\"") == 0)
  }
}

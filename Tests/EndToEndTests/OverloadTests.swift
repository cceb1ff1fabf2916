import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

/// Too many requests: who is turned away and how, who waits, and that every place comes back.
@Suite("overload")
struct OverloadTests {
  /// Answers each request after so long.
  private static func slow(milliseconds: UInt32) -> Backend {
    Backend { connection in
      while connection.request() != nil {
        usleep(milliseconds * 1_000)
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
  }

  /// A name for these backends, which go with the router: hundreds of connections must not stay open in the tests.
  private static func service(_ router: Router, _ backends: Backend...) -> String {
    let name = "s\(backends[0].port)"
    router.service(name, ports: backends.map { $0.port(keptBy: router) })
    return name
  }

  private struct Answers {
    var statuses: [Int] = []
    var milliseconds: [Double] = []
    var reasons: Set<String> = []
    func count(_ status: Int) -> Int { statuses.count { $0 == status } }
  }

  /// So many callers at once, each with a connection of its own.
  private func burst(_ router: Router, _ name: String, count: Int, fields: (Int) -> String = { _ in "" }) -> Answers {
    let answers = Locked(Answers())
    let lines = (0..<count).map(fields)
    let threads = lines.map { line in
      Thread {
        let start = DispatchTime.now().uptimeNanoseconds
        let answer = try? router.get(name, fields: line)
        let took = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        answers.withLock {
          $0.statuses.append(answer?.status ?? 0)
          $0.milliseconds.append(took)
          if let reason = answer?.reasonWord { $0.reasons.insert(reason) }
        }
      }
    }
    for thread in threads { thread.start() }
    while threads.contains(where: { !$0.isFinished }) { usleep(5_000) }
    return answers.withLock { $0 }
  }

  private struct Metrics {
    private let lines: [String]
    init(_ router: Router) throws {
      lines = (try AdminPage.get(router, "/admin/metrics/prometheus") ?? "").components(separatedBy: "\n")
    }
    func sum(_ family: String) -> Double {
      lines.filter { $0.hasPrefix(family + "{") || $0.hasPrefix(family + " ") }
        .compactMap { Double($0.split(separator: " ").last ?? "") }.reduce(0, +)
    }
  }

  // MARK: Places

  @Test("requests wait for a place of either worker, and each place comes back")
  func queue() throws {
    let router = try Router(
      server: "maxConcurrentRequests: 2\nrequestQueue: {size: 50, maxWaitMs: 5000}")
    let name = Self.service(router, Self.slow(milliseconds: 20))
    for _ in 0..<3 {
      let answers = burst(router, name, count: 24)
      #expect(answers.count(200) == 24, "\(answers)")
    }
    let metrics = try Metrics(router)
    #expect(metrics.sum("meshrouter_server_queued_requests") == 0)
    #expect(metrics.sum("meshrouter_server_waited_requests_total") > 10)
    #expect(metrics.sum("meshrouter_server_in_flight") == 0)
  }

  @Test("who finds the queue full is turned away at once, and who waits too long after that time")
  func fullQueue() throws {
    let router = try Router(
      server: "maxConcurrentRequests: 1\nrequestQueue: {size: 2, maxWaitMs: 150}")
    let name = Self.service(router, Self.slow(milliseconds: 600))
    let answers = burst(router, name, count: 8)
    #expect(answers.count(200) == 1 && answers.count(503) == 7, "\(answers)")
    #expect(answers.reasons == ["server.max_connections"])
    #expect(answers.milliseconds.count { $0 < 100 } >= 5, "\(answers)")
    // The place is there again.
    #expect(try router.get(name)?.status == 200)
    let refused = try #require(try overflowing(router, name))
    #expect(refused["retry-after"] == "1" && refused["l5d-retryable"] == nil)
  }

  /// What a caller is told who comes while four others wait.
  private func overflowing(_ router: Router, _ name: String) throws -> Message? {
    let others = try (0..<4).map { _ in try router.connect() }
    for other in others { other.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n") }
    usleep(50_000)
    let answer = try router.get(name)
    for other in others { _ = other.readResponse() }
    return answer
  }

  @Test("callers who leave while they wait, or while they are served, free their places")
  func leaving() throws {
    let router = try Router(
      server: "maxConcurrentRequests: 2\nrequestQueue: {size: 100, maxWaitMs: 10000}")
    let name = Self.service(router, Self.slow(milliseconds: 30))
    for round in 0..<20 {
      let sockets = try (0..<20).map { _ in try router.connect() }
      for socket in sockets { socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n") }
      usleep(UInt32(round) * 2_000)
      for socket in sockets { socket.reset() }
    }
    let answers = burst(router, name, count: 4)
    #expect(answers.count(200) == 4, "\(answers)")
    let metrics = try Metrics(router)
    #expect(metrics.sum("meshrouter_server_queued_requests") == 0)
  }

  @Test("streams of HTTP/2 wait as well, with their bodies")
  func streams() throws {
    let router = try Router(
      server: "maxConcurrentRequests: 1\nrequestQueue: {size: 50, maxWaitMs: 5000}")
    let name = Self.service(router, Backend.echo())
    let peer = try HTTP2Peer(connectingTo: router.port)
    let streams = (0..<20).map { _ in peer.request(name, "POST", "/", end: false) }
    for stream in streams { stream.send("some ") }
    for stream in streams {
      stream.send("body")
      stream.end()
    }
    for stream in streams {
      let answer = stream.finished()
      #expect(answer.status == 200 && answer.bodyText.hasSuffix("some body"), "\(answer.status)")
    }
  }

  // MARK: Priority

  @Test("the important are served first, take the place of others, and have places of their own")
  func priority() throws {
    let router = try Router(
      router: """
        priority:
          header: x-importance
          classes: [{value: high}, {value: normal, default: true}, {value: low, share: 0.5}]
        """, server: "maxConcurrentRequests: 2\nrequestQueue: {size: 4, maxWaitMs: 5000}")
    let name = Self.service(router, Self.slow(milliseconds: 400))
    let order = Locked<[String]>([])
    func ask(_ importance: String) throws -> Thread {
      let socket = try router.connect()
      let thread = Thread {
        socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\nX-Importance: \(importance)\r\n\r\n")
        let answer = socket.readResponse()
        order.withLock { $0.append("\(importance) \(answer?.status ?? 0)") }
      }
      thread.start()
      usleep(30_000)
      return thread
    }
    // One low may be served although two could; a normal one finds the other place.
    var threads = try ["low", "low", "normal"].map(ask)
    threads += try ["low", "low", "low"].map(ask)
    // The queue is full of low ones, and two must go.
    threads += try ["HIGH", "other"].map(ask)
    while threads.contains(where: { !$0.isFinished }) { usleep(10_000) }
    let seen = order.withLock { $0 }
    #expect(seen.count { $0 == "low 503" } == 2, "\(seen)")
    #expect(Set(seen.prefix(2)) == ["low 503"], "\(seen)")
    let high = try #require(seen.firstIndex(of: "HIGH 200"))
    let lastLow = try #require(seen.lastIndex(of: "low 200"))
    #expect(high < lastLow, "\(seen)")
    #expect(seen.count { $0.hasSuffix("200") } == 6, "\(seen)")
  }

  // MARK: Concurrency

  @Test(
    "a client's limit turns away at once what is above it, and no endpoint is blamed", arguments: ["gradient", "aimd"])
  func concurrency(kind: String) throws {
    let router = try Router(
      router: "client: {concurrencyLimit: {kind: \(kind), initial: 3, min: 3, max: 3}}")
    let name = Self.service(router, Self.slow(milliseconds: 500))
    let answers = burst(router, name, count: 30)
    // Each worker has its own limit; the kernel spreads the callers.
    #expect((3...6).contains(answers.count(200)), "\(answers)")
    #expect(answers.count(503) == 30 - answers.count(200) && answers.reasons == ["pick.overload"])
    let refused = answers.milliseconds.sorted().prefix(answers.count(503))
    #expect(refused.allSatisfy { $0 < 400 }, "\(answers)")
    for _ in 0..<4 { #expect(try router.get(name)?.status == 200) }
    let metrics = try Metrics(router)
    #expect(metrics.sum("meshrouter_client_shed_requests_total") == Double(answers.count(503)))
    #expect((3...6).contains(metrics.sum("meshrouter_client_concurrency_limit")))
    #expect(metrics.sum("meshrouter_client_endpoint_ejections_total") == 0)
    #expect(metrics.sum("meshrouter_client_in_flight") == 0)
    // After a reload the limit is the new client's alone.
    router.configuration = router.configuration.replacing("max: 3}", with: "max: 3, queue: {size: 1}}")
    router.signal(SIGHUP)
    for _ in 0..<10 { #expect(try router.get(name)?.status == 200) }
    usleep(2_500_000)
    #expect((3...6).contains(try Metrics(router).sum("meshrouter_client_concurrency_limit")))
  }

  @Test("a short queue before a client's limit holds bursts")
  func clientQueue() throws {
    let router = try Router(
      router: "client: {concurrencyLimit: {kind: aimd, initial: 2, min: 2, max: 2, queue: {size: 40, maxWaitMs: 5000}}}"
    )
    let name = Self.service(router, Self.slow(milliseconds: 20))
    for _ in 0..<3 {
      let answers = burst(router, name, count: 24)
      #expect(answers.count(200) == 24, "\(answers)")
    }
    // Whoever leaves while waiting leaves nothing behind.
    let sockets = try (0..<30).map { _ in try router.connect() }
    for socket in sockets { socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n") }
    usleep(30_000)
    for socket in sockets { socket.reset() }
    #expect(burst(router, name, count: 8).count(200) == 8)
  }

  // MARK: Rates

  @Test("a name's rate holds for all workers together; a refusal is 429 and says when")
  func nameRate() throws {
    let router = try Router(router: "service: {rateLimits: [{requestsPerSecond: 2, burst: 10}]}")
    let name = Self.service(router, Backend())
    let other = Self.service(router, Backend())
    let answers = burst(router, name, count: 40)
    #expect((10...12).contains(answers.count(200)), "\(answers)")
    #expect(answers.count(429) == 40 - answers.count(200) && answers.reasons == ["pick.rate_limited"])
    let refused = try #require(try router.get(name))
    #expect(refused.status == 429 && refused["retry-after"] == "1" && refused["l5d-retryable"] == nil)
    #expect(refused.bodyText.contains("service's rateLimits"))
    #expect(try router.get(other)?.status == 200)
    usleep(600_000)
    #expect(try router.get(name)?.status == 200)
  }

  @Test("each value of a header has a rate for itself, and what has none shares one")
  func headerRate() throws {
    let router = try Router(
      server: "rateLimits: [{requestsPerSecond: 0.1, burst: 3, perHeader: X-User}, {requestsPerSecond: 1000}]")
    let name = Self.service(router, Backend())
    let answers = burst(router, name, count: 40) { "X-User: u\($0 % 4)\r\n" }
    #expect(answers.count(200) == 12 && answers.count(429) == 28, "\(answers)")
    #expect(burst(router, name, count: 10).count(200) == 3)
    let refused = try #require(try router.get(name, fields: "x-user: u1\r\n"))
    #expect(refused.status == 429 && (Int(refused["retry-after"] ?? "") ?? 0) > 5)
  }

  @Test("a router's rate is for all its servers, and a reload does not fill it")
  func routerRate() throws {
    let second = Backend.freePort()
    let router = try Router(
      routers: """
        - protocol: http
          label: e2e
          dtab: /svc => /#/io.l5d.fs
          rateLimits: [{requestsPerSecond: 0.1, burst: 4}]
          servers:
          - port: $PORT
          - port: \(second)
        """)
    let name = Self.service(router, Backend())
    for _ in 0..<2 { #expect(try router.get(name)?.status == 200) }
    let socket = try RawSocket(connectingTo: second)
    for status in [200, 200, 429] {
      socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      #expect(socket.readResponse()?.status == status)
    }
    router.configuration = router.configuration.replacing("burst: 4", with: "burst: 3")
    router.signal(SIGHUP)
    usleep(500_000)
    #expect(try router.get(name)?.status == 429)
  }

  @Test("gRPC calls are told RESOURCE_EXHAUSTED, and when to come again")
  func grpc() throws {
    let router = try Router(server: "rateLimits: [{requestsPerSecond: 0.5, burst: 1}]")
    let name = Self.service(router, Backend())
    let peer = try HTTP2Peer(connectingTo: router.port)
    _ = peer.get(name)
    let answer = peer.get(name, fields: "content-type: application/grpc\r\n")
    #expect(answer.status == 200 && answer["grpc-status"] == "8", "\(answer)")
    #expect((1_000...2_100).contains(Int(answer["grpc-retry-pushback-ms"] ?? "") ?? 0))
  }

  @Test("a router before another does not ask again what was turned away")
  func inLine() throws {
    let inner = try Router(server: "rateLimits: [{requestsPerSecond: 0.1, burst: 5}]")
    let name = Self.service(inner, Backend())
    let outer = try Router(router: "service: {responseClassifier: {kind: io.l5d.http.retryableAll5XX}}")
    outer.service(name, ports: [inner.port])
    let answers = burst(outer, name, count: 30)
    #expect(answers.count(200) == 5 && answers.count(429) == 25, "\(answers)")
    let metrics = try Metrics(inner)
    #expect(metrics.sum("meshrouter_server_requests_total") == 30)
  }

  // MARK: Connections and memory

  @Test("connections above the limit are closed and counted")
  func connections() throws {
    let router = try Router(server: "maxConnections: 5")
    usleep(100_000)
    let sockets = try (0..<12).map { _ in try router.connect() }
    usleep(100_000)
    let name = Self.service(router, Backend())
    // Which worker accepts first is for the kernel to say.
    var served = 0
    for socket in sockets {
      socket.timeoutMilliseconds = 2_000
      guard socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n") else { continue }
      if socket.readResponse()?.status == 200 { served += 1 }
    }
    #expect(served == 5)
    #expect(try Metrics(router).sum("meshrouter_server_rejected_connections_total") >= 7)
  }

  @Test("without descriptors for connections to endpoints nobody is ejected, and all is well afterwards")
  func descriptors() throws {
    let router = try Router(descriptors: 48)
    let (first, second) = (Self.slow(milliseconds: 300), Self.slow(milliseconds: 300))
    let name = Self.service(router, first, second)
    #expect(try router.get(name)?.status == 200)
    let answers = burst(router, name, count: 60)
    #expect(answers.count(200) > 5, "\(answers)")
    #expect(router.isRunning)
    usleep(500_000)
    for _ in 0..<6 { #expect(try router.get(name)?.status == 200) }
    #expect(try Metrics(router).sum("meshrouter_client_endpoint_ejections_total") == 0)
    #expect(router.output.contains("descriptors") || router.output.contains("pauses accepting"))
  }

  @Test("when memory is short nothing is accepted, what is open is served, and it goes on by itself")
  func memory() throws {
    // The process takes more than 1 MB before anything comes.
    let router = try Router(top: "memoryLimitMB: 100000")
    let name = Self.service(router, Backend())
    let open = try router.connect()
    open.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(open.readResponse()?.status == 200)
    router.configuration = router.configuration.replacing("memoryLimitMB: 100000", with: "memoryLimitMB: 1")
    router.signal(SIGHUP)
    usleep(800_000)
    open.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(open.readResponse()?.status == 200)
    let waiting = try router.connect()
    waiting.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(waiting.readFor(milliseconds: 500).isEmpty)
    #expect(try Metrics(router).sum("meshrouter_memory_short") == 1)
    router.configuration = router.configuration.replacing("memoryLimitMB: 1\n", with: "memoryLimitMB: 0\n")
    router.signal(SIGHUP)
    #expect(waiting.readResponse()?.status == 200)
    let metrics = try Metrics(router)
    #expect(metrics.sum("meshrouter_memory_short") == 0 && metrics.sum("meshrouter_memory_shortages_total") == 1)
    #expect(metrics.sum("meshrouter_server_accept_pauses_total") >= 1)
  }
}

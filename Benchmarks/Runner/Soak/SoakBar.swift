import Glibc
import MeshBase
import Net
import Synchronization

/// A day's trouble in minutes: mixed callers, edits, kills, slow and broken backends, changing files. Nothing crashes
/// or leaks, no caller sees another's answer, and at the end the counters add up.
enum SoakBar {
  struct Options: Sendable {
    var seconds = 600
    var callers = 16
    var seed: UInt64 = 1
    /// Off where a sanitizer keeps freed memory back.
    var checksMemory = true
  }

  static func run(binary: String, options: Options) throws -> Bool {
    print("soak: seed \(options.seed), \(options.seconds) s")
    var report = BarReport("soak")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try Backends()
    try backends.writeNames(fixture)
    let router = try fixture.router(binary)
    try router.admin.create(dtab: Chaos.dtabs[0])
    let findings = SoakFindings()
    let crowd = Crowd()
    for number in 0..<options.callers {
      let port = router.port
      Thread.start(name: "caller-\(number)") {
        var caller = SoakCaller(port: port, number: number, seed: options.seed, findings: findings)
        caller.run { crowd.isOver }
        crowd.leave()
      }
    }
    var chaos = Chaos(backends: backends, fixture: fixture, admin: router.admin, seed: options.seed)
    var memory: [Double] = []
    let deadline = Clock.now.advanced(byMilliseconds: UInt64(options.seconds) * 1_000)
    var nextLook = Clock.now
    while Clock.now < deadline {
      guard router.isRunning else { break }
      try chaos.once()
      if Clock.now >= nextLook {
        nextLook = Clock.now.advanced(byMilliseconds: 1_000)
        memory.append(Double(router.residentBytes) / 1_048_576)
      }
      Harness.sleep(milliseconds: 20 + chaos.random.below(60))
    }
    crowd.end(options.callers)
    for finding in findings.all { report.fail(finding) }
    report.note("requests", Double(findings.requests.load(ordering: .relaxed)))
    report.note("answers", Double(findings.answered.load(ordering: .relaxed)))
    report.note("disturbances", Double(chaos.count))
    guard router.isRunning else {
      report.fail("the router ended by itself:\n\((Harness.read(router.log) ?? "").suffix(6_000))")
      return false
    }
    try chaos.calm()
    try checkCounters(router, &report)
    if options.checksMemory { checkMemory(memory, &report) }
    do { try router.end() } catch { report.fail("\(error)") }
    let log = Harness.read(router.log) ?? ""
    if log.contains("Sanitizer") { report.fail("a sanitizer reports:\n\(log.suffix(8_000))") }
    backends.killAll()
    return report.passes
  }

  /// Flat: the last quarter is no larger than the second, but for what an allocator moves about.
  private static func checkMemory(_ memory: [Double], _ report: inout BarReport) {
    guard memory.count >= 20 else { return }
    let quarter = memory.count / 4
    func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(part.count) }
    let early = mean(memory[quarter..<(2 * quarter)])
    let late = mean(memory[(3 * quarter)...])
    report.note("resident memory of its own, second quarter", early, unit: "MiB")
    report.check("resident memory of its own, last quarter", late, max: early * 1.1 + 1, unit: "MiB")
  }

  private static func checkCounters(_ router: RouterChild, _ report: inout BarReport) throws {
    // Idle backend connections may stay; requests, callers and attempts may not.
    var page = try router.admin.metrics()
    for _ in 0..<300 {
      let left = page.sum("meshrouter_server_connections") + page.sum("meshrouter_client_in_flight")
      if left == 0 && page.sum("meshrouter_server_in_flight") == 0 { break }
      Harness.sleep(milliseconds: 100)
      page = try router.admin.metrics()
    }
    for gauge in [
      "server_in_flight", "server_connections", "service_in_flight", "client_in_flight", "client_pool_waiters",
    ] {
      report.check("\(gauge) when all callers have left", page.sum("meshrouter_\(gauge)"), equals: 0)
    }
    let opened = page.sum("meshrouter_server_connections_opened_total")
    report.check("callers' connections closed", page.sum("meshrouter_server_connections_closed_total"), equals: opened)
    let requests = page.sum("meshrouter_server_requests_total")
    report.check(
      "requests by duration", page.sum("meshrouter_server_request_duration_seconds_count"), equals: requests)
    let linkerd = LinkerdTotals(try router.admin.call("GET", "/admin/metrics.json").body)
    report.check("server: success + failures", linkerd.success + linkerd.failures, equals: linkerd.requests)
    report.check("server: requests of both reports", linkerd.requests, equals: requests)
    let early = ["decode.", "identify.", "loop.", "accept."].reduce(0.0) { sum, stage in
      sum + page.sum("meshrouter_server_requests_total", "reason=\"\(stage)")
    }
    // A request whose body is at fault is refused after it got its name.
    report.note("requests refused while they were read", early)
    let retired = page.sum("meshrouter_metrics_retired_requests_total", "scope=\"service\"")
    let named = page.sum("meshrouter_service_requests_total") + retired
    report.check("requests of services", named, max: requests)
    report.check("requests neither refused nor of a service", requests - early - named, max: 0)
    report.check(
      "attempts by duration",
      page.sum("meshrouter_client_attempt_duration_seconds_count"),
      equals: page.sum("meshrouter_client_attempts_total"))
  }

  /// Sums over the servers of linkerd's report.
  private struct LinkerdTotals {
    var requests = 0.0
    var success = 0.0
    var failures = 0.0

    init(_ json: String) {
      for line in json.split(whereSeparator: { $0 == "," || $0 == "{" || $0 == "}" || $0 == "\n" }) {
        let parts = line.split(separator: "\"")
        guard parts.count >= 2, let key = parts.first(where: { $0.hasPrefix("rt/") }), key.contains("/server/"),
          let value = line.split(separator: ":").last.flatMap({ Double($0.filter { !$0.isWhitespace }) })
        else { continue }
        if key.hasSuffix("/requests") { requests += value }
        if key.hasSuffix("/success") { success += value }
        if key.hasSuffix("/failures") { failures += value }
      }
    }
  }
}

/// Callers' threads: told to end together, and waited for.
private final class Crowd: Sendable {
  private let over = Atomic<Bool>(false)
  private let left = Atomic<Int>(0)

  var isOver: Bool { over.load(ordering: .relaxed) }
  func leave() { left.add(1, ordering: .relaxed) }

  func end(_ count: Int) {
    over.store(true, ordering: .relaxed)
    while left.load(ordering: .relaxed) < count { usleep(10_000) }
  }
}

/// Two backends that stay, two that are killed and started again, one port where nobody listens.
final class Backends {
  let steady: [SoakBackend]
  private(set) var shaky: [SoakBackend]
  let deadPort: UInt16

  init() throws {
    steady = [try SoakBackend(), try SoakBackend()]
    shaky = [try SoakBackend(), try SoakBackend()]
    deadPort = try Harness.freePort()
  }

  func writeNames(_ fixture: BarFixture) throws {
    try fixture.name("steady", steady[0].port, steady[1].port)
    try fixture.name("shaky", shaky[0].port, shaky[1].port)
    try fixture.name("edited", steady[0].port)
    try fixture.name("flapping", steady[0].port, shaky[0].port)
    try fixture.name("dead", deadPort)
  }

  /// Kills one; it is back on its port a little later.
  func restart(_ index: Int) {
    let port = shaky[index].port
    shaky[index].kill()
    Harness.sleep(milliseconds: 30)
    for _ in 0..<100 {
      if let again = try? SoakBackend(port: port) {
        shaky[index] = again
        return
      }
      Harness.sleep(milliseconds: 20)
    }
  }

  func killAll() { for backend in steady + shaky { backend.kill() } }
}

/// What happens to the router's surroundings, at random.
struct Chaos {
  static let dtabs = [
    "/svc/edited => /#/io.l5d.fs/steady",
    "/svc/edited => /#/io.l5d.fs/shaky | /#/io.l5d.fs/steady",
    "/svc/edited => 3 * /#/io.l5d.fs/steady & 1 * /#/io.l5d.fs/shaky & 1 * /#/io.l5d.fs/dead",
    "/svc/edited => !",
    "/svc/edited => /svc/flapping",
    "/svc/edited => /#/io.l5d.fs/nothing/here",
    "/svc/edited => /svc/loop ; /svc/loop => /svc/edited",
  ]
  let backends: Backends
  let fixture: BarFixture
  let admin: AdminClient
  var random: SeededRandom
  private(set) var count = 0

  init(backends: Backends, fixture: BarFixture, admin: AdminClient, seed: UInt64) {
    self.backends = backends
    self.fixture = fixture
    self.admin = admin
    random = SeededRandom(seed: seed)
  }

  mutating func once() throws {
    count += 1
    switch random.below(10) {
    case 0: backends.restart(random.below(2))
    case 1, 2, 3: try admin.put(dtab: Self.dtabs[random.below(Self.dtabs.count)])
    case 4, 5: try flap()
    case 6: _ = try admin.metrics()
    case 7:
      let pages = ["/admin/metrics.json", "/client_state.json", "/bound-names.json", "/config.json", "/admin/ping"]
      _ = try admin.call("GET", pages[random.below(pages.count)])
    case 8: _ = try admin.call("GET", "/api/2/why?url=http://edited/ok")
    default: Harness.sleep(milliseconds: random.below(100))
    }
  }

  private mutating func flap() throws {
    let ports = [backends.steady[0].port, backends.steady[1].port, backends.shaky[0].port, backends.deadPort]
    var text = ports.filter { _ in random.below(2) == 0 }.map { "127.0.0.1 \($0)\n" }.joined()
    switch random.below(8) {
    case 0: text += "this line is wrong\n"
    case 1:
      unlink("\(fixture.disco)/flapping")
      return
    default: break
    }
    if random.below(2) == 0 {
      try Harness.replace("\(fixture.disco)/flapping", with: text)
    } else {
      try Harness.write(text, to: "\(fixture.disco)/flapping")
    }
  }

  mutating func calm() throws {
    try admin.put(dtab: Self.dtabs[0])
    try backends.writeNames(fixture)
  }
}

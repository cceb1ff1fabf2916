import Glibc
import MeshBase
import Net

/// All backends fail every request: the router adds little to their load, and it costs little itself.
enum DownBar {
  static func run(binary: String, seconds: Int, rate: Double) throws -> Bool {
    var report = BarReport("resilience down")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try FaultyBackends(10)
    try fixture.name("web", backends.ports)

    // From healthy to down, as an outage comes.
    let router = try fixture.router(binary, service: ResilienceStage.retryableReads)
    let load = try LoadGenerator(.init(port: router.port, requests: [ResilienceStage.request], rate: rate))
    ResilienceStage.warmUp(load)
    report.noFailure(of: load)
    let healthy = try slice(backends, router, load, seconds: seconds)
    backends.behaveAll(.failing)
    let first = try slice(backends, router, load, seconds: 10)
    let down = try slice(backends, router, load, seconds: seconds)
    load.stop()
    report.note("offered while healthy", healthy.rate, unit: "requests/s")
    report.note("offered while down", down.rate, unit: "requests/s")
    report.note("load on backends in the first 10 s", first.attempts / first.requests, unit: "times the offered")
    report.note("the same in the worst second", first.worstSecond, unit: "times the offered")
    report.check("load on backends after 10 s", down.attempts, max: down.attemptsMax, unit: "requests")
    report.note("the same", down.attempts / down.requests, unit: "times the offered")
    report.note("CPU of the router per request while healthy", healthy.microseconds, unit: "µs")
    report.note("the same in the first 10 s", first.microseconds, unit: "µs")
    report.note("the same while down", down.microseconds, unit: "µs")
    report.check("the same against healthy", down.microseconds / healthy.microseconds, max: 1.3)
    try ResilienceStage.noteRetries(&report, router)
    try router.end()

    // Nothing ever was well: no traffic has saved up retries.
    let fresh = try fixture.router(binary, service: ResilienceStage.retryableReads)
    let failing = try LoadGenerator(.init(port: fresh.port, requests: [ResilienceStage.request], rate: rate))
    let before = Double(backends.allRequests)
    var start = try slice(backends, fresh, failing, seconds: seconds)
    failing.stop()
    // Those that were on their way as well.
    start.requests = Double(failing.failed + failing.completed)
    start.attempts = Double(backends.allRequests) - before
    report.check("load on backends that never were well", start.attempts, max: start.attemptsMax, unit: "requests")
    report.note("the same", start.attempts / start.requests, unit: "times the offered")
    report.note("the same in the worst second", start.worstSecond, unit: "times the offered")
    try fresh.end()
    backends.stop()
    return report.passes
  }

  private struct Slice {
    var seconds = 0.0
    /// Asked for by callers.
    var requests = 0.0
    /// That came to backends.
    var attempts = 0.0
    var nanoseconds = 0.0
    /// Attempts per request.
    var worstSecond = 0.0

    var rate: Double { requests / seconds }
    var microseconds: Double { nanoseconds / requests / 1_000 }
    /// A retry for five requests, and ten a second: that is a hundred within the budget's ten seconds, in whole ones.
    var attemptsMax: Double { 1.2 * requests + 100 * ((seconds + 1) / 10).rounded(.up) }
  }

  private static func slice(
    _ backends: FaultyBackends, _ router: RouterChild, _ load: LoadGenerator, seconds: Int
  ) throws -> Slice {
    var slice = Slice()
    func now() -> (requests: Double, attempts: Double, router: Double, time: Double) {
      (
        Double(load.completed + load.failed), Double(backends.allRequests), Double(router.nanoseconds),
        Double(Clock.now.nanoseconds)
      )
    }
    for _ in 0..<seconds {
      let before = now()
      Harness.sleep(milliseconds: 1_000)
      let after = now()
      slice.seconds += (after.time - before.time) / 1e9
      slice.requests += after.requests - before.requests
      slice.attempts += after.attempts - before.attempts
      slice.nanoseconds += after.router - before.router
      slice.worstSecond = max(
        slice.worstSecond, (after.attempts - before.attempts) / max(after.requests - before.requests, 1))
    }
    guard slice.requests > 0 else { throw Harness.Failure("no request was answered: \(load.firstFailure ?? "")") }
    return slice
  }
}

import Glibc

/// One of ten backends accepts requests and never answers: attempts end in time, and soon it gets none.
enum HangBar {
  private static let attemptMilliseconds = 200

  static func run(binary: String, seconds: Int, rate: Double) throws -> Bool {
    var report = BarReport("resilience hang")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try FaultyBackends(10)
    try fixture.name("web", backends.ports)
    let router = try fixture.router(
      binary, client: "{requestAttemptTimeoutMs: \(attemptMilliseconds)}", service: ResilienceStage.retryableReads)
    let load = try LoadGenerator(.init(port: router.port, requests: [ResilienceStage.request], rate: rate))
    ResilienceStage.warmUp(load)
    load.latencies[0].reset()
    let before = backends.requests(at: 0)
    backends.behave(.silent, at: 0)
    Harness.sleep(milliseconds: 1_000)
    load.phase = 1
    report.note("requests that hung in the first second", Double(backends.requests(at: 0) - before))
    Harness.sleep(milliseconds: max(seconds - 1, 1) * 1_000)
    load.stop()
    report.note("p99.9 in the first second", load.latencies[0].milliseconds(quantile: 0.999), unit: "ms")
    report.check(
      "p99.9 after the first second", load.latencies[1].milliseconds(quantile: 0.999), max: 450, unit: "ms")
    report.note("longest after the first second", load.latencies[1].milliseconds(quantile: 1), unit: "ms")
    report.note("requests that hung", Double(backends.requests(at: 0) - before))
    try ResilienceStage.noteRetries(&report, router)
    report.check(load)
    try router.end()
    backends.stop()
    return report.passes
  }
}

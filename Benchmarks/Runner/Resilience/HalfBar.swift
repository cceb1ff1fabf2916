import Glibc
import MeshBase

/// One of ten backends fails half of its requests: callers see next to none of it, and soon it gets none.
enum HalfBar {
  static func run(binary: String, seconds: Int, rate: Double) throws -> Bool {
    var report = BarReport("resilience half")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try FaultyBackends(10)
    try fixture.name("web", backends.ports)
    let router = try fixture.router(binary, service: ResilienceStage.retryableReads)
    let load = try LoadGenerator(.init(port: router.port, requests: [ResilienceStage.request], rate: rate))
    ResilienceStage.warmUp(load)
    let before = (load.completed, load.failed, backends.requests(at: 0), backends.allRequests)
    backends.behave(.failingHalf, at: 0)
    Harness.sleep(milliseconds: 1_000)
    let settled = (backends.requests(at: 0), backends.allRequests)
    report.note(
      "its share in the first second", 100 * share(settled.0 - before.2, of: settled.1 - before.3), unit: "%")
    var worst = 0.0
    for _ in 1..<max(seconds, 2) {
      let (own, all) = (backends.requests(at: 0), backends.allRequests)
      Harness.sleep(milliseconds: 1_000)
      worst = max(worst, share(backends.requests(at: 0) - own, of: backends.allRequests - all))
    }
    let later = share(backends.requests(at: 0) - settled.0, of: backends.allRequests - settled.1)
    load.stop()
    let (good, bad) = (load.completed - before.0, load.failed - before.1)
    report.note("requests", Double(good + bad))
    report.check("success seen by callers", 100 * share(good, of: good + bad), least: 99.99, unit: "%")
    report.check("its share after the first second", 100 * later, max: 5, unit: "%")
    report.note("its share in the worst of these seconds", 100 * worst, unit: "%")
    try ResilienceStage.noteRetries(&report, router)
    if let text = load.firstFailure { print("resilience half: first failure: \(text)") }
    try router.end()
    backends.stop()
    return report.passes
  }

  private static func share(_ part: UInt64, of whole: UInt64) -> Double { Double(part) / Double(max(whole, 1)) }
}

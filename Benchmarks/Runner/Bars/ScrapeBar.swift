import Glibc
import MeshBase
import Net
import Synchronization

/// Reading the metrics of 1,000 clients costs the data plane nothing, and the control thread little.
enum ScrapeBar {
  static let names = 1_000
  private static let page = "/admin/metrics/prometheus"

  static func run(binary: String, seconds: Int) throws -> Bool {
    var report = BarReport("scrape")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LoadBackend()
    for number in 0..<names { try fixture.name("s\(number)", backend.port) }
    let router = try fixture.router(binary)
    let requests = (0..<names).map { BarFixture.get(host: "s\($0)") }
    let load = try LoadGenerator(.init(port: router.port, requests: requests, rate: 3_000))
    load.waitForCompleted(UInt64(names * 3))

    let pairs = try Pairs.measure(count: max(seconds / 2, 1)) { isScraping in
      let phase = 1 - load.phase
      load.latencies[phase].reset()
      load.phase = phase
      for _ in 0..<10 {
        let started = Clock.now.nanoseconds
        if isScraping { _ = try router.admin.call("GET", page) }
        let spent = Int((Clock.now.nanoseconds - started) / 1_000_000)
        Harness.sleep(milliseconds: max(100 - spent, 1))
      }
      return load.latencies[phase].milliseconds(quantile: 0.99)
    }
    report.note("pairs that were taken again", Double(pairs.repeated))
    report.note("p99 without scrapes", pairs.without.median, unit: "ms")
    report.note("p99 with scrapes", pairs.with.median, unit: "ms")
    report.check("p99 with scrapes against none", pairs.ratios.median, max: 1.1)
    load.stop()
    report.check("failed requests", Double(load.failed), equals: 0)

    // One scrape at a time, nothing else going on: what the control thread spends on it.
    let snapshot = try router.admin.metrics()
    report.note("series of one scrape", snapshot.sampleCount)
    let before = router.controlNanoseconds
    for _ in 0..<20 { _ = try router.admin.call("GET", page) }
    report.check("CPU of one scrape", Double(router.controlNanoseconds - before) / 20 / 1e6, max: 30, unit: "ms")

    let pings = try pingsDuringScrapes(router)
    report.check("p99 of /admin/ping during scrapes", pings.milliseconds(quantile: 0.99), max: 5, unit: "ms")
    report.note("median of /admin/ping during scrapes", pings.milliseconds(quantile: 0.5), unit: "ms")
    try router.end()
    backend.stop()
    return report.passes
  }

  /// One caller scrapes without pause, another pings.
  private static func pingsDuringScrapes(_ router: RouterChild) throws -> LatencyHistogram {
    let pings = LatencyHistogram()
    let scrapes = Scrapes()
    let admin = router.admin
    Thread.start(name: "scraper") {
      while !scrapes.stopping.load(ordering: .relaxed) { _ = try? admin.call("GET", page) }
      scrapes.ended.fulfil(())
    }
    for _ in 0..<300 {
      let started = Clock.now.nanoseconds
      let answer = try admin.call("GET", "/admin/ping")
      guard answer.status == 200 else { throw Harness.Failure("/admin/ping: \(answer.head)") }
      pings.record(nanoseconds: Clock.now.nanoseconds - started)
      Harness.sleep(milliseconds: 7)
    }
    scrapes.stopping.store(true, ordering: .relaxed)
    scrapes.ended.wait()
    return pings
  }

  private final class Scrapes: Sendable {
    let stopping = Atomic<Bool>(false)
    let ended = Promise<Void>()
  }
}

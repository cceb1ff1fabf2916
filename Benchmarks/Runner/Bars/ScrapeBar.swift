import CMeshShims
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

    let scraper = Scraper(router.admin)
    let pairs = Pairs.measure(count: max(seconds / 2, 1)) { isScraping in
      let phase = 1 - load.phase
      load.latencies[phase].reset()
      load.phase = phase
      scraper.isOn = isScraping
      Harness.sleep(milliseconds: 1_000)
      scraper.isOn = false
      return load.latencies[phase].milliseconds(quantile: 0.99)
    }
    report.check(
      "scrapes in each second of them", Double(scraper.stop()) / Double(pairs.with.count + pairs.repeated), least: 9)
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

  /// Reads the page every 100 ms while it is on.
  ///
  /// A Prometheus runs on another machine: this one takes the processor only where nothing else wants it (SCHED_IDLE),
  /// and throws away what it reads. At ordinary priority it is the reader that delays requests: with the same amount of
  /// text from an idle nginx instead of the router, p99 rises as much or more.
  private final class Scraper: Sendable {
    private let on = Atomic<Bool>(false)
    private let ending = Atomic<Bool>(false)
    private let ended = Promise<Int>()

    init(_ admin: AdminClient) {
      Thread.start(name: "scraper") { [self] in
        mesh_idle_thread()
        var scrapes = 0
        while !ending.load(ordering: .relaxed) {
          let next = Clock.now.advanced(byMilliseconds: 100)
          if on.load(ordering: .relaxed), (try? admin.bytes(ScrapeBar.page)) ?? 0 > 1_000_000 { scrapes += 1 }
          let now = Clock.now
          if now < next { Harness.sleep(milliseconds: Int(next.nanoseconds(since: now) / 1_000_000)) }
        }
        ended.fulfil(scrapes)
      }
    }

    var isOn: Bool {
      get { on.load(ordering: .relaxed) }
      set { on.store(newValue, ordering: .relaxed) }
    }

    /// How many there were.
    func stop() -> Int {
      ending.store(true, ordering: .relaxed)
      return ended.wait()
    }
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

import Glibc
import MeshBase
import Net

/// Three times as many requests as the backend can serve: it serves as many as it can, and soon; the others are told at
/// once that there are too many.
enum OverloadBar {
  /// 1,500 requests a second: far from what the machine's processors can do, also three times.
  private static let slots = 30
  private static let serviceMilliseconds = 20
  /// Enough for callers that do not wait for each other.
  private static let connections = 512

  static func run(binary: String, seconds: Int) throws -> Bool {
    var report = BarReport("resilience overload")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LimitedBackend(slots: slots, serviceMilliseconds: serviceMilliseconds)
    try fixture.name("web", backend.port)

    let plain = try fixture.router(binary)
    let capacity = try self.capacity(plain)
    report.note("capacity", capacity, unit: "requests/s")
    let calm = try load(plain, 0.3 * capacity)
    Harness.sleep(milliseconds: 1_000)
    calm.phase = 1
    Harness.sleep(milliseconds: 5_000)
    calm.stop()
    report.noFailure(of: calm)
    let unloaded = calm.latencies[1].milliseconds(quantile: 0.99)
    report.note("p50 at 0.3 of the capacity", calm.latencies[1].milliseconds(quantile: 0.5), unit: "ms")
    report.note("p99 at 0.3 of the capacity", unloaded, unit: "ms")
    let pile = try load(plain, 3 * capacity)
    Harness.sleep(milliseconds: 10_000)
    pile.stop()
    report.note(
      "p99 at 3 times the capacity without a limit", pile.latencies[0].milliseconds(quantile: 0.99), unit: "ms")
    try plain.end()

    let router = try fixture.router(binary, client: "{concurrencyLimit: {kind: gradient}}")
    let flood = try load(router, 3 * capacity)
    let (began, cpu) = (Clock.now.nanoseconds, router.nanoseconds)
    Harness.sleep(milliseconds: seconds * 1_000)
    let took = Double(Clock.now.nanoseconds - began) / 1e9
    let (good, shed, spent) = (Double(flood.completed), Double(flood.failed), Double(router.nanoseconds - cpu))
    flood.stop()
    report.note("offered", (good + shed) / took, unit: "requests/s")
    report.check("goodput", good / took, least: 0.9 * capacity, unit: "requests/s")
    report.note("the same", 100 * good / took / capacity, unit: "% of the capacity")
    let latency = flood.latencies[0]
    report.check("p99 of those admitted", latency.milliseconds(quantile: 0.99), max: 2 * unloaded, unit: "ms")
    report.note("p50 of those admitted", latency.milliseconds(quantile: 0.5), unit: "ms")
    report.note("longest of those admitted", latency.milliseconds(quantile: 1), unit: "ms")
    report.note("p50 of the refusals", flood.refusals.milliseconds(quantile: 0.5), unit: "ms")
    report.note("p99 of the refusals", flood.refusals.milliseconds(quantile: 0.99), unit: "ms")
    report.note("CPU of the router per request", spent / (good + shed) / 1_000, unit: "µs")
    let metrics = try router.admin.metrics()
    report.note("the limit at the end", metrics.sum("meshrouter_client_concurrency_limit"))
    report.note("shed", metrics.sum("meshrouter_client_shed_requests_total"))
    report.check("endpoints ejected", metrics.sum("meshrouter_client_endpoint_ejections_total"), equals: 0)
    let isShed = flood.firstFailure?.contains("pick.overload") ?? false
    if !isShed { report.fail("first refusal: \(flood.firstFailure ?? "none")") }
    try router.end()
    backend.stop()
    return report.passes
  }

  private static func load(_ router: RouterChild, _ rate: Double) throws -> LoadGenerator {
    try LoadGenerator(
      .init(port: router.port, connections: connections, requests: [ResilienceStage.request], rate: rate))
  }

  /// Answers a second, when there are always twice as many requests as can be served at a time.
  private static func capacity(_ router: RouterChild) throws -> Double {
    let load = try LoadGenerator(
      .init(port: router.port, connections: 2 * slots, requests: [ResilienceStage.request]))
    Harness.sleep(milliseconds: 1_000)
    let (began, before) = (Clock.now.nanoseconds, load.completed)
    Harness.sleep(milliseconds: 3_000)
    let result = Double(load.completed - before) / Double(Clock.now.nanoseconds - began) * 1e9
    load.stop()
    return result
  }
}

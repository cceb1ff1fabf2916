import Glibc

/// Two routers in line before backends that fail: their retries do not multiply.
enum LineBar {
  static func run(binary: String, seconds: Int, rate: Double) throws -> Bool {
    var report = BarReport("resilience line")
    let (outer, inner) = (try BarFixture(), try BarFixture())
    defer {
      outer.remove()
      inner.remove()
    }
    let backends = try FaultyBackends(3, .failing)
    try inner.name("web", backends.ports)
    let second = try inner.router(binary, service: ResilienceStage.retryableReads)
    try outer.name("web", second.port)
    let first = try outer.router(binary, service: ResilienceStage.retryableReads)
    let load = try LoadGenerator(.init(port: first.port, requests: [ResilienceStage.request], rate: rate))
    Harness.sleep(milliseconds: seconds * 1_000)
    load.stop()
    let offered = Double(load.completed + load.failed)
    let requests = "meshrouter_server_requests_total"
    report.note("offered", offered)
    report.note("requests at the second router", try second.admin.metrics().sum(requests))
    report.check("attempts at the backends against the offered", Double(backends.allRequests) / offered, max: 1.3)
    report.check("requests that did not fail", Double(load.completed), equals: 0)
    try ResilienceStage.noteRetries(&report, second)
    try first.end()
    try second.end()
    backends.stop()
    return report.passes
  }
}

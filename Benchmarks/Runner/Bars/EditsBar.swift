import Glibc
import MeshBase
import Net

/// Dtab edits through the admin API while requests flow: none fails, each is soon in force, and they cost little.
enum EditsBar {
  private static let interval = 50  // ms: 20 edits a second

  static func run(binary: String, seconds: Int) throws -> Bool {
    var report = BarReport("edits")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let a = try LoadBackend(mark: "A")
    let b = try LoadBackend(mark: "B")
    try fixture.name("a", a.port)
    try fixture.name("b", b.port)
    let router = try fixture.router(binary)
    try router.admin.create(dtab: dtab(to: "a"))
    let load = try LoadGenerator(.init(port: router.port, requests: [BarFixture.get(host: "web")]))
    load.waitForCompleted(5_000)

    // Slices with and without edits alternate, so that both see the same machine.
    var cost = Cost()
    var lags: [Double] = []
    var notSeen = 0
    for slice in 0..<(seconds * 2) {
      let isEditing = slice % 2 == 1
      let before = (router.nanoseconds, load.completed)
      if isEditing {
        for edit in 0..<(1_000 / interval / 2) {
          let (name, mark, other) = edit % 2 == 0 ? ("b", "B" as Character, "A" as Character) : ("a", "A", "B")
          let started = Clock.now.nanoseconds
          try router.admin.put(dtab: dtab(to: name))
          let acknowledged = Clock.now.nanoseconds
          let spent = Int((acknowledged - started) / 1_000_000)
          Harness.sleep(milliseconds: max(interval - spent, interval / 2))
          // The last request that still went the old way was sent so long after the acknowledgement.
          let last = load.lastStart(mark: other)
          lags.append(last > acknowledged ? Double(last - acknowledged) / 1e6 : 0)
          if load.lastStart(mark: mark) < acknowledged { notSeen += 1 }
        }
      } else {
        Harness.sleep(milliseconds: 500)
      }
      cost.add(router.nanoseconds - before.0, requests: load.completed - before.1, isChanged: isEditing)
    }
    load.stop()
    report.check("failed requests", Double(load.failed), equals: 0)
    report.check("edits that no request saw", Double(notSeen), equals: 0)
    report.check("slowest edit in force after", lags.max() ?? 0, max: 50, unit: "ms")
    report.note("edits", Double(lags.count))
    report.note("requests", Double(load.completed))
    report.check("CPU per request against no edits", cost.ratio, max: 1.05)
    report.noFailure(of: load)
    try router.end()
    a.stop()
    b.stop()
    return report.passes
  }

  private static func dtab(to name: String) -> String { "/svc/web => /#/io.l5d.fs/\(name)" }
}

/// CPU per request with and without a disturbance, out of alternating slices.
struct Cost {
  private var nanoseconds: [UInt64] = [0, 0]
  private var requests: [UInt64] = [0, 0]

  mutating func add(_ nanoseconds: UInt64, requests: UInt64, isChanged: Bool) {
    self.nanoseconds[isChanged ? 1 : 0] += nanoseconds
    self.requests[isChanged ? 1 : 0] += requests
  }

  private func perRequest(_ index: Int) -> Double { Double(nanoseconds[index]) / Double(max(requests[index], 1)) }

  var ratio: Double { perRequest(1) / perRequest(0) }
}

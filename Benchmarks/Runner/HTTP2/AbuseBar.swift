import Glibc
import MeshBase
import Net

/// What one hostile connection of HTTP/2 does to the well-behaved ones: next to nothing.
enum AbuseBar {
  private static let ratio = 1.2
  /// Well-behaved requests per second.
  private static let rate = 2_000.0

  static func run(binary: String, pairs: Int, milliseconds: Int, only: String) throws -> Bool {
    var report = BarReport("abuse")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LoadBackend()
    try fixture.name("web", backend.port)
    let router = try fixture.router(binary, client: "{protocol: h1}")
    let load = try H2Load(.init(port: router.port, connections: 4, streams: 100, rate: rate))
    load.waitForCompleted(4_000)
    for kind in H2Attack.kinds where kind.name.hasPrefix(only) {
      var connections: UInt64 = 0
      var wrong: [String] = []
      var spent: [UInt64] = [0, 0]
      let pairs = Pairs.measure(count: pairs) { isAttack in
        let attack = isAttack ? H2Attack(kind, port: router.port) : nil
        let before = router.nanoseconds
        let p99 = slice99(load, milliseconds)
        spent[isAttack ? 1 : 0] += router.nanoseconds - before
        attack?.stop()
        connections += attack?.connections ?? 0
        wrong += attack?.wrong.withLock { $0 } ?? []
        return p99
      }
      report.note("\(kind.name): hostile connections", Double(connections))
      if spent[0] > 0 {
        report.note(
          "\(kind.name): CPU of the router per hostile connection",
          (Double(spent[1]) - Double(spent[0])) / 1e6 / Double(max(connections, 1)), unit: "ms")
      }
      report.note("\(kind.name): pairs that were taken again", Double(pairs.repeated))
      report.note("\(kind.name): p99 without", pairs.without.median, unit: "ms")
      report.note("\(kind.name): p99 with", pairs.with.median, unit: "ms")
      report.check("\(kind.name): p99 with against without", pairs.ratios.median, max: ratio)
      if !kind.codes.isEmpty {
        report.check("\(kind.name): connections that did not end with the right code", Double(wrong.count), equals: 0)
        if let first = wrong.first { report.fail(first) }
      }
    }
    load.stop()
    report.check(load, "well-behaved requests")
    try router.end()
    backend.stop()
    return report.passes
  }

  /// The p99 of the next while, in milliseconds.
  private static func slice99(_ load: H2Load, _ milliseconds: Int) -> Double {
    let phase = 1 - load.phase
    load.latencies[phase].reset()
    load.phase = phase
    Harness.sleep(milliseconds: milliseconds)
    return load.latencies[phase].milliseconds(quantile: 0.99)
  }
}

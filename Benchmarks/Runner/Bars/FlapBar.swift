import Glibc
import MeshBase
import Net

/// Endpoints come and go twenty times a second in the file namer's files: no request fails.
enum FlapBar {
  static func run(binary: String, seconds: Int) throws -> Bool {
    var report = BarReport("flap")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try ["A", "B", "C"].map { try LoadBackend(mark: $0) }
    let ports = backends.map(\.port)
    try fixture.name("web", ports[0], ports[1])
    let router = try fixture.router(binary)
    let load = try LoadGenerator(.init(port: router.port, requests: [BarFixture.get(host: "web")]))
    load.waitForCompleted(2_000)
    let sets: [[UInt16]] = [[ports[0]], [ports[1], ports[2]], [ports[2]], [ports[0], ports[1], ports[2]]]
    var changes = 0
    var cost = Cost()
    for slice in 0..<(seconds * 2) {
      let before = (router.nanoseconds, load.completed)
      let isFlapping = slice % 2 == 1
      if isFlapping {
        for _ in 0..<10 {
          let text = sets[changes % sets.count].map { "127.0.0.1 \($0)\n" }.joined()
          // Both ways in which files change: replaced by a rename, and written in place.
          if changes / sets.count % 2 == 0 {
            try Harness.replace("\(fixture.disco)/web", with: text)
          } else {
            try Harness.write(text, to: "\(fixture.disco)/web")
          }
          changes += 1
          Harness.sleep(milliseconds: 50)
        }
      } else {
        Harness.sleep(milliseconds: 500)
      }
      cost.add(router.nanoseconds - before.0, requests: load.completed - before.1, isChanged: isFlapping)
    }
    load.stop()
    report.note("changes", Double(changes))
    report.note("requests", Double(load.completed))
    report.note("CPU per request against no changes", cost.ratio)
    report.check("failed requests", Double(load.failed), equals: 0)
    for (mark, _) in zip(["A", "B", "C"] as [Character], backends) where load.lastStart(mark: mark) == 0 {
      report.fail("no request ever went to \(mark)")
    }
    report.noFailure(of: load)
    try router.end()
    for backend in backends { backend.stop() }
    return report.passes
  }
}

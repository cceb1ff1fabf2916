import Glibc
import MeshBase
import Net

/// 10,000 requests at a time on 100 connections of HTTP/2 to one slow backend: all are answered, in bounded memory.
enum StreamsBar {
  private static let connections = 100
  private static let streamsPerConnection = 100
  /// What a request in flight may take, with the connection to the backend where each has one of its own.
  private static let bytesPerStreamMax = 8_192.0

  static func run(binary: String, seconds: Int, delayMilliseconds: Int) throws -> Bool {
    var report = BarReport("streams")
    for back in ["h2", "h1"] {
      try run(back, &report, binary: binary, seconds: seconds, delayMilliseconds: delayMilliseconds)
    }
    return report.passes
  }

  private static func run(
    _ back: String, _ report: inout BarReport, binary: String, seconds: Int, delayMilliseconds: Int
  ) throws {
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try SlowBackend(delayMilliseconds: delayMilliseconds)
    try fixture.name("web", backend.port)
    let router = try fixture.router(binary, client: "{protocol: \(back)}")
    // Pools, caches and the arena come into being first.
    let warm = try H2Load(.init(port: router.port, connections: 1, streams: 100))
    warm.waitForCompleted(200)
    warm.stop()
    let before = router.residentBytes
    report.note("to \(back): resident memory of its own before", Double(before) / 1_048_576, unit: "MiB")

    let load = try H2Load(.init(port: router.port, connections: connections, streams: streamsPerConnection))
    // On a busy machine the first waves come in pieces: what is held is compared once all streams were open at a time.
    let streams = connections * streamsPerConnection
    for _ in 0..<600 where backend.waitingMax < streams { Harness.sleep(milliseconds: 50) }
    var peaks: [Int] = []
    // Each wave of answers is followed by the next of requests: what is held must not grow from one to the next.
    for _ in 0..<max(seconds * 1_000 / delayMilliseconds, 3) {
      var peak = 0
      for _ in 0..<(delayMilliseconds / 50) {
        peak = max(peak, router.residentBytes)
        Harness.sleep(milliseconds: 50)
      }
      peaks.append(peak)
    }
    load.stop()
    report.note("to \(back): requests", Double(load.completed))
    report.note("to \(back): connections to the backend", Double(backend.connections))
    report.check(
      "to \(back): most requests at the backend at a time", Double(backend.waitingMax), least: Double(streams))
    report.check("to \(back): lost requests", Double(load.failed), equals: 0)
    report.noFailure(of: load)
    let most = peaks.max() ?? 0
    report.note("to \(back): resident memory with \(streams) streams", Double(most) / 1_048_576, unit: "MiB")
    report.check(
      "to \(back): memory per stream", Double(most - before) / Double(streams), max: bytesPerStreamMax, unit: "bytes")
    let half = peaks.count / 2
    let growth = Double(peaks[half...].max() ?? 0) / Double(max(peaks[..<half].max() ?? 1, 1))
    report.check("to \(back): memory of the later waves against the earlier", growth, max: 1.1)
    try router.end()
    backend.stop()
  }
}

import Glibc
import MeshBase
import Net

/// One of ten backends is killed every two seconds and comes back: no caller sees any of it.
enum KillBar {
  private static let backendCount = 10
  private static let periodMilliseconds = 2_000
  /// How long a killed backend is away.
  private static let awayMilliseconds = 500

  /// - Parameter rate: requests per second; `nil` for half of what the machine can do.
  static func run(binary: String, seconds: Int, rate: Double?) throws -> Bool {
    var report = BarReport("resilience kill")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try freePorts().enumerated().map { index, port in
      try BackendProcess(port: port, log: "\(fixture.folder)/backend\(index).log")
    }
    try fixture.name("web", backends.map(\.port))
    let router = try fixture.router(binary, service: ResilienceStage.retryableReads)
    let offered = try rate ?? capacity(router) / 2
    report.note("offered", offered, unit: "requests/s")
    let load = try LoadGenerator(.init(port: router.port, requests: [ResilienceStage.request], rate: offered))
    ResilienceStage.warmUp(load)
    var random = SeededRandom(seed: 1)
    let kills = max(1, seconds * 1_000 / periodMilliseconds)
    for _ in 0..<kills {
      let backend = backends[random.below(backendCount)]
      backend.killNow()
      Harness.sleep(milliseconds: awayMilliseconds)
      try backend.restart()
      Harness.sleep(milliseconds: periodMilliseconds - awayMilliseconds)
    }
    load.stop()
    report.note("kills", Double(kills))
    report.note("p99", load.latencies[0].milliseconds(quantile: 0.99), unit: "ms")
    report.note("longest", load.latencies[0].milliseconds(quantile: 1), unit: "ms")
    try ResilienceStage.noteRetries(&report, router)
    report.check(load)
    try router.end()
    // Until here nobody but the bar itself may have ended one.
    for backend in backends { backend.killNow() }
    return report.passes
  }

  /// Requests per second, when there are always some to be sent.
  private static func capacity(_ router: RouterChild) throws -> Double {
    let load = try LoadGenerator(.init(port: router.port, requests: [ResilienceStage.request]))
    ResilienceStage.warmUp(load)
    let (began, before) = (Clock.now.nanoseconds, load.completed)
    Harness.sleep(milliseconds: 3_000)
    let result = Double(load.completed - before) / Double(Clock.now.nanoseconds - began) * 1e9
    load.stop()
    return result
  }

  /// Ports from which the kernel takes none for outgoing connections while a backend is away.
  private static func freePorts() throws -> [UInt16] {
    var ports: [UInt16] = []
    for port in UInt16(21_000)..<29_000 where ports.count < backendCount {
      if (try? Socket.listen(on: .loopback(port: port))) != nil { ports.append(port) }
    }
    guard ports.count == backendCount else { throw Harness.Failure("no free ports between 21000 and 29000") }
    return ports
  }
}

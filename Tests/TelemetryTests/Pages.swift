import Foundation
import MeshBase
import Testing

@testable import Telemetry

extension MetricsPage {
  /// The whole page, piece by piece.
  func text() -> String {
    var page = self
    return String(decoding: page.rest(), as: UTF8.self)
  }

  func lines() -> [String] { text().split(separator: "\n").map(String.init) }
}

/// One sample line of the text format, as little parsed as the tests need.
struct Sample {
  let name: String
  let labels: String
  let value: Double

  init(_ line: String) throws {
    let blank = try #require(line.lastIndex(of: " "))
    value = try #require(Double(line[line.index(after: blank)...].replacing("Inf", with: "infinity")))
    let head = line[..<blank]
    if let brace = head.firstIndex(of: "{") {
      name = String(head[..<brace])
      labels = String(head[head.index(after: brace)...].dropLast())
    } else {
      name = String(head)
      labels = ""
    }
  }
}

let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

/// A registry in which one of everything has happened.
func busyRegistry() -> MetricsRegistry {
  let registry = MetricsRegistry(workers: 2)
  let router = registry.router("http")
  let server = router.server("127.0.0.1/4140")
  let service = router.service("/svc/web")
  let client = router.client("/#/io.l5d.fs/web")
  for worker in 0..<2 {
    server[worker].connectionOpened()
    server[worker].received(bytes: 100)
    server[worker].sent(bytes: 2_000)
    server[worker].requestBegan()
    server[worker].requestEnded(status: 200, success: true, microseconds: 1_500)
    service[worker].requestBegan()
    service[worker].requestEnded(success: true, microseconds: 1_400)
    client[worker].connected(microseconds: 250)
    client[worker].attemptBegan()
    client[worker].attemptEnded(status: 200, success: true, microseconds: 1_300)
    client[worker].setEndpoints(count: 3, ejected: worker)
    registry.workerStats[worker].turned(busyNanoseconds: 2_000_000, delayMicroseconds: 20)
    registry.workerStats[worker].stage(.relay, nanoseconds: 900)
    router.stats[worker].bindCache(.path, .misses)
  }
  server[0].requestBegan()
  server[0].requestFailed(.connectRefused, status: 502, microseconds: 700)
  server[1].requestBegan()
  service[0].requestBegan()
  service[0].requestFailed(.connectRefused, microseconds: 650)
  service[0].retry(.requeue, .sent)
  service[0].setRetryBudget(balance: 50, capacity: 100)
  client[0].attemptBegan()
  client[0].attemptFailed(.connectRefused, microseconds: 300)
  client[0].connectFailed()
  client[0].requeued()
  client[0].pooled()
  registry.control(.buildInfo, "1.0", "3.0", "1.5").value = 1
  registry.control(.dtabRevision, "default").value = 7
  registry.controlHistogram(.dtabPropagation).record(microseconds: 4_000)
  registry.control(.namerAge, "io.l5d.fs", read: { 1.5 })
  return registry
}

/// Runs a tool on `input`; nil if it is not installed. `popen` because a `Process` leaves 32 bytes behind, which the
/// address sanitizer reports.
func run(_ tool: String, _ arguments: String, input: String) throws -> (status: Int32, output: String)? {
  guard FileManager.default.isExecutableFile(atPath: tool) else { return nil }
  let file = FileManager.default.temporaryDirectory.appendingPathComponent("metrics-\(UUID().uuidString)")
  try Data(input.utf8).write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  let pipe = try #require(popen("\(tool) \(arguments) < '\(file.path)' 2>&1", "r"))
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4_096)
  while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
  // The exit status is in the second byte, as `wait` gives it.
  return (pclose(pipe) >> 8, String(decoding: output, as: UTF8.self))
}

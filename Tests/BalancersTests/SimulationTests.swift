import Foundation
import MeshBase
import Testing

@testable import Balancers

private func name(_ kind: BalancerKind) -> String {
  switch kind {
  case .p2cEwma: "p2c ewma"
  case .p2cLeastLoaded: "p2c least loaded"
  case .roundRobin: "round robin"
  case .aperture: "aperture"
  case .ring: "ring"
  }
}

/// Runs the scenario for every kind and prints the table.
private func compare(_ title: String, _ simulation: (BalancerKind) -> Simulation) -> [String: Simulation.Report] {
  func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
  func milliseconds(_ microseconds: Double) -> String { padded(String(format: "%.2f", microseconds / 1_000), 9) }
  var table = "\n\(title)\n" + padded("", 18) + "   p50 ms   p99 ms p99.9 ms   failed  share of each, %\n"
  var reports: [String: Simulation.Report] = [:]
  for kind in allKinds {
    let report = simulation(kind).run()
    reports[name(kind)] = report
    table += padded(name(kind), 18) + milliseconds(report.percentile(50)) + milliseconds(report.percentile(99))
    table += milliseconds(report.percentile(99.9)) + padded("\(report.failed)", 9) + "  "
    table += report.shares.map { String(format: "%.2f", $0 * 100) }.joined(separator: " ") + "\n"
  }
  print(table)
  return reports
}

@Suite("Simulations", .serialized) struct SimulationTests {
  @Test("all equal, two thirds busy: even shares; two choices have the shortest tail")
  func equal() throws {
    let reports = compare("ten equal servers, two thirds busy") { kind in
      Simulation(
        kind: kind, servers: (0..<10).map { .exponential($0, fixed: 200, mean: 800, parallel: 2) },
        requestsPerSecond: 13_000, seconds: 2, seed: 11, countedFrom: 0.5)
    }
    for kind in ["p2c ewma", "p2c least loaded", "round robin"] {
      let report = try #require(reports[kind])
      // Peaks of chance make peak EWMA's shares wander a little.
      for share in report.shares { #expect(abs(share - 0.1) < 0.025, "\(kind): \(share)") }
    }
    let least = try #require(reports["p2c least loaded"])
    let ring = try #require(reports["ring"])
    #expect(least.percentile(99) < ring.percentile(99))
    #expect(try #require(reports["p2c ewma"]).percentile(99) < ring.percentile(99))
  }

  @Test("one of two backends takes 20 ms instead of 0.1 ms: peak EWMA sends it less than 0.5 %")
  func slow() throws {
    let reports = compare("two servers, 0.1 ms and 20 ms, 3000/s") { kind in
      Simulation(
        kind: kind,
        servers: [
          .exponential(0, fixed: 80, mean: 20), .exponential(1, fixed: 19_000, mean: 1_000),
        ],
        requestsPerSecond: 3_000, seconds: 5, seed: 12)
    }
    let ewma = try #require(reports["p2c ewma"])
    #expect(ewma.shares[1] < 0.001)
    #expect(ewma.percentile(99) < 1_000 && ewma.percentile(99.9) < 2_000)
    let least = try #require(reports["p2c least loaded"])
    #expect(least.shares[1] < 0.06)
    let turns = try #require(reports["round robin"])
    #expect(abs(turns.shares[1] - 0.5) < 0.001 && turns.percentile(99) > 19_000)
  }

  @Test("the fast one of two backends pauses now and then: peak EWMA sends little to the slow one even so")
  func pauses() throws {
    let reports = compare("two servers, 0.1 ms with pauses of 4 ms, and 20 ms, 3000/s") { kind in
      var servers: [SimulatedServer] = [
        .exponential(0, fixed: 80, mean: 20), .exponential(1, fixed: 19_000, mean: 1_000),
      ]
      // Eight times a second, whoever comes then waits.
      servers[0].service = { seconds, _ in
        let into = seconds.truncatingRemainder(dividingBy: 0.125)
        return into < 0.004 ? (0.004 - into) * 1e6 + 100 : 100
      }
      return Simulation(kind: kind, servers: servers, requestsPerSecond: 3_000, seconds: 10, seed: 19)
    }
    #expect(try #require(reports["p2c ewma"]).shares[1] < 0.005)
  }

  @Test("one of ten backends becomes slow under way and recovers: peak EWMA leaves it at once and comes back")
  func slowForAWhile() throws {
    func simulation(_ kind: BalancerKind, from: Double, to: Double, countedFrom: Double) -> Simulation {
      var servers = (0..<10).map { SimulatedServer.exponential($0, fixed: 500, mean: 500) }
      servers[3].service = { seconds, _ in seconds >= from && seconds < to ? 100_000 : 1_000 }
      return Simulation(
        kind: kind, servers: servers, requestsPerSecond: 2_000, seconds: 8, seed: 13, countedFrom: countedFrom)
    }
    let during = compare("ten servers, one takes 100 ms instead of 1 ms from 2 s on") {
      simulation($0, from: 2, to: 100, countedFrom: 2)
    }
    let ewma = try #require(during["p2c ewma"])
    let turns = try #require(during["round robin"])
    #expect(ewma.shares[3] < 0.005 && ewma.percentile(99) < 5_000)
    #expect(turns.percentile(99) > 90_000)
    // With a decay of 1 s it is back well before 5 s after a slow first second.
    let after = simulation(.p2cEwma(decayMilliseconds: 1_000), from: 0, to: 1, countedFrom: 6).run()
    #expect(after.shares[3] > 0.04, "\(after.shares)")
  }

  @Test("one of five fails fast: without failure accrual it must not draw more than a multiple of its share")
  func failing() throws {
    let reports = compare("five servers, one fails in 0.05 ms from 1 s on") { kind in
      var servers = (0..<5).map { SimulatedServer.exponential($0, fixed: 500, mean: 500) }
      servers[2].fails = { $0 >= 1 }
      return Simulation(kind: kind, servers: servers, requestsPerSecond: 4_000, seconds: 4, seed: 14, countedFrom: 1)
    }
    let ewma = try #require(reports["p2c ewma"])
    #expect(ewma.shares[2] < 0.30, "\(ewma.shares)")
    let turns = try #require(reports["round robin"])
    #expect(abs(turns.shares[2] - 0.2) < 0.001)
  }

  @Test("a flapping endpoint costs the others' callers nothing")
  func flapping() throws {
    let reports = compare("six servers, one leaves and returns twenty times a second") { kind in
      let all = Array(0..<6)
      return Simulation(
        kind: kind, servers: all.map { .exponential($0, fixed: 500, mean: 1_500, parallel: 8) },
        requestsPerSecond: 8_000, seconds: 2, seed: 15,
        lists: (0..<80).map { (Double($0) / 40, $0 % 2 == 0 ? all : Array(0..<5)) })
    }
    for kind in ["p2c ewma", "p2c least loaded"] {
      let report = try #require(reports[kind])
      #expect(report.shares[5] > 0.02 && report.shares[5] < 0.13, "\(kind): \(report.shares)")
      for share in report.shares.dropLast() { #expect(abs(share - 0.18) < 0.06, "\(kind): \(report.shares)") }
      #expect(report.percentile(99) < 12_000, "\(kind): \(report.percentile(99))")
    }
  }

  @Test("a new endpoint gets one request until it has answered, and is not flooded after")
  func newcomer() throws {
    let reports = compare("four busy servers, a fifth joins at 1 s, cold for 0.2 s") { kind in
      var servers = (0..<5).map { SimulatedServer.exponential($0, fixed: 1_000, mean: 3_000, parallel: 12) }
      servers[4].service = { seconds, _ in seconds < 1.2 ? 40_000 : 3_500 }
      return Simulation(
        kind: kind, servers: servers, requestsPerSecond: 9_000, seconds: 2.5, seed: 16,
        lists: [(0, Array(0..<4)), (1, Array(0..<5))], countedFrom: 1)
    }
    for kind in ["p2c ewma", "p2c least loaded", "aperture"] {
      let report = try #require(reports[kind])
      #expect(report.peakUnanswered[4] <= 1, "\(kind)")
      // Never far above what the others have out.
      let others = report.peakOutstanding.dropLast().max() ?? 0
      #expect(report.peakOutstanding[4] <= others + 4, "\(kind): \(report.peakOutstanding)")
    }
    // Round robin is the contrast: it does not wait for an answer.
    #expect(try #require(reports["round robin"]).peakUnanswered[4] > 20)
  }

  @Test(
    "weights 1 : 2 : 4 give shares 1 : 2 : 4 at any traffic", arguments: [200, 2_000, 12_000] as [Double])
  func weights(requestsPerSecond: Double) throws {
    let reports = compare("weights 1 : 2 : 4, equal latency, \(Int(requestsPerSecond))/s") { kind in
      Simulation(
        kind: kind == .aperture() ? .aperture(minAperture: 3) : kind,
        servers: [1.0, 2, 4].enumerated().map {
          .exponential($0.offset, fixed: 500, mean: 500, weight: $0.element)
        },
        requestsPerSecond: requestsPerSecond, seconds: 12_000 / requestsPerSecond, seed: 17)
    }
    for (kind, report) in reports {
      for (index, weight) in [1.0, 2, 4].enumerated() {
        // A ring of 128 points for the mean weight is no finer than this.
        let tolerance = kind == "ring" ? 0.25 : kind == "round robin" ? 0.003 : 0.03
        #expect(abs(report.shares[index] / (weight / 7) - 1) < tolerance, "\(kind): \(report.shares)")
      }
    }
  }

  @Test("weights do not keep requests on an endpoint that has become slow")
  func weightsAndSlow() throws {
    let reports = compare("weights 1 : 2 : 4, the heaviest takes 50 ms instead of 1 ms") { kind in
      var servers = [1.0, 2, 4].enumerated().map {
        SimulatedServer.exponential($0.offset, fixed: 500, mean: 500, weight: $0.element)
      }
      servers[2].service = { _, _ in 50_000 }
      return Simulation(kind: kind, servers: servers, requestsPerSecond: 2_000, seconds: 5, seed: 18)
    }
    let ewma = try #require(reports["p2c ewma"])
    #expect(ewma.shares[2] < 0.005 && ewma.percentile(99) < 10_000)
    // Between the other two the weights hold on.
    #expect(abs(ewma.shares[1] / ewma.shares[0] - 2) < 0.5, "\(ewma.shares)")
  }

  @Test("many endpoints, many weights: shares follow", arguments: [true, false])
  func manyWeights(leastLoaded: Bool) {
    let servers = (0..<30).map {
      SimulatedServer.exponential($0, fixed: 500, mean: 500, weight: Double(1 + $0 % 5))
    }
    let report = Simulation(
      kind: leastLoaded ? .p2cLeastLoaded : .p2cEwma(), servers: servers, requestsPerSecond: 10_000, seconds: 6,
      seed: 19
    ).run()
    let total = servers.reduce(0) { $0 + $1.weight }
    for (share, server) in zip(report.shares, servers) {
      #expect(abs(share / (server.weight / total) - 1) < 0.06, "weight \(server.weight): \(share * total)")
    }
  }
}

import Foundation
import MeshBase
import Testing

@testable import MeshRouter

/// `MESHROUTER_SIMULATION_SEED=17` replays one run; `MESHROUTER_SIMULATION_SEEDS=200000` makes as many.
@Suite("simulated requests over failing backends")
struct RequestSimulationTests {
  private static let environment = ProcessInfo.processInfo.environment

  private static var seeds: Range<UInt64> {
    if let one = environment["MESHROUTER_SIMULATION_SEED"].flatMap(UInt64.init) { return one..<one + 1 }
    return 1..<1 + (environment["MESHROUTER_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 2_000)
  }

  @Test("each request is answered once, every lease comes back, no budget is overdrawn, whatever fails")
  func laws() {
    var ends: [Simulation.End: Int] = [:]
    var (failing, takenOver) = (0, 0)
    for seed in Self.seeds where failing < 5 {
      let simulation = Simulation(SimulationPlan(seed: seed))
      simulation.run()
      ends.merge(simulation.ends, uniquingKeysWith: +)
      takenOver += simulation.takenOver
      if simulation.violations.isEmpty { continue }
      failing += 1
      Issue.record(
        """
        seed \(seed): \(simulation.violations.joined(separator: "\n"))
        \(simulation.plan)
        Replay it: MESHROUTER_SIMULATION_SEED=\(seed) scripts/test --filter RequestSimulation
        """)
    }
    // The faults leave something to succeed, and are felt.
    if Self.seeds.count > 100 {
      for end in [Simulation.End.succeeded, .failed, .gone] { #expect(ends[end, default: 0] > Self.seeds.count / 4) }
      #expect(takenOver > Self.seeds.count / 20, "\(takenOver) second attempts were of use")
    }
  }

  @Test("the same seed gives the same run")
  func replays() {
    for seed in 1...20 as ClosedRange<UInt64> {
      let runs = (0..<2).map { _ in
        let simulation = Simulation(SimulationPlan(seed: seed))
        simulation.run()
        return "\(simulation.events) \(simulation.now) \(simulation.ends.values.sorted())"
      }
      #expect(runs[0] == runs[1], "seed \(seed)")
    }
  }
}

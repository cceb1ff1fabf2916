import Balancers
import MeshBase
import Telemetry
import Testing

@testable import Config
@testable import MeshRouter

@Suite("balanced endpoints")
struct BalancedEndpointsTests {
  @Test("an endpoint that is warming is not spared for one that has failed this request, however many have")
  func sparesNobodyForATriedOne() throws {
    var configuration = Configuration.Client()
    configuration.slowStartMilliseconds = 60_000
    let endpoints = BalancedEndpoints(configuration, seed: 1, stats: ClientStats())
    let now = MonotonicInstant(nanoseconds: 1_000_000_000)
    let ports = (1...9 as ClosedRange<UInt16>).map { $0 }
    func list(_ ports: ArraySlice<UInt16>) -> [Endpoint] { ports.map { Endpoint(.loopback(port: $0)) } }
    endpoints.update(list(ports.prefix(8)), at: now)
    endpoints.update(list(ports[...]), at: now)
    var tried = SlotSet()
    for port in ports.prefix(SlotSet.capacity) {
      tried.insert(try #require(endpoints.balancer.slot(of: .loopback(port: port))))
    }
    let warming = try #require(endpoints.balancer.slot(of: .loopback(port: 9)))
    var random = SeededRandom(seed: 7)
    for _ in 0..<200 {
      let slot = try #require(endpoints.pick(at: now, using: &random, hash: 0, avoiding: tried))
      #expect(slot == warming)
      endpoints.abandon(slot, at: now)
    }
  }

  @Test("an endpoint that was left out, went from the list and comes back is let in if too many are out by then")
  func keepsShareAsTheListChanges() throws {
    var configuration = Configuration.Client()
    configuration.failureAccrual = .consecutiveFailures(failures: 1, backoff: .constant(milliseconds: 60_000))
    configuration.maxEjectedPercent = 50
    configuration.loadBalancer.kind = .roundRobin
    let endpoints = BalancedEndpoints(configuration, seed: 1, stats: ClientStats())
    let now = MonotonicInstant(nanoseconds: 1_000_000_000)
    var random = SeededRandom(seed: 7)
    func update(_ ports: ClosedRange<UInt16>) {
      endpoints.update(ports.map { Endpoint(.loopback(port: $0)) }, at: now)
    }
    func fail() throws -> Int {
      let slot = try #require(endpoints.pick(at: now, using: &random, hash: 0, avoiding: SlotSet()))
      _ = endpoints.end(slot, startedAt: now, at: now, ok: false, using: &random)
      return slot
    }
    update(1...4)
    // One request to each, so that those that leave still drain.
    var out: [Int] = []
    for _ in 0..<4 { out.append(try #require(endpoints.pick(at: now, using: &random, hash: 0, avoiding: SlotSet()))) }
    var ejected: Set<Int> = []
    for _ in 0..<20 where endpoints.balancer.closedCount < 2 { ejected.insert(try fail()) }
    #expect(endpoints.balancer.closedCount == 2)
    update(1...1)
    #expect(endpoints.balancer.closedCount <= 1)
    for _ in 0..<20 where endpoints.balancer.closedCount < 1 { _ = try fail() }
    update(1...4)
    #expect(endpoints.balancer.closedCount <= 2)
    update(1...2)
    #expect(endpoints.balancer.closedCount <= 1)
    for slot in out { endpoints.abandon(slot, at: now) }
  }
}

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
}

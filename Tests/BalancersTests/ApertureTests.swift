import MeshBase
import Testing

@testable import Balancers

@Suite("Aperture") struct ApertureTests {
  /// Holds `inFlight` requests for ten windows.
  private func hold(_ balancer: Balancer, inFlight: Int, _ random: inout SeededRandom, from start: MonotonicInstant)
    -> MonotonicInstant
  {
    var now = start
    var out: [(Int, MonotonicInstant)] = []
    for _ in 0..<5_000 {
      now = now.advanced(byMilliseconds: 10)
      while out.count < inFlight {
        let slot = balancer.pick(at: now, using: &random) ?? -1
        balancer.begin(slot, at: now)
        out.append((slot, now))
      }
      let (slot, began) = out.removeFirst()
      balancer.end(slot, startedAt: began, at: now.advanced(byMilliseconds: 9), ok: true)
    }
    for (slot, began) in out { balancer.end(slot, startedAt: began, at: now.advanced(byMilliseconds: 9), ok: true) }
    return now
  }

  @Test("widens until the load per endpoint is between the marks, and narrows again")
  func follows() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .aperture(), seed: 1)
    balancer.update(endpoints(20))
    #expect(balancer.apertureWidth == 1)
    var now = hold(balancer, inFlight: 12, &random, from: at(milliseconds: 0))
    // 12 out: below 2 each from 7 on, above 0.5 each up to 23.
    #expect((6...8).contains(balancer.apertureWidth), "\(balancer.apertureWidth)")
    now = hold(balancer, inFlight: 200, &random, from: now)
    #expect(balancer.apertureWidth == 20)
    _ = hold(balancer, inFlight: 1, &random, from: now)
    #expect(balancer.apertureWidth <= 2)
  }

  @Test("never below its minimum, nor above the number of endpoints")
  func limits() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .aperture(minAperture: 3), seed: 1)
    balancer.update(endpoints(10))
    #expect(balancer.apertureWidth == 3)
    let now = hold(balancer, inFlight: 1, &random, from: at(milliseconds: 0))
    #expect(balancer.apertureWidth == 3)
    balancer.update(endpoints(2))
    #expect(balancer.apertureWidth == 2)
    _ = hold(balancer, inFlight: 100, &random, from: now)
    #expect(balancer.apertureWidth == 2)
  }

  @Test("other seeds use other endpoints, and an update of the rest leaves the ones in use")
  func order() {
    var random = SeededRandom(seed: 1)
    var first: Set<SocketAddress> = []
    for seed in 0..<60 as Range<UInt64> {
      let balancer = Balancer(kind: .aperture(), seed: seed)
      balancer.update(endpoints(6))
      let chosen = balancer.address(of: balancer.pick(&random))
      first.insert(chosen)
      balancer.update(endpoints(6).filter { $0.address == chosen || $0.address.low % 2 == 0 })
      #expect(balancer.address(of: balancer.pick(&random)) == chosen)
    }
    #expect(first.count == 6)
  }

  @Test("when those in use are closed, others are used")
  func widensForHealth() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .aperture(), seed: 1)
    balancer.update(endpoints(6))
    let inUse = balancer.pick(&random)
    balancer.setStatus(.closed, of: inUse)
    for _ in 0..<100 { #expect(balancer.pick(&random) != inUse) }
    #expect(balancer.failOpenTotal == 0)
  }
}

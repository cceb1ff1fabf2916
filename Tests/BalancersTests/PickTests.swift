import MeshBase
import Testing

@testable import Balancers

@Suite("Picks") struct PickTests {
  @Test("among equals every endpoint is as likely as any", arguments: [2, 3, 10, 37], [true, false])
  func uniform(count: Int, leastLoaded: Bool) {
    var random = SeededRandom(seed: UInt64(count))
    let balancer = Balancer(kind: leastLoaded ? .p2cLeastLoaded : .p2cEwma(), seed: 1)
    balancer.update(endpoints(count))
    balancer.introduceAll(at: at(milliseconds: 0))
    let picks = 40_000
    var counts = [Int](repeating: 0, count: count)
    for _ in 0..<picks { counts[balancer.pick(&random)] += 1 }
    let expected = [Double](repeating: Double(picks) / Double(count), count: count)
    #expect(chiSquare(counts, expected: expected) < chiSquareLimit(freedom: count - 1), "\(counts)")
  }

  @Test(
    "the two choices are distinct: of n with different loads the heaviest is never picked, the k-th as the law says")
  func distinct() {
    var random = SeededRandom(seed: 8)
    let count = 6
    let balancer = Balancer(kind: .p2cLeastLoaded, seed: 1)
    balancer.update(endpoints(count))
    balancer.introduceAll(at: at(milliseconds: 0))
    for slot in 0..<count { for _ in 0..<slot { balancer.begin(slot, at: at(milliseconds: 0)) } }
    let picks = 60_000
    var counts = [Int](repeating: 0, count: count)
    for _ in 0..<picks { counts[balancer.pick(&random)] += 1 }
    #expect(counts[count - 1] == 0)
    // Slot i wins the pairs with the heavier ones: 2 (n - 1 - i) of n (n - 1).
    let expected = (0..<count - 1).map { Double(picks * 2 * (count - 1 - $0)) / Double(count * (count - 1)) }
    #expect(chiSquare(Array(counts.dropLast()), expected: expected) < chiSquareLimit(freedom: count - 2), "\(counts)")
  }

  @Test("peak EWMA: cost times (outstanding + 1) decides")
  func costDecides() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    balancer.exchange(0, at: at(milliseconds: 0), microseconds: 1_000)
    balancer.exchange(1, at: at(milliseconds: 0), microseconds: 3_500)
    for outstanding in 0..<6 {
      // 1 ms × (outstanding + 1) against 3.5 ms
      for _ in 0..<50 { #expect(balancer.pick(&random) == (outstanding < 3 ? 0 : 1), "\(outstanding) out") }
      balancer.begin(0, at: at(milliseconds: 4))
    }
  }

  @Test("an endpoint that has never answered gets one probe at a time", arguments: [true, false])
  func probe(leastLoaded: Bool) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: leastLoaded ? .p2cLeastLoaded : .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    for _ in 0..<40 { balancer.begin(0, at: at(milliseconds: 0)) }
    balancer.exchange(0, at: at(milliseconds: 0), microseconds: 1_000)
    #expect(balancer.pick(&random) == 1)
    balancer.begin(1, at: at(milliseconds: 1))
    for _ in 0..<100 { #expect(balancer.pick(&random) == 0) }
    balancer.end(1, startedAt: at(milliseconds: 1), at: at(milliseconds: 2), ok: true)
    for _ in 0..<100 { #expect(balancer.pick(&random) == 1) }
  }

  @Test("while nobody has answered, the one with fewest requests out is next")
  func allUnknown() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    for _ in 0..<100 { balancer.begin(balancer.pick(&random), at: at(milliseconds: 0)) }
    #expect(balancer.outstanding(of: 0) == 50)
  }

  @Test("open before busy before closed, whatever the load", arguments: allKinds)
  func healthierWins(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(12))
    balancer.introduceAll(at: at(milliseconds: 0))
    for slot in 0..<12 { balancer.setStatus(slot % 2 == 0 ? .closed : .busy, of: slot) }
    balancer.setStatus(.open, of: 7)
    for _ in 0..<20 { balancer.begin(7, at: at(milliseconds: 0)) }
    for hash in 0..<200 as Range<UInt64> { #expect(balancer.pick(&random, hash: hash) == 7) }
    #expect(balancer.failOpenTotal == 0)
    balancer.setStatus(.closed, of: 7)
    for hash in 0..<200 as Range<UInt64> { #expect(balancer.status(of: balancer.pick(&random, hash: hash)) == .busy) }
    #expect(balancer.failOpenTotal == 200)
  }

  @Test("all closed: every endpoint is still tried, and each such pick is counted", arguments: allKinds)
  func failsOpen(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(4))
    balancer.introduceAll(at: at(milliseconds: 0))
    for slot in 0..<4 { balancer.setStatus(.closed, of: slot) }
    var seen: Set<Int> = []
    for hash in 0..<200 as Range<UInt64> { seen.insert(balancer.pick(&random, hash: hash)) }
    // An aperture without load stays at one endpoint.
    #expect(seen.count == (kind == .aperture() ? 1 : 4))
    #expect(balancer.failOpenTotal == 200)
    for slot in 0..<4 { balancer.setStatus(.open, of: slot) }
    _ = balancer.pick(&random)
    #expect(balancer.failOpenTotal == 200 && balancer.openCount == 4)
  }

  @Test("a retry goes where the request has not been, while there is such a place", arguments: allKinds)
  func avoids(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(8))
    for round in 0..<50 as Range<UInt64> {
      var tried = SlotSet()
      for attempt in 0..<8 {
        let slot = balancer.pick(&random, hash: round, avoiding: tried)
        #expect(!tried.contains(slot), "round \(round) attempt \(attempt)")
        tried.insert(slot)
      }
      // Everything was tried: any answer is better than none.
      #expect(balancer.pick(&random, hash: round, avoiding: tried) >= 0)
    }
    #expect(balancer.failOpenTotal == 0)
  }

  @Test("a closed endpoint that was not tried comes before an open one that was", arguments: allKinds)
  func avoidsEvenForClosed(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(3))
    balancer.setStatus(.closed, of: 2)
    for hash in 0..<50 as Range<UInt64> {
      #expect(balancer.pick(&random, hash: hash, avoiding: SlotSet(0, 1)) == 2)
    }
    #expect(balancer.failOpenTotal == 50)
  }

  @Test("round robin takes turns, and starts at different places for different seeds")
  func roundRobin() {
    var random = SeededRandom(seed: 1)
    var starts: Set<Int> = []
    for seed in 0..<40 as Range<UInt64> {
      let balancer = Balancer(kind: .roundRobin, seed: seed)
      balancer.update(endpoints(5))
      let first = balancer.pick(&random)
      starts.insert(first)
      for turn in 1..<20 { #expect(balancer.pick(&random) == (first + turn) % 5) }
    }
    #expect(starts.count == 5)
  }

  @Test("weighted round robin gives exact shares in every cycle, evenly spread")
  func weightedRoundRobin() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .roundRobin, seed: 3)
    balancer.update([endpoint(0, weight: 1), endpoint(1, weight: 2), endpoint(2, weight: 4)])
    let turns = (0..<7_000).map { _ in balancer.pick(&random) }
    for start in stride(from: 0, to: 6_993, by: 1) {
      let cycle = turns[start..<start + 7]
      // A window that is cut anywhere may be one turn off.
      #expect(abs(cycle.count { $0 == 2 } - 4) <= 1 && abs(cycle.count { $0 == 1 } - 2) <= 1)
    }
    #expect(abs(turns.count { $0 == 0 } - 1_000) <= 1 && abs(turns.count { $0 == 2 } - 4_000) <= 1)
  }

  @Test("a re-weight moves the shares of round robin at once")
  func reweight() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .roundRobin, seed: 3)
    balancer.update([endpoint(0, weight: 1), endpoint(1, weight: 3)])
    for _ in 0..<1_000 { _ = balancer.pick(&random) }
    balancer.update([endpoint(0, weight: 9), endpoint(1, weight: 1)])
    var counts = [0, 0]
    for _ in 0..<100 { counts[balancer.pick(&random)] += 1 }
    #expect(abs(counts[0] - 90) <= 2, "\(counts)")
  }
}

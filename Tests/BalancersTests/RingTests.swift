import MeshBase
import Testing

@testable import Balancers

private func owners(_ balancer: Balancer, keys: Int) -> [SocketAddress] {
  var random = SeededRandom(seed: 1)
  return (0..<keys).map { balancer.address(of: balancer.pick(&random, hash: UInt64($0))) }
}

@Suite("Ring") struct RingTests {
  @Test("one key, one endpoint: in every worker and whatever the order of the list")
  func stable() {
    let one = Balancer(kind: .ring(), seed: 1)
    let two = Balancer(kind: .ring(), seed: 99)
    one.update(endpoints(20))
    two.update([endpoint(50)])
    two.update(endpoints(20).reversed())
    #expect(owners(one, keys: 5_000) == owners(two, keys: 5_000))
  }

  @Test("the ring does not change between builds: these keys have these owners")
  func pinned() {
    let balancer = Balancer(kind: .ring(), seed: 1)
    balancer.update(endpoints(5))
    #expect(owners(balancer, keys: 12).map { Int($0.low & 0xff) } == [0, 1, 3, 2, 4, 2, 2, 1, 1, 3, 0, 2])
  }

  @Test("adding one of n moves about 1/n of the keys, all of them to the new one", arguments: [2, 5, 20, 100])
  func adding(count: Int) {
    let keys = 20_000
    let balancer = Balancer(kind: .ring(), seed: 1)
    balancer.update(endpoints(count - 1))
    let before = owners(balancer, keys: keys)
    balancer.update(endpoints(count))
    let after = owners(balancer, keys: keys)
    let moved = (0..<keys).filter { before[$0] != after[$0] }
    #expect(moved.allSatisfy { after[$0] == address(count - 1) })
    // An endpoint's share of the ring has a standard deviation of 1/√128 of itself.
    #expect(Double(moved.count) / Double(keys) < 1.4 / Double(count))
    balancer.update(endpoints(count - 1))
    #expect(owners(balancer, keys: keys) == before)
  }

  @Test("removing one moves its own keys only, any one of them", arguments: 0..<10)
  func removing(index: Int) {
    let keys = 10_000
    let balancer = Balancer(kind: .ring(), seed: 1)
    balancer.update(endpoints(10))
    let before = owners(balancer, keys: keys)
    balancer.update(endpoints(10).filter { $0.address != address(index) })
    let after = owners(balancer, keys: keys)
    for key in 0..<keys { #expect((before[key] == after[key]) == (before[key] != address(index))) }
  }

  @Test("keys are spread by weight, and a re-weight moves no more than the shares do")
  func weights() {
    let keys = 40_000
    let balancer = Balancer(kind: .ring(), seed: 1)
    let weights = [1.0, 2, 4, 1]
    balancer.update(weights.indices.map { endpoint($0, weight: weights[$0]) })
    let before = owners(balancer, keys: keys)
    for index in weights.indices {
      let share = Double(before.count { $0 == address(index) }) / Double(keys)
      #expect(abs(share / (weights[index] / 8) - 1) < 0.3, "\(index): \(share)")
    }
    balancer.update(weights.indices.map { endpoint($0, weight: $0 == 3 ? 2 : weights[$0]) })
    let moved = zip(before, owners(balancer, keys: keys)).count { $0 != $1 }
    // 1/8 to 2/9 is 0.097.
    #expect(Double(moved) / Double(keys) < 0.125, "\(moved)")
  }

  @Test("a closed endpoint's keys go to others and come back, the rest stays")
  func closed() {
    let keys = 5_000
    let balancer = Balancer(kind: .ring(), seed: 1)
    balancer.update(endpoints(10))
    let before = owners(balancer, keys: keys)
    balancer.setStatus(.closed, of: balancer.slotOf(4))
    let during = owners(balancer, keys: keys)
    for key in 0..<keys { #expect((before[key] == during[key]) == (before[key] != address(4))) }
    #expect(Set(during).count == 9)
    balancer.setStatus(.open, of: balancer.slotOf(4))
    #expect(owners(balancer, keys: keys) == before)
  }

  @Test("one hot key: with a bound no endpoint has more than its part, without one it has all")
  func bound() {
    var random = SeededRandom(seed: 1)
    for bound in [0, 1.25, 2] {
      let balancer = Balancer(kind: .ring(loadBound: bound), seed: 1)
      balancer.update(endpoints(8))
      for begun in 1...400 {
        balancer.begin(balancer.pick(&random, hash: 77), at: at(milliseconds: 0))
        let largest = balancer.slotsInUse.map { balancer.outstanding(of: $0) }.max() ?? 0
        let limit = bound == 0 ? Double(begun) : (bound * Double(begun) / 8).rounded(.up)
        #expect(Double(largest) <= limit, "bound \(bound), \(begun) out")
        if bound == 0 { #expect(largest == begun) }
      }
    }
  }

  @Test("the number of points is bounded")
  func points() {
    #expect(Ring.pointsPerWeight(wanted: 128, members: 10, meanWeight: 1) == 128)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 10, meanWeight: 1.4) == 128)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 10, meanWeight: 1.5) == 64)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 10, meanWeight: 100) == 1)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 10, meanWeight: 0.01) == 16_384)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 1_000, meanWeight: 1) == 64)
    #expect(Ring.pointsPerWeight(wanted: 128, members: 65_535, meanWeight: 1) == 1)
    #expect(Ring.pointsPerWeight(wanted: -3, members: 1, meanWeight: 1) == 1)
  }

  @Test("look-up agrees with a search of all points", arguments: [1, 2, 3, 7, 40])
  func lookUp(count: Int) {
    var random = SeededRandom(seed: UInt64(count))
    var ring = Ring()
    ring.update(wanted: (0..<count).map { $0 % 3 + 1 }) { StableHash.of(address($0)) }
    let points = (0..<ring.points.count).map { ring.points[$0].hash }
    #expect(points == points.sorted() && Set(points).count == points.count)
    for probe in points + points.map({ $0 &+ 1 }) + points.map({ $0 &- 1 }) + [0, .max]
      + (0..<500).map({ _ in random.next() })
    {
      #expect(ring.owner(of: probe) == points.firstIndex { $0 >= probe } ?? 0)
    }
  }
}

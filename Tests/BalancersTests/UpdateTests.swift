import MeshBase
import Testing

@testable import Balancers

@Suite("The endpoint list") struct UpdateTests {
  @Test("no endpoint, no pick; and none left, none again", arguments: allKinds)
  func empty(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    #expect(balancer.pick(&random) == -1)
    balancer.update([])
    #expect(balancer.pick(&random) == -1)
    balancer.update(endpoints(2))
    #expect(balancer.pick(&random) >= 0)
    balancer.update([])
    #expect(balancer.pick(&random) == -1)
    #expect(balancer.freed().count == 2)
  }

  @Test("one endpoint is picked whatever its state", arguments: allKinds)
  func single(kind: BalancerKind) {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(1))
    balancer.setStatus(.closed, of: 0)
    for _ in 0..<10 {
      #expect(balancer.pick(&random, avoiding: SlotSet(0)) == 0)
      balancer.begin(0, at: at(milliseconds: 0))
    }
    #expect(balancer.failOpenTotal == 10 && balancer.outstanding(of: 0) == 10)
  }

  @Test("adding, removing and re-weighting others keeps slot, latency, outstanding and status", arguments: allKinds)
  func keepsState(kind: BalancerKind) {
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update(endpoints(4))
    let slot = balancer.slotOf(2)
    balancer.exchange(slot, at: at(milliseconds: 0), microseconds: 7_000)
    balancer.begin(slot, at: at(milliseconds: 8))
    balancer.setStatus(.busy, of: slot)
    let cost = balancer.cost(of: slot, at: at(milliseconds: 9))
    #expect(cost > 6_900_000)
    balancer.update([endpoint(9), endpoint(2, weight: 3), endpoint(5)])
    #expect(balancer.slotOf(2) == slot)
    #expect(balancer.cost(of: slot, at: at(milliseconds: 9)) == cost)
    #expect(balancer.outstanding(of: slot) == 1 && balancer.status(of: slot) == .busy && balancer.weight(of: slot) == 3)
    #expect(Set(balancer.freed()) == [address(0), address(1), address(3)])
    #expect(balancer.openCount == 2 && balancer.pickableCount == 3)
  }

  @Test("a removed endpoint drains: never picked, known until its last request ends, then reported once")
  func drains() {
    var random = SeededRandom(seed: 1)
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(3))
    let slot = balancer.slotOf(1)
    balancer.begin(slot, at: at(milliseconds: 0))
    balancer.begin(slot, at: at(milliseconds: 0))
    balancer.update([endpoint(0), endpoint(2), endpoint(3)])
    #expect(balancer.isDraining(slot) && !balancer.hasFreedSlots && balancer.freed() == [])
    #expect(balancer.slotOf(3) != slot)
    for _ in 0..<200 { #expect(balancer.pick(&random) != slot) }
    balancer.end(slot, startedAt: at(milliseconds: 0), at: at(milliseconds: 5), ok: true)
    #expect(balancer.address(of: slot) == address(1) && !balancer.hasFreedSlots)
    balancer.end(slot, startedAt: at(milliseconds: 0), at: at(milliseconds: 6), ok: false)
    #expect(balancer.hasFreedSlots && balancer.isDraining(slot))
    #expect(balancer.freed() == [address(1)])
    #expect(!balancer.hasFreedSlots && balancer.freed() == [] && balancer.slotOf(1) == -1)
    #expect(balancer.slotsInUse.count == 3)
  }

  @Test("an endpoint that comes back while draining, or before it was reported, gets its slot and latency back")
  func comesBack() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    let slot = balancer.slotOf(1)
    balancer.exchange(slot, at: at(milliseconds: 0), microseconds: 3_000)
    balancer.begin(slot, at: at(milliseconds: 3))
    let cost = balancer.cost(of: slot, at: at(milliseconds: 4))
    balancer.update(endpoints(1))
    balancer.update(endpoints(2))
    #expect(balancer.slotOf(1) == slot && !balancer.isDraining(slot) && balancer.outstanding(of: slot) == 1)
    #expect(balancer.cost(of: slot, at: at(milliseconds: 4)) == cost)
    balancer.abandon(slot, at: at(milliseconds: 4))
    balancer.update(endpoints(1))
    balancer.update(endpoints(2))
    #expect(balancer.freed() == [])
    #expect(balancer.slotOf(1) == slot && balancer.cost(of: slot, at: at(milliseconds: 4)) == cost)
  }

  @Test("a request begun just after its endpoint drained still ends, and the slot is reported after that, once")
  func beginWhileDraining() {
    let balancer = Balancer(kind: .p2cLeastLoaded, seed: 1)
    balancer.update(endpoints(2))
    let slot = balancer.slotOf(1)
    balancer.update(endpoints(1))
    balancer.begin(slot, at: at(milliseconds: 0))
    #expect(balancer.freed() == [])
    balancer.end(slot, startedAt: at(milliseconds: 0), at: at(milliseconds: 1), ok: true)
    #expect(balancer.freed() == [address(1)])
    #expect(balancer.freed() == [])
  }

  @Test("a freed slot number serves another address as if new")
  func reuse() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    let slot = balancer.slotOf(1)
    balancer.exchange(slot, at: at(milliseconds: 0), microseconds: 3_000)
    balancer.setStatus(.closed, of: slot)
    balancer.update(endpoints(1))
    #expect(balancer.freed() == [address(1)])
    balancer.update([endpoint(0), endpoint(7)])
    #expect(balancer.slotOf(7) == slot && balancer.slotLimit == 2)
    #expect(balancer.cost(of: slot, at: at(milliseconds: 4)) == 0 && balancer.status(of: slot) == .open)
  }

  @Test("entries with one address are one endpoint with the weights added; senseless weights count as 0")
  func duplicates() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update([
      endpoint(0), endpoint(1, weight: 2), endpoint(0, weight: 0.5), endpoint(2, weight: .nan), endpoint(3, weight: -1),
      endpoint(4, weight: .infinity), endpoint(2, weight: 0.25),
    ])
    #expect(balancer.weight(of: balancer.slotOf(0)) == 1.5 && balancer.weight(of: balancer.slotOf(1)) == 2)
    #expect(balancer.weight(of: balancer.slotOf(2)) == 0.25 && balancer.weight(of: balancer.slotOf(3)) == 0)
    #expect(balancer.weight(of: balancer.slotOf(4)) == 0)
    #expect(balancer.pickableCount == 3 && balancer.slotsInUse.count == 5)
    // Not added to what an earlier list said.
    balancer.update([endpoint(0), endpoint(0)])
    #expect(balancer.weight(of: balancer.slotOf(0)) == 2)
  }

  @Test("weight 0 gets nothing, and all weights 0 are nobody", arguments: allKinds)
  func weightZero(kind: BalancerKind) {
    var random = SeededRandom(seed: 4)
    let balancer = Balancer(kind: kind, seed: 1)
    balancer.update([endpoint(0, weight: 0), endpoint(1), endpoint(2)])
    let slot = balancer.slotOf(0)
    for hash in 0..<500 as Range<UInt64> { #expect(balancer.pick(&random, hash: hash) != slot) }
    balancer.update([endpoint(0, weight: 0), endpoint(1, weight: 0)])
    #expect(balancer.pick(&random) == -1)
    #expect(!balancer.isDraining(slot))
  }

  @Test("more endpoints than a balancer can hold: the rest is left out", .timeLimit(.minutes(1)))
  func bound() {
    var random = SeededRandom(seed: 4)
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(Balancer.slotsMax + 10))
    #expect(balancer.pickableCount == Balancer.slotsMax)
    #expect(balancer.pick(&random) >= 0)
  }

  @Test(
    "through any sequence of updates, begins and ends, a slot means one address and counts what is out",
    arguments: 0..<30 as Range<UInt64>)
  func laws(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let kind = allKinds[random.below(allKinds.count)]
    let balancer = Balancer(kind: kind, seed: seed)
    var listed: [SocketAddress: Double] = [:]
    var known: [Int: SocketAddress] = [:]
    var out: [(slot: Int, start: MonotonicInstant)] = []
    var now = at(milliseconds: 0)
    for step in 0..<1_500 {
      now = now.advanced(byNanoseconds: UInt64(random.below(2_000_000)))
      switch random.below(10) {
      case 0:
        let list = (0..<random.below(8)).map { _ in endpoint(random.below(12), weight: Double(random.below(3))) }
        balancer.update(list)
        listed = [:]
        for entry in list { listed[entry.address, default: 0] += entry.weight }
      case 1:
        balancer.takeFreedSlots { slot, address in
          #expect(known[slot] == nil || known[slot] == address, "seed \(seed) step \(step)")
          #expect(!out.contains { $0.slot == slot }, "seed \(seed) step \(step)")
          known[slot] = nil
        }
      case 2..<6:
        guard let slot = balancer.pick(at: now, using: &random, hash: random.next(), avoiding: SlotSet()) else {
          #expect(listed.values.allSatisfy { $0 == 0 }, "seed \(seed) step \(step)")
          break
        }
        #expect((listed[balancer.address(of: slot)] ?? 0) > 0, "seed \(seed) step \(step)")
        balancer.begin(slot, at: now)
        out.append((slot, now))
      case 6:
        if let slot = balancer.slotsInUse.randomElement(using: &random) {
          balancer.setStatus(EndpointStatus.allCases[random.below(3)], of: slot)
        }
      default:
        if out.isEmpty { break }
        let (slot, start) = out.remove(at: random.below(out.count))
        balancer.end(slot, startedAt: start, at: now, ok: random.below(3) > 0)
      }
      for slot in balancer.slotsInUse {
        let address = balancer.address(of: slot)
        #expect(known[slot, default: address] == address, "seed \(seed) step \(step)")
        known[slot] = address
        #expect(balancer.slot(of: address) == slot, "seed \(seed) step \(step)")
        #expect(balancer.outstanding(of: slot) == out.count { $0.slot == slot }, "seed \(seed) step \(step)")
        #expect(balancer.isDraining(slot) == (listed[address] == nil), "seed \(seed) step \(step)")
        #expect(balancer.isDraining(slot) || balancer.weight(of: slot) == listed[address], "seed \(seed) step \(step)")
        let cost = balancer.cost(of: slot, at: now)
        #expect(cost.isFinite && cost >= 0, "seed \(seed) step \(step)")
      }
      #expect(balancer.totalOutstanding == out.count, "seed \(seed) step \(step)")
      let pickable = balancer.slotsInUse.filter { !balancer.isDraining($0) && balancer.weight(of: $0) > 0 }
      #expect(balancer.pickableCount == pickable.count, "seed \(seed) step \(step)")
      #expect(balancer.openCount == pickable.count { balancer.status(of: $0) == .open }, "seed \(seed) step \(step)")
    }
  }
}

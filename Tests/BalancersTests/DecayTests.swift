import Foundation
import MeshBase
import Testing

@testable import Balancers

/// The formula as written, with the library's exponential.
private struct ExactEwma {
  var cost = 0.0
  var stamp: Double?

  mutating func observe(_ rtt: Double, at now: Double, tau: Double) {
    let w = stamp.map { min(exp(-max(now - $0, 0) / tau), 1 - 1.0 / 32) } ?? 0
    cost = rtt > cost ? rtt : cost * w + rtt * (1 - w)
    stamp = now
  }

  func cost(at now: Double, tau: Double) -> Double { cost * exp(-max(now - (stamp ?? now), 0) / tau) }
}

@Suite("Decay") struct DecayTests {
  @Test("e^x is right to 1e-13 over its whole range")
  func exponentials() {
    var random = SeededRandom(seed: 3)
    for _ in 0..<20_000 {
      let x = (random.unit() * 2 - 1) * pow(10, random.unit() * 12 - 9.16)
      #expect(abs(exponential(x) / exp(x) - 1) < 1e-13, "\(x)")
    }
    #expect(exponential(0) == 1 && exponential(-701) == 0 && exponential(-1e300) == 0)
    #expect(exponential(1e300).isFinite && exponential(1e300) > 1e300)
  }

  @Test("the growth that is advanced in small steps stays within 1e-9 of the formula")
  func growth() {
    var random = SeededRandom(seed: 4)
    let tau = 10e9
    var clock = DecayClock(tauNanoseconds: tau)
    var now = at(milliseconds: 0)
    _ = clock.advance(to: now)
    for _ in 0..<200_000 {
      now = now.advanced(byNanoseconds: UInt64(random.below(20_000)))
      _ = clock.advance(to: now)
    }
    let exact = exp(Double(now.nanoseconds(since: clock.epoch)) / tau)
    #expect(abs(clock.growth / exact - 1) < 1e-9)
  }

  @Test(
    "cost equals the formula, through short and long pauses and moves of the epoch", arguments: 0..<40 as Range<UInt64>)
  func formula(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let tauMilliseconds: UInt64 = [100, 1_000, 10_000][random.below(3)]
    let tau = Double(tauMilliseconds) * 1e6
    let balancer = Balancer(kind: .p2cEwma(decayMilliseconds: tauMilliseconds), seed: seed)
    balancer.update(endpoints(3))
    var exact = [ExactEwma](repeating: ExactEwma(), count: 3)
    var now: UInt64 = 7_000_000_000_000
    for step in 0..<2_000 {
      now += UInt64(random.unit() * pow(10, random.unit() * 8 + (random.below(100) == 0 ? 3.5 : 0)))
      let slot = random.below(3)
      let rtt = UInt64(pow(10, 3 + random.unit() * 6))
      let instant = MonotonicInstant(nanoseconds: now)
      balancer.begin(slot, at: instant)
      balancer.end(slot, startedAt: MonotonicInstant(nanoseconds: now - rtt), at: instant, ok: true)
      exact[slot].observe(Double(rtt), at: Double(now), tau: tau)
      let later = now + UInt64(random.below(Int(tauMilliseconds) * 1_000_000))
      for slot in 0..<3 {
        let cost = balancer.cost(of: slot, at: MonotonicInstant(nanoseconds: later))
        let expected = exact[slot].cost(at: Double(later), tau: tau)
        #expect(abs(cost - expected) <= 1e-8 * expected + 1e-280, "seed \(seed) step \(step): \(cost) for \(expected)")
      }
    }
  }

  @Test("a slow reply raises the cost in one step", arguments: [10, 100, 1_000] as [UInt64])
  func jumps(factor: UInt64) {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    for step in 0..<100 as Range<UInt64> { balancer.exchange(0, at: at(milliseconds: step), microseconds: 100) }
    balancer.exchange(0, at: at(milliseconds: 100), microseconds: 100 * factor)
    let end = at(milliseconds: 100).advanced(byNanoseconds: 100_000 * factor)
    #expect(abs(balancer.cost(of: 0, at: end) / Double(100_000 * factor) - 1) < 1e-9)
    // After τ, 1/e of it.
    #expect(abs(balancer.cost(of: 0, at: end.advanced(byMilliseconds: 10_000)) / Double(36_788 * factor) - 1) < 1e-4)
  }

  @Test("a peak of chance is forgotten after some dozens of requests, however short the time")
  func peakOfChance() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(2))
    balancer.exchange(0, at: at(milliseconds: 0), microseconds: 100)
    balancer.exchange(0, at: at(milliseconds: 1), microseconds: 20_000)
    for step in 0..<200 as Range<UInt64> { balancer.exchange(0, at: at(milliseconds: 22 + step), microseconds: 100) }
    #expect(balancer.cost(of: 0, at: at(milliseconds: 223)) < 150_000)
  }

  @Test("a slower observation never yields a lower cost")
  func monotone() {
    var last = 0.0
    for rtt in stride(from: 100, to: 30_000, by: 100) as StrideTo<UInt64> {
      let balancer = Balancer(kind: .p2cEwma(), seed: 1)
      balancer.update(endpoints(1))
      balancer.exchange(0, at: at(milliseconds: 0), microseconds: 20_000)
      let end = at(milliseconds: 7_000)
      let start = MonotonicInstant(nanoseconds: end.nanoseconds - rtt * 1_000)
      balancer.exchange(0, at: start, microseconds: rtt)
      let cost = balancer.cost(of: 0, at: end)
      #expect(cost >= last)
      last = cost
    }
  }

  @Test("a failure never makes an endpoint look better than it or its neighbours are")
  func failure() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(3))
    balancer.exchange(0, at: at(milliseconds: 0), microseconds: 4_000)
    balancer.exchange(1, at: at(milliseconds: 0), microseconds: 2_000)
    balancer.exchange(1, at: at(milliseconds: 4), microseconds: 1, ok: false)
    balancer.exchange(2, at: at(milliseconds: 4), microseconds: 1, ok: false)
    #expect(abs(balancer.cost(of: 1, at: at(milliseconds: 4)) / 4_000_000 - 1) < 0.01)
    #expect(balancer.cost(of: 2, at: at(milliseconds: 4)) > 3_900_000)
    // A slow failure counts in full.
    balancer.exchange(2, at: at(milliseconds: 5), microseconds: 90_000, ok: false)
    #expect(balancer.cost(of: 2, at: at(milliseconds: 95)) > 89_000_000)
  }

  @Test("a clock that runs backwards does no harm")
  func backwards() {
    let balancer = Balancer(kind: .p2cEwma(), seed: 1)
    balancer.update(endpoints(1))
    balancer.begin(0, at: at(milliseconds: 10))
    balancer.end(0, startedAt: at(milliseconds: 10), at: at(milliseconds: 5), ok: true)
    balancer.exchange(0, at: at(milliseconds: 1), microseconds: 500)
    #expect(balancer.cost(of: 0, at: at(milliseconds: 0)) == 500_000)
  }
}

import MeshBase
import Testing

@testable import Resilience

private func instant(_ milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
}

@Suite("Latency quantile") struct LatencyQuantileTests {
  @Test("says nothing before a hundred answers")
  func few() {
    var quantile = LatencyQuantile(share: 0.95)
    for _ in 0..<99 { quantile.record(nanoseconds: 1_000, at: instant(0)) }
    #expect(quantile.value == nil)
    quantile.record(nanoseconds: 1_000, at: instant(0))
    #expect(quantile.value != nil)
  }

  @Test("is at or above the exact quantile, and at most an eighth too high", arguments: 0..<50 as Range<UInt64>)
  func exact(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let share = 0.5 + 0.499 * random.unit()
    var quantile = LatencyQuantile(share: share)
    let shift = UInt64(random.below(40))
    let values = (0..<640).map { _ in random.next() >> (shift + UInt64(random.below(8))) | 8 }
    // The first look is at the hundredth, then at each 64th.
    var seen: [UInt64] = []
    for (index, value) in values.enumerated() {
      quantile.record(nanoseconds: value, at: instant(0))
      seen.append(value)
      guard index >= 99, (index - 99) % 64 == 0 else { continue }
      let exact = seen.sorted()[Int((share * Double(seen.count)).rounded(.up)) - 1]
      let found = quantile.value ?? 0
      #expect(found >= exact && Double(found) <= Double(exact) * 1.126 + 1, "seed \(seed): \(found) for \(exact)")
    }
  }

  @Test("what is older than two windows is forgotten")
  func windows() throws {
    var quantile = LatencyQuantile(share: 0.5, windowMilliseconds: 1_000)
    for _ in 0..<1_000 { quantile.record(nanoseconds: 1 << 30, at: instant(0)) }
    for time in 1...3 { for _ in 0..<200 { quantile.record(nanoseconds: 1_000, at: instant(UInt64(time) * 1_100)) } }
    #expect(try #require(quantile.value) < 1_200)
  }

  @Test("buckets cover all latencies in order, each at or below its upper bound")
  func buckets() {
    var random = SeededRandom(seed: 3)
    for _ in 0..<10_000 {
      let value = random.next() >> UInt64(random.below(64))
      let bucket = LatencyQuantile.bucket(of: value)
      #expect((0..<512).contains(bucket))
      #expect(LatencyQuantile.upperBound(of: bucket) >= value, "\(value)")
      #expect(LatencyQuantile.bucket(of: value &+ value / 7 &+ 1) >= bucket || value > .max / 2, "\(value)")
    }
  }
}

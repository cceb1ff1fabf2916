import Dispatch
import MeshBase
import Testing

@testable import Resilience

private let start = MonotonicInstant(nanoseconds: 77_000_000_000)
private func at(_ milliseconds: UInt64) -> MonotonicInstant { start.advanced(byMilliseconds: milliseconds) }

@Suite("Rate limit") struct RateLimitTests {
  @Test("a burst, then the rate; a refusal tells when there is a token")
  func burst() {
    let limit = RateLimit(requestsPerSecond: 10, burst: 3)
    let rate = SharedRate()
    for _ in 0..<3 { #expect(rate.take(limit, at: at(0)) == nil) }
    #expect(rate.take(limit, at: at(0)) == 100_000_000)
    #expect(rate.take(limit, at: at(99)) == 1_000_000)
    #expect(rate.take(limit, at: at(100)) == nil)
    #expect(rate.take(limit, at: at(100)) == 100_000_000)
    #expect(!rate.isFull(at: at(300)) && rate.isFull(at: at(400)))
    // After a pause the burst is there again, and no more than that.
    for _ in 0..<3 { #expect(rate.take(limit, at: at(100_000)) == nil) }
    #expect(rate.take(limit, at: at(100_000)) != nil)
  }

  @Test("equals a bucket that is filled with tokens", arguments: 0..<20 as Range<UInt64>)
  func bucket(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let interval = UInt64(1 + random.below(50)) * 1_000_000
    let burst = 1 + random.below(20)
    let limit = RateLimit(requestsPerSecond: 1e9 / Double(interval), burst: burst)
    let rate = SharedRate()
    // In nanoseconds' worth, so that it is exact.
    var tokens = UInt64(burst) * limit.interval
    var time: UInt64 = 0
    for step in 0..<5_000 {
      let pause = UInt64(random.below(Int(2 * interval)))
      time += pause
      tokens = min(tokens + pause, UInt64(burst) * limit.interval)
      let isAllowed = tokens >= limit.interval
      let wait = rate.take(limit, at: start.advanced(byNanoseconds: time))
      #expect((wait == nil) == isAllowed, "seed \(seed), step \(step)")
      if isAllowed { tokens -= limit.interval } else { #expect(wait == limit.interval - tokens, "seed \(seed)") }
    }
  }

  @Test("odd numbers make some limit, never a crash")
  func odd() {
    for (rate, burst) in [(0.0, 0), (-.infinity, -1), (.nan, .max), (1e300, .max), (1e-300, .max)] as [(Double, Int)] {
      let limit = RateLimit(requestsPerSecond: rate, burst: burst)
      let state = SharedRate()
      for step in 0..<10 { _ = state.take(limit, at: at(UInt64(step))) }
      let table = KeyedRates(values: min(burst, 1_000), start: start)
      for step in 0..<10 { _ = table.take(UInt64(step), limit, at: at(UInt64(step))) }
      #expect(limit.interval >= 1)
    }
  }

  @Test("holds for several threads together, to the token")
  func threads() {
    let limit = RateLimit(requestsPerSecond: 1_000, burst: 500)
    let rate = SharedRate()
    let table = KeyedRates(values: 100, start: start)
    let counts = UnsafeMutablePointer<Int>.allocate(capacity: 8)
    counts.initialize(repeating: 0, count: 8)
    defer { counts.deallocate() }
    let bits = Int(bitPattern: counts)
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      let counts = UnsafeMutablePointer<Int>(bitPattern: bits)!
      for step in 0..<20_000 {
        let now = start.advanced(byNanoseconds: UInt64(step) * 50_000)  // a second in all
        if rate.take(limit, at: now) == nil { counts[thread] += 1 }
        if table.take(0xabcd_0000_0000_0003, limit, at: now) == nil { counts[4 + thread] += 1 }
      }
    }
    let (one, keyed) = ((0..<4).reduce(0) { $0 + counts[$1] }, (4..<8).reduce(0) { $0 + counts[$1] })
    #expect((1_480...1_500).contains(one), "\(one)")
    #expect((1_480...1_505).contains(keyed), "\(keyed)")
  }

  @Test("each value has its own bucket, as long as there are places")
  func values() {
    let limit = RateLimit(requestsPerSecond: 1, burst: 2)
    let table = KeyedRates(values: 1_000, start: start)
    #expect(table.capacity == 1_024)
    var random = SeededRandom(seed: 5)
    let hashes = (0..<200).map { _ in random.next() }
    var allowed = 0
    for _ in 0..<5 { for hash in hashes where table.take(hash, limit, at: at(0)) == nil { allowed += 1 } }
    #expect((390...400).contains(allowed), "\(allowed)")
    // When their buckets are full again, their places are for others.
    let others = (0..<200).map { _ in random.next() }
    allowed = 0
    for _ in 0..<5 { for hash in others where table.take(hash, limit, at: at(2_100)) == nil { allowed += 1 } }
    #expect((390...400).contains(allowed), "\(allowed)")
  }

  @Test("more values than places gain nothing, and nobody is refused for long")
  func manyValues() {
    let limit = RateLimit(requestsPerSecond: 10, burst: 1)
    let table = KeyedRates(values: 16, start: start)
    var random = SeededRandom(seed: 6)
    var allowed = 0
    for step in 0..<100_000 where table.take(random.next(), limit, at: at(UInt64(step / 100))) == nil { allowed += 1 }
    // Each of the 16 places lets ten a second through, for one second.
    #expect((150...192).contains(allowed), "\(allowed)")
    #expect(table.take(random.next(), limit, at: at(2_000)) == nil)
  }
}

@Suite("Pressure gauge") struct PressureGaugeTests {
  @Test("begins above one mark and ends below another")
  func hysteresis() {
    var gauge = PressureGauge(limit: 1_000)
    var changes: [Bool] = []
    for used in [949, 950, 850, 2_000, 849, 900] as [UInt64] { changes.append(gauge.update(used)) }
    #expect(changes == [false, true, false, false, true, false])
    #expect(!gauge.isUnderPressure)
  }
}

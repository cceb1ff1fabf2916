import MeshBase
import Testing

@testable import Resilience

private let second: UInt64 = 1_000_000_000

private func wait(_ backoff: inout Backoff, _ random: inout SeededRandom) -> UInt64 { backoff.next(using: &random) }

@Suite("Backoff") struct BackoffTests {
  @Test("a constant one never changes")
  func constant() {
    var random = SeededRandom(seed: 1)
    var backoff = Backoff(.constant(milliseconds: 250))
    for _ in 0..<5 { #expect(wait(&backoff, &random) == 250_000_000) }
  }

  @Test(
    "the equal-jittered one starts at 5 s, doubles its fixed half, and ends at 300 s",
    arguments: 0..<50 as Range<UInt64>)
  func equalJittered(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var backoff = Backoff(.equalJittered())
    for _ in 0..<2 {
      #expect(wait(&backoff, &random) == 5 * second)
      for k in 1...6 {
        let half = (5 << UInt64(k - 1)) * second
        let time = wait(&backoff, &random)
        #expect(time >= half && time <= min(2 * half, 300 * second), "seed \(seed) k \(k)")
      }
      for _ in 0..<100 { #expect(wait(&backoff, &random) == 300 * second) }
      backoff.reset()
    }
  }

  @Test("the decorrelated one stays between the last wait and three times it", arguments: 0..<50 as Range<UInt64>)
  func decorrelated(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var backoff = Backoff(.decorrelatedJitter(minMilliseconds: 10, maxMilliseconds: 5_000))
    var last = wait(&backoff, &random)
    #expect(last == 10_000_000)
    for _ in 0..<100 {
      let time = wait(&backoff, &random)
      #expect(time >= last && time < max(3 * last, 5 * second + 1) && time <= 5 * second, "seed \(seed)")
      last = time
    }
    #expect(last == 5 * second)
  }

  @Test("waits differ between seeds")
  func jitter() {
    let waits = (0..<20 as Range<UInt64>).map { seed in
      var random = SeededRandom(seed: seed)
      var backoff = Backoff(.equalJittered())
      _ = wait(&backoff, &random)
      return wait(&backoff, &random)
    }
    #expect(Set(waits).count > 15)
  }

  @Test("absurd limits do not overflow")
  func limits() {
    var random = SeededRandom(seed: 3)
    var backoff = Backoff(.equalJittered(startMilliseconds: .max, maxMilliseconds: .max))
    for _ in 0..<10 { #expect(wait(&backoff, &random) == 2_592_000 * second) }
  }
}

import MeshBase
import Testing

@testable import Resilience

private func instant(_ milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
}

@Suite("Slow start") struct SlowStartTests {
  @Test("an endpoint has a tenth of its share at first, and grows to all of it over the window")
  func grows() {
    var slowStart = SlowStart(windowMilliseconds: 10_000)
    slowStart.begins(3, at: instant(0))
    for (time, share) in [(0, 0.1), (500, 0.1), (1_000, 0.1), (2_500, 0.25), (9_000, 0.9), (10_000, 1), (20_000, 1)] {
      #expect(abs(slowStart.share(of: 3, at: instant(UInt64(time))) - share) < 1e-9, "after \(time) ms")
    }
    #expect(slowStart.share(of: 2, at: instant(0)) == 1)
  }

  @Test("requests pass it over as often as its share is short of one", arguments: 0..<20 as Range<UInt64>)
  func passesOver(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var slowStart = SlowStart(windowMilliseconds: 10_000)
    slowStart.begins(0, at: instant(0))
    for (time, share) in [(0, 0.1), (4_000, 0.4), (8_000, 0.8)] {
      let taken = (0..<10_000).filter { _ in !slowStart.passesOver(0, at: instant(UInt64(time)), using: &random) }.count
      #expect(abs(Double(taken) / 10_000 - share) < 0.025, "seed \(seed): \(taken) after \(time) ms")
    }
    #expect(slowStart.isActive)
    #expect(!slowStart.passesOver(0, at: instant(10_000), using: &random))
    #expect(!slowStart.isActive)
  }

  @Test("whoever comes back begins anew, and whoever has gone is forgotten")
  func beginsAnew() {
    var slowStart = SlowStart(windowMilliseconds: 1_000)
    slowStart.begins(0, at: instant(0))
    slowStart.begins(1, at: instant(0))
    slowStart.begins(0, at: instant(900))
    #expect(slowStart.share(of: 0, at: instant(1_000)) == 0.1)
    slowStart.sweep(at: instant(1_000))
    #expect(slowStart.isActive)
    slowStart.forget(0)
    #expect(!slowStart.isActive)
  }

  @Test("without a window nothing is spared")
  func off() {
    var slowStart = SlowStart(windowMilliseconds: 0)
    slowStart.begins(0, at: instant(0))
    #expect(!slowStart.isActive)
  }
}

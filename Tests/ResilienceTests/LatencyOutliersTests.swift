import Foundation
import MeshBase
import Testing

@testable import Resilience

private let millisecond: UInt64 = 1_000_000

private func policy(factor: Double = 3, least: UInt64 = 5 * millisecond, requests: Int = 10) -> LatencyOutliers {
  LatencyOutliers(
    .init(factor: factor, least: least, window: 1_000 * millisecond, requests: requests, base: 100 * millisecond))
}

extension LatencyOutliers {
  /// What the window that ends at so many seconds comes to.
  fileprivate mutating func found(second: UInt64) -> [Int: UInt64] {
    var found: [Int: UInt64] = [:]
    judge(at: MonotonicInstant(nanoseconds: second * 1_000_000_000)) { found[$0] = $1 / millisecond }
    return found
  }

  fileprivate mutating func answer(_ slot: Int, times: Int = 20, milliseconds: UInt64) {
    for _ in 0..<times { record(slot, nanoseconds: milliseconds * millisecond) }
  }
}

@Suite("Latency outliers") struct LatencyOutliersTests {
  @Test("an endpoint that takes many times as long as the others is found, and only that")
  func found() {
    var outliers = policy()
    _ = outliers.found(second: 1)
    for slot in 0..<4 { outliers.answer(slot, milliseconds: 10 + UInt64(slot)) }
    outliers.answer(4, milliseconds: 60)
    #expect(outliers.found(second: 2) == [4: 100])
  }

  @Test("of two endpoints the slower one is found, of one none")
  func few() {
    var outliers = policy()
    _ = outliers.found(second: 1)
    outliers.answer(0, milliseconds: 500)
    #expect(outliers.found(second: 2) == [:])
    outliers.answer(0, milliseconds: 500)
    outliers.answer(1, milliseconds: 20)
    #expect(outliers.found(second: 3) == [0: 100])
  }

  @Test("a few very late answers, too few answers, and small latencies say nothing")
  func nothing() {
    var outliers = policy()
    _ = outliers.found(second: 1)
    for slot in 0..<4 { outliers.answer(slot, milliseconds: 10) }
    outliers.answer(0, times: 1, milliseconds: 30_000)
    outliers.answer(4, times: 9, milliseconds: 1_000)
    #expect(outliers.found(second: 2) == [:])
    for slot in 0..<4 { for _ in 0..<20 { outliers.record(slot, nanoseconds: 300_000) } }
    outliers.answer(4, milliseconds: 4)
    #expect(outliers.found(second: 3) == [:])
  }

  @Test("it is left out longer each time, and a good window makes up for a bad one")
  func longer() {
    var outliers = policy()
    _ = outliers.found(second: 1)
    var second: UInt64 = 1
    func window(_ outliers: inout LatencyOutliers, _ milliseconds: UInt64) -> UInt64? {
      second += 1
      outliers.answer(0, milliseconds: 10)
      outliers.answer(1, milliseconds: milliseconds)
      return outliers.found(second: second)[1]
    }
    #expect((1...12).map { _ in window(&outliers, 100) } == (1...12).map { min($0, 10) * 100 })
    for _ in 0..<8 { #expect(window(&outliers, 10) == nil) }
    #expect(window(&outliers, 100) == 300)
    outliers.forget(1)
    #expect(window(&outliers, 100) == 100)
  }

  @Test("before the window is over nothing is decided, and each begins with nothing")
  func windows() {
    var outliers = policy()
    _ = outliers.found(second: 10)
    outliers.answer(0, milliseconds: 10)
    outliers.answer(1, milliseconds: 900)
    var called = false
    outliers.judge(at: MonotonicInstant(nanoseconds: 10_900_000_000)) { _, _ in called = true }
    #expect(!called)
    #expect(outliers.found(second: 11) == [1: 100])
    #expect(outliers.found(second: 12) == [:])
  }

  @Test("the logarithm is near enough and never falls", arguments: 0..<20 as Range<UInt64>)
  func logarithm(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<1_000 {
      let value = random.next() >> UInt64(random.below(63))
      let exact = log2(Double(max(value, 1))) * 256
      let found = Double(LatencyOutliers.logarithm(value))
      #expect(found <= exact + 1e-6 && found > exact - 0.09 * 256 - 1, "seed \(seed): \(value)")
      #expect(
        LatencyOutliers.logarithm(value &- value >> 9) <= LatencyOutliers.logarithm(value), "seed \(seed): \(value)")
    }
    #expect(LatencyOutliers.logarithm(0) == 0)
    #expect(LatencyOutliers.logarithm(1 << 40) == 40 * 256)
  }
}

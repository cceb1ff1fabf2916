import MeshBase
import Testing

@testable import Telemetry

struct HistogramSnapshotTests {
  /// Values over the whole scale, small ones as likely as large ones.
  static func values(_ random: inout SeededRandom, _ count: Int) -> [UInt64] {
    (0..<count).map { _ in random.next() >> (32 + random.next() % 32) }
  }

  @Test("a quantile is at most an eighth off the value it stands for, and rises with its share")
  func quantiles() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      let values = Self.values(&random, 1 + Int(random.next() % 500)).sorted()
      let snapshot = HistogramSnapshot(of: values)
      var last: UInt64 = 0
      for step in 0...100 {
        let q = Double(step) / 100
        let got = snapshot.quantile(q)
        let rank = max(1, Int((q * Double(values.count)).rounded(.up)))
        let exact = values[rank - 1]
        let error = got > exact ? got - exact : exact - got
        #expect(error * 8 <= exact, "seed \(seed): \(got) for \(exact)")
        #expect(got >= last, "seed \(seed)")
        last = got
      }
      #expect(snapshot.min <= values[0] && values.last! <= snapshot.max, "seed \(seed)")
      #expect(snapshot.min <= snapshot.quantile(0) && snapshot.quantile(1) <= snapshot.max, "seed \(seed)")
      #expect(snapshot.sum == values.reduce(0, +) && snapshot.count == UInt64(values.count), "seed \(seed)")
    }
  }

  @Test("adding two snapshots is recording both, in either order; taking one away leaves the other")
  func mergeAndSubtract() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<500 {
      let a = Self.values(&random, Int(random.next() % 20))
      let b = Self.values(&random, Int(random.next() % 20))
      let both = HistogramSnapshot(of: a + b)
      #expect(HistogramSnapshot(of: a) + HistogramSnapshot(of: b) == both, "seed \(seed)")
      #expect(HistogramSnapshot(of: b) + HistogramSnapshot(of: a) == both, "seed \(seed)")
      #expect(both - HistogramSnapshot(of: a) == HistogramSnapshot(of: b), "seed \(seed)")
      #expect(both - both == HistogramSnapshot(), "seed \(seed)")
    }
  }

  @Test("an empty snapshot answers 0 to everything")
  func empty() {
    let empty = HistogramSnapshot()
    #expect(empty.isEmpty && empty.count == 0 && empty.min == 0 && empty.max == 0)
    #expect(empty.average == 0 && empty.quantile(0.5) == 0)
  }

  @Test("what Prometheus sees below a boundary is off by less than one bucket, and nothing is lost")
  func boundaries() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for boundaries in [BucketBoundaries.requests, .turns, .stages] {
      let values = Self.values(&random, 2_000)
      var buckets = [UInt64](repeating: 0, count: HistogramScale.bucketCount)
      for value in values { buckets[HistogramScale.bucket(of: value)] += 1 }
      var last: UInt64 = 0
      let total = boundaries.forEachCumulative(buckets) { boundary, below in
        let low = values.count { HistogramScale.bucket(of: $0) < boundary.bucket }
        let high = values.count { HistogramScale.bucket(of: $0) <= boundary.bucket }
        #expect(UInt64(low) <= below && below <= UInt64(high), "seed \(seed)")
        #expect(below >= last, "seed \(seed)")
        last = below
      }
      #expect(total == UInt64(values.count), "seed \(seed)")
    }
  }

  @Test("boundaries stand at the seconds their label names")
  func boundaryLabels() {
    for boundaries in [BucketBoundaries.requests, .turns, .stages] {
      for boundary in boundaries.boundaries {
        let text = String(decoding: boundary.label, as: UTF8.self).dropFirst(4).dropLast()
        var scaled = Double(text)!
        for _ in 0..<boundaries.decimals { scaled *= 10 }
        let value = HistogramScale.lowerBound(of: boundary.bucket) + boundary.part
        #expect(abs(scaled - Double(value)) < 1e-3 * scaled, "\(text)")
      }
    }
  }
}

import MeshBase
import Testing

@testable import Telemetry

struct HistogramScaleTests {
  @Test("every value lies in its bucket, and no bucket is wider than an eighth of its values")
  func errorBound() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<100_000 {
      let value = random.next() >> (32 + random.next() % 32)
      let bucket = HistogramScale.bucket(of: value)
      let low = HistogramScale.lowerBound(of: bucket)
      let high = HistogramScale.upperBound(of: bucket)
      #expect(low <= value && value <= high, "seed \(seed) value \(value)")
      #expect((high - low) * 8 <= low || high == low, "seed \(seed) value \(value)")
    }
  }

  @Test("buckets follow each other without gap or overlap, and the last one ends the scale")
  func contiguous() {
    for bucket in 0..<HistogramScale.bucketCount {
      #expect(HistogramScale.bucket(of: HistogramScale.lowerBound(of: bucket)) == bucket)
      #expect(HistogramScale.bucket(of: HistogramScale.upperBound(of: bucket)) == bucket)
    }
    #expect(HistogramScale.upperBound(of: HistogramScale.bucketCount - 1) == HistogramScale.valueMax)
    #expect(HistogramScale.bucket(of: .max) == HistogramScale.bucketCount - 1)
  }
}

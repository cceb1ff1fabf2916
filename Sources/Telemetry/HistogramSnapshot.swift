/// A histogram at one moment, or what was recorded between two; counts are those of `HistogramScale`'s buckets.
///
/// Only the stretch of buckets in use is kept: latencies of one service rarely span more than a few octaves.
/// Invariant: `counts` neither begins nor ends with 0.
public struct HistogramSnapshot: Equatable, Sendable {
  /// Bucket of `counts[0]`.
  private(set) var first = 0
  private(set) var counts: [UInt64] = []
  public private(set) var sum: UInt64 = 0
  public private(set) var count: UInt64 = 0

  public init() {}

  /// `buckets` holds one count for each bucket of the scale.
  init(buckets: [UInt64], sum: UInt64) {
    precondition(buckets.count == HistogramScale.bucketCount, "a histogram has one count for each bucket of the scale")
    guard let low = buckets.firstIndex(where: { $0 != 0 }), let high = buckets.lastIndex(where: { $0 != 0 }) else {
      return
    }
    first = low
    counts = Array(buckets[low...high])
    self.sum = sum
    count = counts.reduce(0, &+)
  }

  /// The distribution of `values`, for tests and tools.
  public init(of values: some Sequence<UInt64>) {
    var buckets = [UInt64](repeating: 0, count: HistogramScale.bucketCount)
    var sum: UInt64 = 0
    for value in values {
      buckets[HistogramScale.bucket(of: value)] += 1
      sum &+= Swift.min(value, HistogramScale.valueMax)
    }
    self.init(buckets: buckets, sum: sum)
  }

  public var isEmpty: Bool { counts.isEmpty }
  /// 0 when empty, as for the next four.
  public var average: Double { count == 0 ? 0 : Double(sum) / Double(count) }
  /// Lowest value of the lowest bucket in use.
  public var min: UInt64 { counts.isEmpty ? 0 : HistogramScale.lowerBound(of: first) }
  /// Highest value of the highest bucket in use.
  public var max: UInt64 { counts.isEmpty ? 0 : HistogramScale.upperBound(of: first + counts.count - 1) }

  /// The value that a share `q` (0…1) of the recorded values does not exceed, at most 1/16 off; rises with `q`.
  public func quantile(_ q: Double) -> UInt64 { quantiles([q])[0] }

  /// `wanted` ascending.
  public func quantiles(_ wanted: [Double]) -> [UInt64] {
    guard count > 0 else { return [UInt64](repeating: 0, count: wanted.count) }
    var answers: [UInt64] = []
    answers.reserveCapacity(wanted.count)
    var place = 0
    var seen = counts[0]
    for q in wanted {
      let exact = (q * Double(count)).rounded(.up)
      // At least the first value, at most the last; 2⁶⁴ is not a UInt64.
      let rank = exact < 1 ? 1 : exact >= Double(count) ? count : UInt64(exact)
      while seen < rank {
        place += 1
        seen &+= counts[place]
      }
      let low = HistogramScale.lowerBound(of: first + place)
      answers.append(low + (HistogramScale.upperBound(of: first + place) - low) / 2)
    }
    return answers
  }

  public func count(inBucket bucket: Int) -> UInt64 {
    counts.indices.contains(bucket - first) ? counts[bucket - first] : 0
  }

  /// Both together: several workers, or several windows.
  public static func + (a: Self, b: Self) -> Self { combine(a, b, by: &+) }

  /// What was recorded after `earlier`, an older reading of the same histogram.
  public static func - (later: Self, earlier: Self) -> Self { combine(later, earlier, by: &-) }

  private static func combine(_ a: Self, _ b: Self, by operation: (UInt64, UInt64) -> UInt64) -> Self {
    if b.isEmpty { return a }
    var buckets = [UInt64](repeating: 0, count: HistogramScale.bucketCount)
    for (i, n) in a.counts.enumerated() { buckets[a.first + i] = n }
    for (i, n) in b.counts.enumerated() { buckets[b.first + i] = operation(buckets[b.first + i], n) }
    return Self(buckets: buckets, sum: operation(a.sum, b.sum))
  }
}

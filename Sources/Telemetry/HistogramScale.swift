/// The arithmetic of a log-linear histogram: eight equal buckets per power of two.
///
/// A value of 1…2³²−1 lands in a bucket which is at most 1/8 as wide as its lowest value, whatever the magnitude;
/// values below 16 have a bucket each. Larger values count as 2³²−1. Unit: microseconds for requests and connects,
/// nanoseconds for stages.
///
/// Everything in it is a sum, so histograms of several workers are merged by adding them word by word, and what
/// happened between two readings is their difference.
public enum HistogramScale {
  @inlinable public static var bucketCount: Int { 240 }
  @inlinable public static var valueMax: UInt64 { 0xFFFF_FFFF }

  /// Always below `bucketCount`.
  @inlinable public static func bucket(of value: UInt64) -> Int {
    let v = Swift.min(value, valueMax)
    let shift = 60 &- (v | 8).leadingZeroBitCount
    return (shift &<< 3) &+ Int(truncatingIfNeeded: v &>> UInt64(truncatingIfNeeded: shift))
  }

  /// The smallest value that lands in `bucket`; for `bucketCount` itself, the first value beyond the scale.
  @inlinable public static func lowerBound(of bucket: Int) -> UInt64 {
    if bucket < 16 { return UInt64(bucket) }
    let shift = UInt64(bucket / 8 - 1)
    return UInt64(bucket % 8 + 8) << shift
  }

  /// The largest value that lands in `bucket`.
  @inlinable public static func upperBound(of bucket: Int) -> UInt64 { lowerBound(of: bucket + 1) - 1 }
}

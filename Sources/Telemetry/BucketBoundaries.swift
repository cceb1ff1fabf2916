/// The `le` boundaries under which a histogram is shown to Prometheus: few, fixed, the same for every series of a
/// family, so that series can be added up.
///
/// A boundary lies inside a bucket of the scale; that bucket's count is divided in proportion, so what is shown is off
/// by less than one bucket, never falls from one scrape to the next and never falls from one boundary to the next.
struct BucketBoundaries: Sendable {
  struct Boundary: Sendable {
    /// `le="0.005"`
    let label: [UInt8]
    let bucket: Int
    /// The part of `bucket` below the boundary, `part / width`.
    let part: UInt64
    let width: UInt64
  }

  let boundaries: [Boundary]
  /// How many of the scale's units make a second, as a power of ten.
  let decimals: Int

  init(decimals: Int, _ seconds: [StaticString], _ values: [UInt64]) {
    precondition(seconds.count == values.count, "each boundary has its text and its value")
    self.decimals = decimals
    boundaries = zip(seconds, values).map { text, value in
      let bucket = HistogramScale.bucket(of: value)
      let low = HistogramScale.lowerBound(of: bucket)
      return Boundary(
        label: Array("le=\"\(text)\"".utf8), bucket: bucket, part: value - low,
        width: HistogramScale.upperBound(of: bucket) + 1 - low)
    }
  }

  /// Calls `body` with each boundary and how many values do not exceed it. Returns how many there are in all.
  func forEachCumulative(_ buckets: [UInt64], _ body: (Boundary, UInt64) -> Void) -> UInt64 {
    var next = 0
    var below: UInt64 = 0
    for boundary in boundaries {
      while next < boundary.bucket {
        below &+= buckets[next]
        next += 1
      }
      let straddling = buckets[boundary.bucket]
      // Divided first, so that no product can overflow.
      let inside =
        straddling / boundary.width * boundary.part + straddling % boundary.width * boundary.part / boundary.width
      body(boundary, below &+ inside)
    }
    while next < buckets.count {
      below &+= buckets[next]
      next += 1
    }
    return below
  }

  /// Requests, connects and propagation; the scale's unit is the microsecond.
  static let requests = BucketBoundaries(
    decimals: 6,
    ["0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"],
    [
      500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
      10_000_000,
    ])

  /// Turns of an event loop; the scale's unit is the microsecond.
  static let turns = BucketBoundaries(
    decimals: 6,
    ["0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.1", "1"],
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000])

  /// Stages of a request; the scale's unit is the nanosecond.
  static let stages = BucketBoundaries(
    decimals: 9,
    [
      "0.0000001", "0.00000025", "0.0000005", "0.000001", "0.0000025", "0.000005", "0.00001", "0.0001", "0.001",
      "0.01", "0.1", "1",
    ],
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000])
}

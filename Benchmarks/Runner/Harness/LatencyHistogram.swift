import CMeshShims

/// Latencies, exact to the microsecond up to 0.1 s and to the millisecond up to 10 s; written by one thread, read by
/// others at any time.
final class LatencyHistogram: @unchecked Sendable {
  private static let microseconds = 100_000  // a bucket each; behind them, one for each millisecond
  private static let bucketCount = microseconds + 9_901
  private let words: UnsafeMutablePointer<UInt64>

  init() {
    words = .allocate(capacity: Self.bucketCount)
    words.initialize(repeating: 0, count: Self.bucketCount)
  }

  deinit { words.deallocate() }

  @inline(__always)
  func record(nanoseconds: UInt64) {
    let time = Int(clamping: nanoseconds / 1_000)
    let bucket = time < Self.microseconds ? time : Self.microseconds + (time - Self.microseconds) / 1_000
    mesh_word_add(words + min(bucket, Self.bucketCount - 1), 1)
  }

  private static func milliseconds(_ bucket: Int) -> Double {
    Double(min(bucket, microseconds)) / 1_000 + Double(max(bucket - microseconds, 0))
  }

  /// While nobody records.
  func reset() { words.update(repeating: 0, count: Self.bucketCount) }

  var count: UInt64 { (0..<Self.bucketCount).reduce(0) { $0 + mesh_word_load(words + $1) } }

  /// Milliseconds that a share (0 to 1) of the requests stayed below.
  func milliseconds(quantile: Double) -> Double {
    let wanted = UInt64((Double(count) * quantile).rounded(.up))
    var sum: UInt64 = 0
    for bucket in 0..<Self.bucketCount {
      sum += mesh_word_load(words + bucket)
      if sum >= wanted { return Self.milliseconds(bucket) }
    }
    return Self.milliseconds(Self.bucketCount)
  }
}

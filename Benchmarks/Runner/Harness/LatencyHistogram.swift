import CMeshShims

/// Latencies in microseconds, exact up to 0.1 s; written by one thread, read by others at any time.
final class LatencyHistogram: @unchecked Sendable {
  private static let bucketCount = 100_001
  private let words: UnsafeMutablePointer<UInt64>

  init() {
    words = .allocate(capacity: Self.bucketCount)
    words.initialize(repeating: 0, count: Self.bucketCount)
  }

  deinit { words.deallocate() }

  @inline(__always)
  func record(nanoseconds: UInt64) {
    mesh_word_add(words + Int(min(nanoseconds / 1_000, UInt64(Self.bucketCount - 1))), 1)
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
      if sum >= wanted { return Double(bucket) / 1_000 }
    }
    return Double(Self.bucketCount) / 1_000
  }
}

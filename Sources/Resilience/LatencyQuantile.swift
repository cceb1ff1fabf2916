import MeshBase

/// Which latency a given share of the answers of late stayed below; confined to one worker.
///
/// A histogram of eight buckets to each doubling, so the answer is at most 12.5 % too high. It is of the last one to two
/// windows: the older of two generations is forgotten when the younger one is full or old.
public struct LatencyQuantile: Sendable {
  /// Answers without which nothing is said.
  public static let answersMin = 100
  /// Answers of a generation at most.
  private static let generationMax = 20_000
  /// Answers between two looks at the histogram.
  private static let lookEvery = 64
  private static let bucketCount = 512

  /// From 0 to 1.
  public let share: Double
  private let window: UInt64
  private var young = [UInt32](repeating: 0, count: bucketCount)
  private var old = [UInt32](repeating: 0, count: bucketCount)
  private var youngCount = 0
  private var oldCount = 0
  private var youngSince: MonotonicInstant?
  private var untilLook = 0
  /// Nanoseconds; `nil` while too few answers are known.
  public private(set) var value: UInt64?

  public init(share: Double, windowMilliseconds: UInt64 = 15_000) {
    self.share = min(max(share, 0), 1)
    window = min(max(windowMilliseconds, 1), 86_400_000) * 1_000_000
  }

  public mutating func record(nanoseconds: UInt64, at now: MonotonicInstant) {
    if let since = youngSince, now.nanoseconds(since: since) >= window || youngCount >= Self.generationMax {
      swap(&young, &old)
      (oldCount, youngCount) = (youngCount, 0)
      for index in young.indices { young[index] = 0 }
      youngSince = now
    } else if youngSince == nil {
      youngSince = now
    }
    young[Self.bucket(of: nanoseconds)] += 1
    youngCount += 1
    untilLook -= 1
    if untilLook <= 0 {
      untilLook = Self.lookEvery
      look()
    }
  }

  private mutating func look() {
    let count = youngCount + oldCount
    guard count >= Self.answersMin else {
      untilLook = 1
      value = nil
      return
    }
    let wanted = (share * Double(count)).rounded(.up)
    var seen = 0.0
    for bucket in 0..<Self.bucketCount {
      seen += Double(young[bucket]) + Double(old[bucket])
      if seen >= wanted {
        value = Self.upperBound(of: bucket)
        return
      }
    }
  }

  /// The exponent, and three bits behind the leading one.
  static func bucket(of nanoseconds: UInt64) -> Int {
    let value = max(nanoseconds, 8)
    let exponent = 63 - value.leadingZeroBitCount
    return exponent * 8 + Int(value >> UInt64(exponent - 3) & 7)
  }

  static func upperBound(of bucket: Int) -> UInt64 {
    let (exponent, eighths) = (UInt64(bucket / 8), UInt64(bucket % 8))
    if exponent < 3 { return 8 }
    let (bound, overflow) = (9 + eighths).multipliedReportingOverflow(by: 1 << (exponent - 3))
    return overflow ? .max : bound
  }
}

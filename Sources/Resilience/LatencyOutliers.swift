import MeshBase

/// Finds the endpoints that answer well, but much later than the others; one per bound name and worker.
///
/// Time is cut into windows. At the end of one, each endpoint with enough answers in it is compared with the median of
/// the others that had enough. What is compared are the means of the latencies' logarithms, that is geometric means: a
/// few answers that took very long say little of an endpoint, whereas all taking five times as long says much. One that
/// is too late is left out, for a base time as often as it has been found so without a good window between, as in
/// Envoy's outlier detection.
public struct LatencyOutliers: Sendable {
  public struct Policy: Sendable, Equatable {
    /// Times the median of the others that an endpoint has to take.
    public var factor: Double
    /// Nanoseconds; what is faster than this is never too slow.
    public var least: UInt64
    /// Nanoseconds.
    public var window: UInt64
    /// Answers within a window without which nothing is said of an endpoint.
    public var requests: Int
    /// Nanoseconds that an endpoint is left out for the first time.
    public var base: UInt64

    public init(factor: Double, least: UInt64, window: UInt64, requests: Int, base: UInt64) {
      self.factor = max(factor, 1)
      self.least = least
      self.window = max(window, 1)
      self.requests = max(requests, 1)
      self.base = base
    }
  }

  private struct Tally {
    var count = 0
    /// Of the logarithms.
    var sum: UInt64 = 0
    /// Windows in which it was too late, less those in which it was not.
    var times = 0
  }

  /// Ejections in a row beyond which the time out grows no more.
  private static let timesMax = 10

  public let policy: Policy
  private var tallies: [Tally] = []
  private var windowEnds = MonotonicInstant(nanoseconds: 0)

  public init(_ policy: Policy) { self.policy = policy }

  /// The endpoint has answered.
  @inlinable
  public mutating func record(_ slot: Int, nanoseconds: UInt64) { add(slot, Self.logarithm(nanoseconds)) }

  @usableFromInline
  mutating func add(_ slot: Int, _ logarithm: UInt64) {
    if slot >= tallies.count { tallies += Array(repeating: Tally(), count: slot + 1 - tallies.count) }
    tallies[slot].count += 1
    tallies[slot].sum += logarithm
  }

  /// The slot may mean another endpoint from now on.
  public mutating func forget(_ slot: Int) {
    if slot < tallies.count { tallies[slot] = Tally() }
  }

  /// If a window is over, begins the next one and calls `body` for each endpoint that was too late in it.
  public mutating func judge(at now: MonotonicInstant, _ body: (_ slot: Int, _ nanoseconds: UInt64) -> Void) {
    guard now >= windowEnds else { return }
    defer { windowEnds = now.advanced(byNanoseconds: policy.window) }
    let known = tallies.indices.filter { tallies[$0].count >= policy.requests }
    let means = known.map { Double(tallies[$0].sum) / Double(tallies[$0].count) }
    let sorted = means.sorted()
    for (slot, mean) in zip(known, means) {
      if isLate(mean, sorted) {
        tallies[slot].times = min(tallies[slot].times + 1, Self.timesMax)
        body(slot, policy.base * UInt64(tallies[slot].times))
      } else {
        tallies[slot].times = max(tallies[slot].times - 1, 0)
      }
    }
    for slot in tallies.indices { (tallies[slot].count, tallies[slot].sum) = (0, 0) }
  }

  /// Against the median of the others; `sorted` has the mean as well.
  private func isLate(_ mean: Double, _ sorted: [Double]) -> Bool {
    guard sorted.count >= 2, mean >= Double(Self.logarithm(policy.least)) else { return false }
    // An endpoint that is late is one of the upper half, so without it the lower ones keep their places.
    let median = sorted[(sorted.count - 2) / 2]
    return mean - median > Double(Self.logarithmOne) * logarithm2(policy.factor)
  }

  /// What doubling adds.
  private static let logarithmOne: UInt64 = 256

  /// To base 2, times 256; between powers of two a straight line, which is at most 0.09 · 256 below it.
  @usableFromInline
  static func logarithm(_ value: UInt64) -> UInt64 {
    let value = max(value, 1)
    let exponent = 63 - value.leadingZeroBitCount
    let fraction = exponent >= 8 ? value >> UInt64(exponent - 8) : value << UInt64(8 - exponent)
    return UInt64(exponent) * 256 + (fraction & 255)
  }
}

private func logarithm2(_ value: Double) -> Double {
  // The same straight lines as for integers.
  Double(value.exponent) + value.significand - 1
}

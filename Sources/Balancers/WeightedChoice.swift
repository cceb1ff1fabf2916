import MeshBase

/// A weighted draw among few alternatives, such as the branches of a union; O(n), no allocation per draw.
public struct WeightedChoice: Sendable, Equatable {
  /// Running sums of the weights.
  private let sums: [Double]

  /// Weights are relative. One that is negative or not finite counts as 0; if none is above 0, all are taken as equal.
  public init(weights: [Double]) {
    precondition(!weights.isEmpty, "nothing to choose from")
    var clean = weights.map { $0.isFinite && $0 > 0 ? $0 : 0 }
    let largest = clean.max() ?? 0
    // Relative to the largest, so that the sum stays finite.
    clean = largest > 0 ? clean.map { $0 / largest } : clean.map { _ in 1 }
    var total = 0.0
    sums = clean.map { weight in
      total += weight
      return total
    }
  }

  public var count: Int { sums.count }

  public func pick(using random: inout SeededRandom) -> Int {
    if sums.count == 1 { return 0 }
    let point = random.unit() * sums[sums.count - 1]
    for index in 0..<sums.count where sums[index] > point { return index }
    // Rounding put the point on the total: the last alternative with a weight.
    var last = sums.count - 1
    while last > 0 && sums[last] == sums[last - 1] { last -= 1 }
    return last
  }
}

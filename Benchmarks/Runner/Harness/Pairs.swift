/// A figure with and without a disturbance, taken in turns on a machine that others use as well.
///
/// Both slices of a pair see the same machine; which comes first changes from pair to pair, and the median of the
/// ratios leaves out the pairs that something else disturbed.
struct Pairs {
  private(set) var without: [Double] = []
  private(set) var with: [Double] = []

  /// Of each pair, with against without.
  var ratios: [Double] { zip(with, without).map { $0 / $1 } }

  static func measure(count: Int, _ slice: (_ isDisturbed: Bool) throws -> Double) rethrows -> Pairs {
    var pairs = Pairs()
    for pair in 0..<count {
      for half in 0..<2 {
        if (pair + half) % 2 == 1 {
          pairs.with.append(try slice(true))
        } else {
          pairs.without.append(try slice(false))
        }
      }
    }
    return pairs
  }
}

extension [Double] {
  var median: Double {
    let sorted = sorted()
    if sorted.isEmpty { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

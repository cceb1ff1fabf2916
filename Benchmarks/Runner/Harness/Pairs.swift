/// A figure with and without a disturbance, taken in turns on a machine that others use as well.
///
/// Both slices of a pair see the same machine; which comes first changes from pair to pair, and the median of the
/// ratios leaves out the pairs that something else disturbed. A pair during which the machine's host gave its CPUs to others
/// says nothing and is taken again, up to twice as often as there are pairs.
struct Pairs {
  /// Share of the CPU time that may have been taken away.
  private static let stolenMax = 0.02

  private(set) var without: [Double] = []
  private(set) var with: [Double] = []
  /// Pairs that were taken again.
  private(set) var repeated = 0

  /// Of each pair, with against without.
  var ratios: [Double] { zip(with, without).map { $0 / $1 } }

  static func measure(count: Int, _ slice: (_ isDisturbed: Bool) throws -> Double) rethrows -> Pairs {
    var pairs = Pairs()
    while pairs.with.count < count {
      let stolen = StolenTime()
      let isFirst = pairs.with.count % 2 == 1
      let (first, second) = (try slice(isFirst), try slice(!isFirst))
      if stolen.share > stolenMax, pairs.repeated < 2 * count {
        pairs.repeated += 1
        continue
      }
      pairs.with.append(isFirst ? first : second)
      pairs.without.append(isFirst ? second : first)
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

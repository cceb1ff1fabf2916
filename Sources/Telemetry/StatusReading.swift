/// How the status words make up the reports: classes are sums of their codes.
extension StatusWords {
  /// Class 1…5 of each word, 0 for `none`.
  static let classes: [Int] = exact.map { $0 / 100 } + [1, 2, 3, 4, 5, 0]

  /// Prometheus label values of classes 0…5.
  static let classNames: [StaticString] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]
}

extension Scope {
  /// Counts of classes 0 (none) to 5 in the status words that begin at `base`.
  func statusClasses(_ base: Int) -> [UInt64] {
    var totals: [UInt64] = [0, 0, 0, 0, 0, 0]
    for (word, place) in StatusWords.classes.enumerated() { totals[place] &+= sum(base + word) }
    return totals
  }
}

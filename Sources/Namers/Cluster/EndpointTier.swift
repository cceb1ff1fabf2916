/// How good an endpoint of a cluster is, in the words of its metadata.
enum EndpointTier: String, Comparable, Sendable {
  /// Gets its share.
  case live
  /// Gets requests only where there is no live one: it may be alive behind a partition, or did well before it failed its
  /// checks.
  case lastResort = "last-resort"
  /// Ends what it has begun.
  case draining

  /// Of an endpoint among others; `hasLive`: one of them is.
  func weight(hasLive: Bool) -> Double {
    switch self {
    case .live: 1
    case .lastResort: hasLive ? 0 : 1
    case .draining: 0
    }
  }

  private var rank: Int {
    switch self {
    case .live: 0
    case .lastResort: 1
    case .draining: 2
    }
  }

  static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

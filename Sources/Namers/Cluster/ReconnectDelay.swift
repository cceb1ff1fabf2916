import MeshBase

/// How long to wait before a source is asked again: doubles with every failure, and is drawn at random each time, the
/// first included, so that five hundred routers which lose one server do not come back to it together.
public struct ReconnectDelay: Sendable {
  public let firstMilliseconds: UInt64
  public let longestMilliseconds: UInt64
  /// A connection that lasted so long was good: the next failure is a first one again.
  public let goodMilliseconds: UInt64
  public private(set) var failuresInARow = 0

  public init(
    firstMilliseconds: UInt64 = 1_000, longestMilliseconds: UInt64 = 30_000, goodMilliseconds: UInt64 = 30_000
  ) {
    self.firstMilliseconds = firstMilliseconds
    self.longestMilliseconds = longestMilliseconds
    self.goodMilliseconds = goodMilliseconds
  }

  /// Milliseconds to wait now: between a tenth and the whole of the present bound.
  public mutating func next(using random: inout SeededRandom) -> UInt64 {
    let bound = min(longestMilliseconds, firstMilliseconds << UInt64(min(failuresInARow, 20)))
    failuresInARow += 1
    let least = bound / 10
    return least + UInt64(Double(bound - least) * random.unit())
  }

  /// What was connected has ended after so long.
  public mutating func ended(afterMilliseconds milliseconds: UInt64) {
    if milliseconds >= goodMilliseconds { failuresInARow = 0 }
  }

  public mutating func reset() { failuresInARow = 0 }
}

/// A point on the monotonic clock of this host, in nanoseconds; only differences mean anything.
///
/// Pure code is handed its instant; `Net` alone reads the clock, once per loop turn.
@frozen
public struct MonotonicInstant: Comparable, Hashable, Sendable {
  public var nanoseconds: UInt64

  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Nanoseconds from `earlier` to this instant; 0 if `earlier` is in fact later.
  @inlinable public func nanoseconds(since earlier: Self) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
  }

  /// Saturates at the end of time instead of trapping.
  @inlinable public func advanced(byNanoseconds delta: UInt64) -> Self {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(delta)
    return Self(nanoseconds: overflow ? .max : sum)
  }

  @inlinable public func advanced(byMilliseconds delta: UInt64) -> Self {
    let (product, overflow) = delta.multipliedReportingOverflow(by: 1_000_000)
    return advanced(byNanoseconds: overflow ? .max : product)
  }
}

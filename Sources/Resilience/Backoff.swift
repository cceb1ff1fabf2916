import MeshBase

/// How long to wait before trying again; a plain value that is handed its luck.
public struct Backoff: Sendable, Equatable {
  public enum Policy: Sendable, Equatable {
    case constant(milliseconds: UInt64)
    /// Waits s first, then s · 2^(k−1) plus as much again at random, never more than the maximum.
    case equalJittered(startMilliseconds: UInt64 = 5_000, maxMilliseconds: UInt64 = 300_000)
    /// Waits the minimum first, then anything from the last wait up to three times it, never more than the maximum.
    case decorrelatedJitter(minMilliseconds: UInt64, maxMilliseconds: UInt64)
  }

  public let policy: Policy
  /// Waits given since the last reset.
  public private(set) var attempts = 0
  /// Nanoseconds: the fixed half of the next wait, or the last wait.
  private var base: UInt64 = 0

  public init(_ policy: Policy) { self.policy = policy }

  /// Nanoseconds to wait now.
  public mutating func next(using random: inout SeededRandom) -> UInt64 {
    defer { attempts += 1 }
    switch policy {
    case .constant(let milliseconds): return Self.nanoseconds(milliseconds)
    case .equalJittered(let start, let longest):
      let longest = Self.nanoseconds(longest)
      if attempts == 0 {
        base = min(Self.nanoseconds(start), longest)
        return base
      }
      // Once half the maximum is fixed, the sum may reach it; from the maximum on nothing is left to chance.
      let wait = min(base + Self.below(base, &random), longest)
      base = min(base * 2, longest)
      return wait
    case .decorrelatedJitter(let shortest, let longest):
      let longest = Self.nanoseconds(longest)
      base = attempts == 0 ? Self.nanoseconds(shortest) : base + Self.below(2 * base, &random)
      base = min(base, longest)
      return base
    }
  }

  /// Starts over, after a success.
  public mutating func reset() {
    attempts = 0
    base = 0
  }

  /// Waits are bounded by 30 days, so that twice one of them fits.
  private static func nanoseconds(_ milliseconds: UInt64) -> UInt64 { min(milliseconds, 2_592_000_000) * 1_000_000 }

  private static func below(_ bound: UInt64, _ random: inout SeededRandom) -> UInt64 {
    random.next().multipliedFullWidth(by: bound).high
  }
}

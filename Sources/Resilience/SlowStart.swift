import MeshBase

/// Spares endpoints that have just come, or come back, while their caches are cold; one per bound name and worker.
///
/// The share that such an endpoint takes of the requests that would be its own grows linearly from a tenth to all of
/// them over the window, as in Envoy's slow start with aggression 1 and a least share of 10 %.
public struct SlowStart: Sendable {
  /// Of an endpoint's usual share, at its first moment.
  static let leastShare = 0.1

  private let window: UInt64
  private var warming: [(slot: Int, since: MonotonicInstant)] = []

  /// - Parameter windowMilliseconds: until an endpoint has its whole share.
  public init(windowMilliseconds: UInt64) { window = min(windowMilliseconds, 86_400_000) * 1_000_000 }

  /// Some endpoint has less than its share.
  @inlinable public var isActive: Bool { warmingCount > 0 }

  @usableFromInline var warmingCount: Int { warming.count }

  /// The endpoint takes requests from now on; its window begins anew.
  public mutating func begins(_ slot: Int, at now: MonotonicInstant) {
    guard window > 0 else { return }
    forget(slot)
    warming.append((slot, now))
  }

  /// The slot means no endpoint any more, or one that is left out.
  public mutating func forget(_ slot: Int) { warming.removeAll { $0.slot == slot } }

  /// Share of its usual requests that the endpoint takes now, from 0.1 to 1.
  public func share(of slot: Int, at now: MonotonicInstant) -> Double {
    guard let entry = warming.first(where: { $0.slot == slot }) else { return 1 }
    return min(max(Double(now.nanoseconds(since: entry.since)) / Double(window), Self.leastShare), 1)
  }

  /// Whether a request that would be the endpoint's is to go to another one, if there is one.
  public mutating func passesOver(_ slot: Int, at now: MonotonicInstant, using random: inout SeededRandom) -> Bool {
    let share = share(of: slot, at: now)
    guard share < 1 else {
      forget(slot)
      return false
    }
    return random.unit() >= share
  }

  /// Forgets the endpoints whose window is over.
  public mutating func sweep(at now: MonotonicInstant) {
    warming.removeAll { now.nanoseconds(since: $0.since) >= window }
  }
}

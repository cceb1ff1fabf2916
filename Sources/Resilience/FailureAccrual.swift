import MeshBase

/// When an endpoint is left out because its requests fail, and when it is asked again: one per endpoint and worker.
///
/// As in Finagle: an endpoint is alive until the policy trips, then dead for a while; then it gets one request, its
/// probe. When the probe succeeds it is alive and all is forgotten, else it is dead again, for longer. What requests
/// that were out before come to, does not count while it is dead.
public struct FailureAccrual: Sendable {
  public enum Policy: Sendable, Equatable {
    case none
    /// So many failures without a success between them.
    case consecutiveFailures(Int)
    /// The moving average over the last `requests` or so is below the rate, and there were as many.
    case successRate(Double, requests: Int)
    /// The moving average over a time is below the rate; it is that long since the first request, and there were five.
    case successRateWindowed(Double, nanoseconds: UInt64)
  }

  public enum State: Sendable, Equatable {
    case alive
    case dead(until: MonotonicInstant)
    /// One request may be sent; with `isOut` it has been.
    case probing(isOut: Bool)
  }

  /// What a result comes to.
  public enum Verdict: Sendable, Equatable {
    case ejected(until: MonotonicInstant)
    case revived
  }

  /// Requests within the window before its rate counts.
  private static let windowRequestsMin = 5

  public let policy: Policy
  public private(set) var state = State.alive
  private var backoff: Backoff
  /// Of `consecutiveFailures`.
  private var failures = 0
  /// Requests seen, as far as a policy counts them.
  private var seen = 0
  /// Moving average of success, 1 at first.
  private var rate = 1.0
  /// Of `successRateWindowed`: successes and requests, each counting less the longer ago it was. Requests that end in
  /// the same turn of an event loop have the same time, and all of them count.
  private var successes = 0.0
  private var requests = 0.0
  private var firstSeen = MonotonicInstant(nanoseconds: 0)
  private var lastSeen = MonotonicInstant(nanoseconds: 0)

  /// - Parameter backoff: how long an endpoint stays dead, the first time and each time its probe fails.
  public init(_ policy: Policy, backoff: Backoff.Policy = .equalJittered()) {
    self.policy = policy
    self.backoff = Backoff(backoff)
  }

  /// A request is over. `ok`: it was answered, and not with a failure of the server.
  @inlinable
  public mutating func record(ok: Bool, at now: MonotonicInstant, using random: inout SeededRandom) -> Verdict? {
    if ok && isUntroubled { return nil }
    return judge(ok: ok, at: now, using: &random)
  }

  /// Whether a success before any failure leaves nothing to remember.
  public var forgetsSuccesses: Bool {
    switch policy {
    case .none, .consecutiveFailures: true
    case .successRate, .successRateWindowed: false
    }
  }

  /// Whether a success changes nothing: the usual case.
  @usableFromInline var isUntroubled: Bool {
    switch policy {
    case .none: true
    case .consecutiveFailures: failures == 0 && state == .alive
    case .successRate, .successRateWindowed: false
    }
  }

  @usableFromInline
  mutating func judge(ok: Bool, at now: MonotonicInstant, using random: inout SeededRandom) -> Verdict? {
    switch state {
    case .alive: return trips(ok: ok, at: now) ? eject(at: now, using: &random) : nil
    case .dead: return nil
    case .probing(isOut: false): return nil  // of a request from before
    case .probing(isOut: true):
      if !ok { return eject(at: now, using: &random) }
      revive()
      return .revived
    }
  }

  private mutating func eject(at now: MonotonicInstant, using random: inout SeededRandom) -> Verdict {
    let until = now.advanced(byNanoseconds: backoff.next(using: &random))
    state = .dead(until: until)
    return .ejected(until: until)
  }

  /// Another worker has found the endpoint dead. What it finds when its time is over, each worker finds by itself.
  public mutating func ejectedElsewhere(until: MonotonicInstant) {
    if state == .alive { state = .dead(until: until) }
  }

  /// The endpoint is known to be well again; everything held against it is forgotten.
  public mutating func revive() {
    state = .alive
    backoff.reset()
    failures = 0
    seen = 0
    rate = 1
    successes = 0
    requests = 0
  }

  /// The time of a dead endpoint is over: whether it is to be asked again.
  public mutating func beginProbing(at now: MonotonicInstant) -> Bool {
    guard case .dead(let until) = state, until <= now else { return false }
    state = .probing(isOut: false)
    return true
  }

  /// A request is sent to the endpoint: whether that is the probe.
  @inlinable
  public mutating func requestBegins() -> Bool {
    if state != .probing(isOut: false) { return false }
    probeBegins()
    return true
  }

  @usableFromInline mutating func probeBegins() { state = .probing(isOut: true) }

  /// The probe ended without telling anything, because its caller went away: there will be another. Whether so.
  public mutating func probeWasAbandoned() -> Bool {
    guard state == .probing(isOut: true) else { return false }
    state = .probing(isOut: false)
    return true
  }

  private mutating func trips(ok: Bool, at now: MonotonicInstant) -> Bool {
    switch policy {
    case .none: return false
    case .consecutiveFailures(let limit):
      failures = ok ? 0 : failures + 1
      return failures >= limit
    case .successRate(let wanted, let count):
      seen = min(seen + 1, count)
      let weight = exponential(-1 / Double(count))
      rate = rate * weight + (ok ? 1 - weight : 0)
      return !ok && seen >= count && rate < wanted
    case .successRateWindowed(let wanted, let window):
      if seen == 0 { (firstSeen, lastSeen) = (now, now) }
      seen = min(seen + 1, Self.windowRequestsMin)
      let weight = exponential(-Double(now.nanoseconds(since: lastSeen)) / Double(window))
      successes = successes * weight + (ok ? 1 : 0)
      requests = requests * weight + 1
      lastSeen = now
      return !ok && seen >= Self.windowRequestsMin && now.nanoseconds(since: firstSeen) >= window
        && successes < wanted * requests
    }
  }
}

import Config
import MeshBase
import Resilience

/// What one worker knows of the failures of a client's endpoints, by the balancer's slots.
struct EndpointHealth {
  /// After a refused connection an endpoint is chosen only if no other is up, for so long.
  static let restAfterRefusalMilliseconds: UInt64 = 1_000
  /// After an endpoint has asked for time, however much that was.
  static let restAskedMaxSeconds: UInt64 = 10

  private let fresh: FailureAccrual
  private let isOff: Bool
  /// Grows with the highest slot that was used.
  private var accruals: [FailureAccrual] = []
  /// Endpoints that are passed over, and until when.
  private var out: [(slot: Int, until: MonotonicInstant)] = []
  /// Endpoints whose probe is due or out.
  private(set) var probingCount = 0

  init(_ configuration: Configuration.FailureAccrual) {
    let policy = FailureAccrual.Policy(configuration)
    isOff = policy == .none
    fresh = FailureAccrual(policy, backoff: configuration.probeBackoff)
  }

  /// Some endpoint is passed over or being probed.
  @inline(__always) var isTroubled: Bool { !out.isEmpty || probingCount > 0 }

  @inline(__always)
  mutating func record(
    ok: Bool, at slot: Int, now: MonotonicInstant, using random: inout SeededRandom
  ) -> FailureAccrual.Verdict? {
    if isOff { return nil }
    // Most endpoints never fail, so there is nothing to keep of them.
    if slot >= accruals.count {
      if ok && fresh.forgetsSuccesses { return nil }
      accruals += Array(repeating: fresh, count: slot + 1 - accruals.count)
    }
    let verdict = accruals[slot].record(ok: ok, at: now, using: &random)
    // From alive it was not among those that are probed.
    if verdict != nil { countProbes() }
    return verdict
  }

  private mutating func countProbes() {
    probingCount = accruals.reduce(0) {
      if case .probing = $1.state { $0 + 1 } else { $0 }
    }
  }

  mutating func leaveOut(_ slot: Int, until: MonotonicInstant) {
    out.removeAll { $0.slot == slot }
    out.append((slot, until))
  }

  /// Whether this worker took it for alive.
  mutating func ejectedElsewhere(_ slot: Int, until: MonotonicInstant) -> Bool {
    if isOff { return false }
    if slot >= accruals.count { accruals += Array(repeating: fresh, count: slot + 1 - accruals.count) }
    guard accruals[slot].state == .alive else { return false }
    accruals[slot].ejectedElsewhere(until: until)
    return true
  }

  /// Calls `body` for each endpoint whose time is over; `isProbe`: one request is to tell whether it is well.
  mutating func takeDue(at now: MonotonicInstant, _ body: (_ slot: Int, _ isProbe: Bool) -> Void) {
    guard out.contains(where: { $0.until <= now }) else { return }
    for (slot, until) in out where until <= now {
      let isProbe = slot < accruals.count && accruals[slot].beginProbing(at: now)
      body(slot, isProbe)
    }
    out.removeAll { $0.until <= now }
    countProbes()
  }

  /// A request goes to the endpoint: whether it is the probe.
  mutating func requestBegins(at slot: Int) -> Bool { slot < accruals.count && accruals[slot].requestBegins() }

  mutating func probeWasAbandoned(at slot: Int) -> Bool {
    slot < accruals.count && accruals[slot].probeWasAbandoned()
  }

  /// The slot may mean another endpoint from now on.
  mutating func forget(_ slot: Int) {
    out.removeAll { $0.slot == slot }
    if slot < accruals.count {
      accruals[slot] = fresh
      countProbes()
    }
  }

  /// Why the endpoint is passed over and when it is asked again, for people; nil if it is not.
  func explanation(of slot: Int, at now: MonotonicInstant, isEjected: Bool) -> String? {
    guard slot < accruals.count else { return rest(of: slot, at: now, isEjected) }
    switch accruals[slot].state {
    case .alive: return rest(of: slot, at: now, isEjected)
    case .dead(let until): return "ejected: \(fresh.policy.explanation); probe in \(Self.seconds(until, now))"
    case .probing(isOut: false): return "ejected; the next request is its probe"
    case .probing(isOut: true): return "ejected; its probe is out"
    }
  }

  private func rest(of slot: Int, at now: MonotonicInstant, _ isEjected: Bool) -> String? {
    out.first { $0.slot == slot }.map { item in
      isEjected
        ? "ejected: much slower than the others; back in \(Self.seconds(item.until, now))"
        : "refused a connection, or asked for time; passed over for \(Self.seconds(item.until, now))"
    }
  }

  private static func seconds(_ until: MonotonicInstant, _ now: MonotonicInstant) -> String {
    let milliseconds = until <= now ? 0 : until.nanoseconds(since: now) / 1_000_000
    return "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
  }
}

extension FailureAccrual.Policy {
  init(_ configuration: Configuration.FailureAccrual) {
    switch configuration {
    case .none: self = .none
    case .consecutiveFailures(let failures, _): self = .consecutiveFailures(failures)
    case .successRate(let rate, let requests, _): self = .successRate(rate, requests: requests)
    case .successRateWindowed(let rate, let seconds, _):
      self = .successRateWindowed(rate, nanoseconds: UInt64(seconds) * 1_000_000_000)
    }
  }

  fileprivate var explanation: String {
    switch self {
    case .none: "never"
    case .consecutiveFailures(let count): "\(count) failures in a row"
    case .successRate(let rate, let requests): "success rate below \(rate) over \(requests) requests"
    case .successRateWindowed(let rate, let window):
      "success rate below \(rate) over \(window / 1_000_000_000) s"
    }
  }
}

extension Configuration.FailureAccrual {
  /// How long an endpoint is left out, the first time and each time its probe fails.
  fileprivate var probeBackoff: Backoff.Policy {
    switch self {
    case .none: .equalJittered()
    case .consecutiveFailures(_, let backoff), .successRate(_, _, let backoff), .successRateWindowed(_, _, let backoff):
      switch backoff {
      case .constant(let milliseconds): .constant(milliseconds: UInt64(milliseconds))
      case .jittered(let least, let most):
        .equalJittered(startMilliseconds: UInt64(least), maxMilliseconds: UInt64(most))
      }
    }
  }
}

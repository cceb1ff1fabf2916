import Config
import HTTP
import MeshBase
import Net
import Resilience

/// One of a list of `rateLimits`, with the state that all workers share. Sendable: made by the control thread.
struct PlannedRate: Sendable {
  enum State: Sendable {
    case one(SharedRate)
    /// Each value of the header has the rate for itself; `seed` is of the hash, and nobody outside knows it.
    case perValue(KeyedRates, header: String, seed: UInt64)
  }

  var limit: RateLimit
  var state: State
}

/// Keeps the states of a list of `rateLimits` over reloads: at the same place of the list stands the same limit.
struct RateStates {
  private var states: [(configuration: Configuration.RateLimit, state: PlannedRate.State)] = []

  mutating func planned(_ wanted: [Configuration.RateLimit]) -> [PlannedRate] {
    states = wanted.enumerated().map { index, rate in
      if index < states.count, states[index].configuration.perHeader == rate.perHeader,
        states[index].configuration.headerValuesMax == rate.headerValuesMax
      {
        return (rate, states[index].state)
      }
      guard let header = rate.perHeader else { return (rate, .one(SharedRate())) }
      var random = SystemRandomNumberGenerator()
      let table = KeyedRates(values: rate.headerValuesMax, start: Clock.now)
      return (rate, .perValue(table, header: header, seed: random.next()))
    }
    return states.map { PlannedRate(limit: RateLimit($0.configuration), state: $0.state) }
  }
}

/// The states of the limits of logical names, shared by all workers and kept over reloads. Names come and go with the
/// workers' bind caches.
final class NameRates: Sendable {
  private struct Name {
    var states: [SharedRate]
    var users: Int
  }
  private struct Names {
    var byPath: [[UInt8]: Name] = [:]
    /// Names without users go when there are so many names.
    var sweepAt = 64
  }
  private let names = Locked(Names())

  /// The states of so many limits of the name. Each call is followed by one `leave`.
  func enter(_ path: [UInt8], count: Int, at now: MonotonicInstant) -> [SharedRate] {
    names.withLock { names in
      var name = names.byPath[path] ?? Name(states: [], users: 0)
      name.users += 1
      while name.states.count < count { name.states.append(SharedRate()) }
      names.byPath[path] = name
      if names.byPath.count >= names.sweepAt {
        // One that is used up is remembered: a caller must not get it filled by making the name fall out of the caches.
        names.byPath = names.byPath.filter { $1.users > 0 || !$1.states.allSatisfy { $0.isFull(at: now) } }
        names.sweepAt = max(64, 2 * names.byPath.count)
      }
      return Array(name.states[..<count])
    }
  }

  func leave(_ path: [UInt8]) { names.withLock { $0.byPath[path]?.users -= 1 } }
}

/// The limits of one logical name, as a worker's entry has them.
struct EntryRates {
  private let limits: [(limit: RateLimit, state: SharedRate)]

  /// `nil`: there are none.
  init?(_ limits: [Configuration.RateLimit], _ path: [UInt8], _ names: NameRates?, at now: MonotonicInstant) {
    guard !limits.isEmpty, let names else { return nil }
    let states = names.enter(path, count: limits.count, at: now)
    self.limits = zip(limits, states).map { (RateLimit($0), $1) }
  }

  /// Takes a token of each; else how many nanoseconds later there is one.
  func take(at now: MonotonicInstant) -> UInt64? {
    for (limit, state) in limits { if let wait = state.take(limit, at: now) { return wait } }
    return nil
  }
}

extension RateLimit {
  init(_ configuration: Configuration.RateLimit) {
    self.init(
      requestsPerSecond: configuration.requestsPerSecond,
      burst: configuration.burst ?? max(1, Int(configuration.requestsPerSecond)))
  }
}

import MeshBase
import Net

/// What is known of one host name.
enum DnsAnswer: Equatable {
  case pending
  /// At least one; with port 0.
  case addresses([SocketAddress])
  /// There is no such name, or it has no address.
  case none(String)
  /// Nobody could say, and nothing is known from before.
  case failed(String)
}

/// One host name, asked for again and again while somebody observes it.
///
/// A failure keeps what was known before, for each address family by itself; only the answer that there is no such name
/// takes it away.
@ControlActor
final class DnsName {
  /// The other family is waited for so long once one has answered (RFC 8305 §3), the first time.
  private static let familyWaitMilliseconds: UInt64 = 50
  private static let retryMillisecondsMax: UInt64 = 30_000

  /// In lower case.
  let host: String
  private(set) var answer: DnsAnswer = .pending
  /// Why the last look-up failed, though `answer` is known from before; `nil` if it did not.
  private(set) var failure: String?
  private weak var resolver: Resolver?
  private let options: Resolver.Options
  private let observers = Observers()
  private lazy var timer = ControlTimer { [weak self] in self?.due() }
  private lazy var familyTimer = ControlTimer { [weak self] in self?.publishWhatIsKnown() }
  private var lastGood: [AresDriver.Family: [SocketAddress]] = [:]
  private var failuresInARow: UInt64 = 0
  private var round: Round?

  /// One look-up of both families, candidate after candidate.
  private final class Round {
    var candidates: ArraySlice<String>
    var answers: [AresDriver.Family: AresDriver.Answer] = [:]
    init(candidates: [String]) { self.candidates = candidates[...] }
  }

  init(_ host: String, resolver: Resolver) {
    self.host = host
    self.resolver = resolver
    options = resolver.options
  }

  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken {
    if !timer.isSet && round == nil { refresh() }
    return observers.add(onChange)
  }

  /// The answer's time is over: asks again if someone still wants to know.
  private func due() { if observers.isEmpty { resolver?.forget(self) } else { refresh() } }

  func refresh() {
    timer.cancel()
    guard let resolver else { return }
    let local = resolver.hostsFileAddresses(of: host)
    if !local.isEmpty {
      lastGood = [.ipv4: local.filter(\.isIPv4), .ipv6: local.filter { !$0.isIPv4 }]
      timer.set(milliseconds: options.negativeTTLMilliseconds)
      return settle(.addresses(local))
    }
    let round = Round(candidates: resolver.candidates(host))
    self.round = round
    ask(round)
  }

  private func ask(_ round: Round) {
    guard let candidate = round.candidates.popFirst() else { return }
    round.answers = [:]
    for family in [AresDriver.Family.ipv4, .ipv6] {
      resolver?.query(candidate, family) { [weak self] answer in
        guard let self, self.round === round else { return }
        round.answers[family] = answer
        self.received(round)
      }
    }
  }

  private func received(_ round: Round) {
    guard let a = round.answers[.ipv4], let aaaa = round.answers[.ipv6] else {
      if case .addresses = round.answers.values.first, case .pending = answer {
        familyTimer.set(milliseconds: Self.familyWaitMilliseconds)
      }
      return
    }
    if case .none = a, case .none = aaaa, !round.candidates.isEmpty { return ask(round) }
    self.round = nil
    familyTimer.cancel()
    var failures: [String] = []
    var seconds: [Int] = []
    var absence = ""
    for (family, answer) in [(AresDriver.Family.ipv4, a), (.ipv6, aaaa)] {
      switch answer {
      case .addresses(let addresses, let ttl):
        lastGood[family] = addresses
        seconds.append(ttl)
      case .none(let text):
        lastGood[family] = nil
        if absence.isEmpty { absence = text }
      case .failed(let text):
        failures.append("\(family == .ipv4 ? "A" : "AAAA"): \(text)")
      }
    }
    let known = usable()
    if !failures.isEmpty {
      failuresInARow += 1
      let backoff = options.retryMilliseconds << min(failuresInARow - 1, 16)
      timer.set(milliseconds: min(backoff, Self.retryMillisecondsMax, options.ttlMillisecondsMax))
      let text = failures.joined(separator: ", ")
      return settle(known.isEmpty ? .failed(text) : .addresses(known), failure: text)
    }
    failuresInARow = 0
    if known.isEmpty {
      timer.set(milliseconds: options.negativeTTLMilliseconds)
      settle(.none(absence))
    } else {
      let ttl = UInt64(clamping: seconds.min() ?? 0).multipliedReportingOverflow(by: 1_000).partialValue
      timer.set(milliseconds: min(max(ttl, options.ttlMillisecondsMin), options.ttlMillisecondsMax))
      settle(.addresses(known))
    }
  }

  /// Publishes one family while the other keeps us waiting.
  private func publishWhatIsKnown() {
    guard let round else { return }
    for (family, answer) in round.answers {
      if case .addresses(let addresses, _) = answer { lastGood[family] = addresses }
    }
    let known = usable()
    if !known.isEmpty { settle(.addresses(known)) }
  }

  private func usable() -> [SocketAddress] {
    let ipv4 = lastGood[.ipv4] ?? []
    var ipv6 = lastGood[.ipv6] ?? []
    if options.dropsUnreachableIPv6 && !ipv4.isEmpty { ipv6.removeAll { !Socket.hasRoute(to: $0) } }
    // Servers rotate their answers; the order means nothing.
    return (ipv4 + ipv6).sorted { ($0.isIPv4 ? 0 : 1, $0.high, $0.low) < ($1.isIPv4 ? 0 : 1, $1.high, $1.low) }
  }

  func settle(_ answer: DnsAnswer, failure: String? = nil) {
    var failure = failure
    if case .failed = answer { failure = nil }
    guard answer != self.answer || failure != self.failure else { return }
    self.answer = answer
    self.failure = failure
    observers.notify()
  }
}

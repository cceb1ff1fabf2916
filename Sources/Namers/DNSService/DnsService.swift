import MeshBase
import Net

/// One SRV name in use: asks for it again and again, and feeds the endpoints of its best targets.
///
/// Of several priorities the lowest counts that has targets with an address (RFC 2782). A failure keeps what was known;
/// only the answer that there is no such name, or that the service is not offered, takes it away.
@ControlActor
final class DnsService {
  private static let retryMillisecondsMax: UInt64 = 30_000
  private static let retryMilliseconds: UInt64 = 500

  private let name: String
  private let resolver: Resolver
  private let refreshMilliseconds: UInt64
  private weak var source: EndpointSource?
  /// The endpoints of the priority that is being tried.
  private let tier = EndpointSource()
  private let endpoints: HostEndpoints
  private var token: ObservationToken?
  /// Lowest priority number first.
  private var tiers: [[HostEntry]] = []
  private var current = 0
  private var failure: String?
  private var failuresInARow: UInt64 = 0
  private lazy var timer = ControlTimer { [weak self] in self?.ask() }

  init(_ name: String, resolver: Resolver, refreshMilliseconds: UInt64, _ source: EndpointSource) {
    self.name = name
    self.resolver = resolver
    self.refreshMilliseconds = refreshMilliseconds
    self.source = source
    endpoints = HostEndpoints(tier, resolver: resolver, emptyIsNeg: true)
    token = tier.observe { [weak self] in self?.tierChanged() }
    ask()
  }

  private func ask() { ask(resolver.candidates(name)[...]) }

  private func ask(_ names: ArraySlice<String>) {
    guard let name = names.first else { return }
    resolver.querySrv(name) { [weak self] answer in
      if case .none = answer, names.count > 1 { self?.ask(names.dropFirst()) } else { self?.received(answer) }
    }
  }

  private func received(_ answer: AresDriver.SrvAnswer) {
    guard let source else { return }
    switch answer {
    case .records(let records, let seconds):
      succeeded(seconds: UInt64(clamping: seconds))
      tiers = Self.tiers(records)
      current = 0
      if tiers.isEmpty { return source.publish(.neg) }
      endpoints.entries = tiers[0]
      tierChanged()
    case .none:
      succeeded(seconds: 0)
      tiers = []
      source.publish(.neg)
    case .failed(let text):
      failuresInARow += 1
      timer.set(milliseconds: min(Self.retryMilliseconds << min(failuresInARow - 1, 16), Self.retryMillisecondsMax))
      failure = "SRV \(name): \(text)"
      source.fail(failure ?? text)
    }
  }

  private func succeeded(seconds: UInt64) {
    failure = nil
    failuresInARow = 0
    let least = resolver.options.ttlMillisecondsMin
    timer.set(milliseconds: max(least, seconds == 0 ? refreshMilliseconds : min(refreshMilliseconds, seconds * 1_000)))
  }

  /// By priority, with the weights of RFC 2782: 0 stands for a small chance beside others, and for an equal one among its
  /// like. A single target that is the root says that there is no such service.
  static func tiers(_ records: [AresDriver.SrvRecord]) -> [[HostEntry]] {
    let offered = records.filter { !$0.target.isEmpty && $0.target != "." && $0.port > 0 }
    return Dictionary(grouping: offered, by: \.priority).sorted { $0.key < $1.key }.map { _, tier in
      let least = tier.lazy.map(\.weight).filter { $0 > 0 }.min()
      return tier.sorted { ($0.target, $0.port) < ($1.target, $1.port) }.map { record in
        let weight = record.weight > 0 ? Double(record.weight) : least.map { Double($0) / 100 } ?? 1
        return HostEntry(host: record.target, port: record.port, weight: weight)
      }
    }
  }

  private func tierChanged() {
    guard let source, !tiers.isEmpty else { return }
    switch tier.current {
    case .pending: return
    case .failed(let text): source.fail("SRV \(name): \(text)")
    case .bound(let found) where !found.isEmpty:
      if let failure { return source.publish(.bound(found), partialFailure: failure) }
      source.publish(.bound(found), partialFailure: tier.lastError)
    case .bound, .neg:
      if current + 1 < tiers.count {
        current += 1
        endpoints.entries = tiers[current]
        tierChanged()
      } else {
        source.publish(.neg)
      }
    }
  }
}

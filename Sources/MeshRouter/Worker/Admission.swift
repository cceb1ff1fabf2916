import Config
import HTTP
import MeshBase
import Resilience

/// What requests to one server have to pass before anything is done for them: rates, places, and how important each is.
/// Exists only where something of it is configured. Confined to one worker, but for what its limits share.
final class Admission {
  private struct Rate {
    let limit: RateLimit
    let state: PlannedRate.State
    let header: HeaderName?
    /// For people: "the router's `rateLimits`".
    let owner: String
  }

  private let rates: [Rate]
  private let importance: Importance?
  /// Places for requests in progress.
  let gate: SharedGate?

  /// `nil`: there is nothing to pass.
  init?(router: [PlannedRate], server: [PlannedRate], importance: Importance?, gate: SharedGate?) {
    if router.isEmpty, server.isEmpty, importance == nil, gate == nil { return nil }
    self.importance = importance
    self.gate = gate
    func rates(_ planned: [PlannedRate], _ owner: String) -> [Rate] {
      planned.map { planned in
        var header: HeaderName?
        if case .perValue(_, let name, _) = planned.state { header = HeaderName(name) }
        return Rate(limit: planned.limit, state: planned.state, header: header, owner: owner)
      }
    }
    self.rates = rates(router, "the router's rateLimits") + rates(server, "the server's rateLimits")
  }

  /// The class of the request, and the share of each limit that it may use.
  func importance(
    of request: inout RequestHead, _ head: UnsafeRawBufferPointer
  ) -> (class: Int, share: Double) {
    importance?.of(&request, head) ?? (0, 1)
  }

  /// Takes a token of each rate; else how many nanoseconds later there is one, and whose limit it is.
  func take(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, at now: MonotonicInstant
  ) -> (wait: UInt64, owner: String)? {
    for rate in rates {
      let wait: UInt64?
      switch rate.state {
      case .one(let state): wait = state.take(rate.limit, at: now)
      case .perValue(let table, _, let seed):
        let value = rate.header?.value(&request, head) ?? UnsafeRawBufferPointer(start: nil, count: 0)
        wait = table.take(byteHash(value, seed: seed), rate.limit, at: now)
      }
      if let wait { return (wait, rate.owner) }
    }
    return nil
  }
}

/// How important requests are, by a header's value: the router's `priority`.
struct Importance {
  private let header: HeaderName
  /// In small letters, the most important first.
  private let values: [[UInt8]]
  private let usual: Int
  /// Of each limit, by class.
  let shares: [Double]

  /// `nil`: all are the same.
  init?(_ configuration: Configuration.Priority) {
    if configuration.classes.isEmpty { return nil }
    header = HeaderName(configuration.header)
    values = configuration.classes.map { Array($0.value.lowercased().utf8) }
    shares = configuration.classes.map(\.share)
    usual = configuration.classes.firstIndex(where: \.isDefault) ?? configuration.classes.count - 1
  }

  func of(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer) -> (class: Int, share: Double) {
    let place = header.value(&request, head).flatMap { index(of: $0) } ?? usual
    return (place, shares[place])
  }

  private func index(of value: UnsafeRawBufferPointer) -> Int? {
    values.firstIndex { $0.count == value.count && zip($0, value).allSatisfy { $0 == Ascii.lowercased($1) } }
  }
}

extension Configuration.Router {
  /// Of each limit, by class of importance.
  var importanceShares: [Double] {
    let shares = priority?.classes.map(\.share) ?? []
    return shares.isEmpty ? [1] : shares
  }
}

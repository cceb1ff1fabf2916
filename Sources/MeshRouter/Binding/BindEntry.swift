import Balancers
import Config
import HTTP
import MeshBase
import Telemetry

/// One name as a worker knows it: what it routes to, or who waits to be told. Confined to one worker.
final class BindEntry {
  enum State {
    case pending
    case bound
    case failed(Reason, explanation: String)
  }

  /// One way to go, with everything that can be prepared before a request comes.
  final class Branch {
    let client: Client?
    /// Header lines that depend on nothing but name and branch: `l5d-dst-*`, `l5d-ctx-dtab`.
    let headerLines: [UInt8]
    /// What Host says to the endpoints; `nil`: what it said to us.
    let host: [UInt8]?
    /// Something is configured for the client's traffic.
    let controlsTraffic: Bool

    init(client: Client?, headerLines: [UInt8], host: [UInt8]?) {
      self.client = client
      controlsTraffic = client?.traffic != nil
      self.headerLines = headerLines
      self.host = host
    }
  }

  let id: UInt64
  let hash: UInt64
  /// The path, and after a NUL byte the overrides if there are any.
  let key: [UInt8]
  /// From a request's start, over all attempts.
  let totalTimeoutMilliseconds: UInt64?
  private(set) var state = State.pending {
    didSet {
      switch state {
      case .pending: (isPending, failure) = (true, nil)
      case .bound: (isPending, failure) = (false, nil)
      case .failed(let reason, _): (isPending, failure) = (false, reason)
      }
    }
  }
  // Read for every request, and so kept apart: reading them out of the state copies its text.
  private(set) var isPending = true
  private(set) var failure: Reason?
  var isBound: Bool { !isPending && failure == nil }
  private(set) var branches: [Branch] = []
  private var choice: WeightedChoice?
  /// There are several ways to go, and callers may be bound to one of them.
  private(set) var sticks = false
  private(set) var stats: ServiceStats?
  /// What counts as a success, and what is tried again.
  var policy: ServicePolicy
  /// What is done on purpose to the name's traffic; `nil`: nothing.
  let traffic: ServiceTraffic?
  /// How often it may be asked for; most names have no such limits.
  let rates: EntryRates?
  private let names: NameRates?
  /// Requests that arrived before the first answer, in order.
  var waiters: [Exchange] = []
  /// Requests that use the entry now; it is not evicted meanwhile.
  var inFlight = 0
  var lastUsed: MonotonicInstant

  init(
    id: UInt64, hash: UInt64, key: [UInt8], now: MonotonicInstant,
    configuration: Configuration.Service = Configuration.Service(), workerCount: Int = 1, names: NameRates? = nil
  ) {
    rates = EntryRates(configuration.rateLimits, Array(key.prefix { $0 != 0 }), names, at: now)
    self.names = names
    policy = ServicePolicy(configuration, workerCount: workerCount)
    traffic = ServiceTraffic(configuration)
    self.id = id
    self.hash = hash
    self.key = key
    totalTimeoutMilliseconds = configuration.totalTimeoutMilliseconds.map(UInt64.init)
    lastUsed = now
  }

  /// The path without overrides.
  var path: String { String(decoding: key.prefix { $0 != 0 }, as: UTF8.self) }

  /// For people; nil unless it has failed.
  var explanation: String? { if case .failed(_, let text) = state { text } else { nil } }

  @inline(__always)
  func requestBegan(at now: MonotonicInstant) {
    policy.budget.deposit(at: now)
    stats?.requestBegan()
  }

  @inline(__always)
  func requestEnded(success: Bool, microseconds: UInt64) {
    stats?.requestEnded(success: success, microseconds: microseconds)
  }

  /// Takes over what the control thread says; `client` gives the worker's client for a snapshot.
  func update(_ snapshot: RouteSnapshot, client: (ClientSnapshot) -> Client) {
    stats = snapshot.serviceStats
    let old = branches
    switch snapshot.outcome {
    case .failed(let reason, let explanation):
      state = .failed(reason, explanation: explanation)
      branches = []
      choice = nil
    case .branches(let new):
      state = .bound
      branches = new.map { branch in
        let client = branch.client.map(client)
        client?.references += 1
        return Branch(
          client: client,
          headerLines: Self.headerLines(
            service: snapshot.service, client: branch.client?.name, residual: branch.residual,
            contextDtab: snapshot.contextDtab),
          host: branch.client?.authority.map { Array($0.utf8) })
      }
      choice = new.count > 1 ? WeightedChoice(weights: new.map(\.weight)) : nil
    }
    sticks = branches.count > 1 && branches.contains { $0.client?.traffic?.sticky != nil }
    for branch in old { branch.client?.release() }
  }

  /// Lets go of the clients; the entry is not used afterwards.
  func close() {
    for branch in branches { branch.client?.release() }
    branches = []
    if rates != nil { names?.leave(Array(key.prefix { $0 != 0 })) }
  }

  /// Draws a branch by weight. The entry is bound.
  func drawBranch(using random: inout SeededRandom) -> Branch {
    guard let choice else { return branches[0] }
    return branches[choice.pick(using: &random)]
  }

  private static func headerLines(service: String, client: String?, residual: String, contextDtab: String) -> [UInt8] {
    var text = "l5d-dst-service: \(service)\r\n"
    if let client { text += "l5d-dst-client: \(client)\r\n" }
    if !residual.isEmpty { text += "l5d-dst-residual: \(residual)\r\n" }
    if !contextDtab.isEmpty { text += "l5d-ctx-dtab: \(contextDtab)\r\n" }
    return Array(text.utf8)
  }
}

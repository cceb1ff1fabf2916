import Config
import MeshBase
import Net
import Synchronization
import Telemetry

/// Everything a worker is started with, and what a reload changes of it. Immutable.
struct WorkerPlan: Sendable {
  var index: Int
  var hostName: String
  var routers: [RouterPlan]
  var stats: WorkerStats
}

struct RouterPlan: Sendable {
  /// Of the router as it is configured here: unique in the process for as long as it runs. A router whose settings
  /// change gets a new one.
  var index: Int
  /// The router of this label that it takes over from: whose names it learns, and whose servers' callers it gets.
  var predecessor: Int?
  var workerCount: Int
  var configuration: Configuration.Router
  var stats: RouterStats
  var servers: [ServerPlan]
  /// One for each different set of terms.
  var clientTLS: [ClientTLS] = []
  var accessLog: AccessLogWriter?
  var rates: [PlannedRate] = []
  var nameRates = NameRates()

  /// On what terms some endpoints are spoken to in TLS.
  struct ClientTLS: Sendable {
    let terms: Configuration.TLSTerms
    /// For new connections; those that are open keep the one they were made with.
    var context: TLSClientContext
  }
}

struct ServerPlan: Sendable {
  var configuration: Configuration.Server
  var address: SocketAddress
  /// Number of the listening socket, unique in the process; a server that is configured otherwise keeps it.
  var socket: Int
  /// Listening sockets which this worker has not got yet, and closes: one of its own (SO_REUSEPORT), or what it was
  /// given of those that the process was started with. Empty: it goes on with those it has.
  var listeners: [Int32]
  var stats: ServerStats
  var tls: TLSServerContext?
  var connectionLimit: SharedLimit?
  var gate: SharedGate?
  var rates: [PlannedRate] = []
}

/// A count that all workers share against one limit. Exists only where a limit is configured, so that the usual
/// request touches nothing shared.
final class SharedLimit: Sendable {
  private let limit: Atomic<Int>
  private let count = Atomic<Int>(0)

  init(max: Int) { limit = Atomic(max) }

  /// A lower one holds for those who come from now on.
  var max: Int {
    get { limit.load(ordering: .relaxed) }
    set { limit.store(newValue, ordering: .relaxed) }
  }

  /// Takes one if there is one left; each success is followed by one `leave`.
  func tryEnter() -> Bool {
    var seen = count.load(ordering: .relaxed)
    while seen < max {
      let (exchanged, original) = count.compareExchange(expected: seen, desired: seen + 1, ordering: .relaxed)
      if exchanged { return true }
      seen = original
    }
    return false
  }

  func leave() { count.subtract(1, ordering: .relaxed) }
}

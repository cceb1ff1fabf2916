import Dtab
import MeshBase
import Telemetry

/// What a name routes to now, as the control thread hands it to one worker. Immutable.
struct RouteSnapshot: Sendable {
  enum Outcome: Sendable {
    /// Weighted branches, at least one. A branch without a client is the empty tree: it keeps its share and its requests fail.
    case branches([Branch])
    /// The name cannot be routed; the text continues the answer's body for the operator.
    case failed(Reason, explanation: String)
  }

  struct Branch: Sendable {
    var weight: Double
    var client: ClientSnapshot?
    /// Printed form, empty if there is no residual path.
    var residual: String
  }

  var outcome: Outcome
  /// Printed logical name, such as "/svc/web".
  var service: String
  var serviceStats: ServiceStats
  /// The overrides in printed form, for `l5d-ctx-dtab` towards the backend; empty without any.
  var contextDtab: String
}

/// One bound name with its endpoints, as handed to one worker.
struct ClientSnapshot: Sendable {
  /// Unique in the process for as long as it runs.
  var id: Int
  /// The bound id.
  var path: Path
  /// The bound id in printed form, such as "/#/io.l5d.fs/web".
  var name: String
  /// The host that requests shall name; `nil`: the one they came with.
  var authority: String?
  var stats: ClientStats
  var endpoints: [Endpoint]
  /// Which of them other workers leave out; some may be over by now.
  var ejections: [SocketAddress: BalancedEndpoints.Ejection]
}

/// A worker's wish to know, and be kept told, what a name routes to.
struct BindRequest: Sendable {
  var worker: Int
  var router: Int
  /// The worker's number for the entry; unique per worker and router, never reused.
  var entry: UInt64
  /// The path in printed form.
  var path: [UInt8]
  /// Dtab text from the request's headers; empty without any.
  var overrides: [UInt8]
}

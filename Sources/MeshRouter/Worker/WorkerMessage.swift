import MeshBase
import Net
import Telemetry

/// What the control thread tells a worker. Values only.
enum WorkerMessage: Sendable {
  case route(router: Int, entry: UInt64, RouteSnapshot)
  case endpoints(router: Int, client: Int, [Endpoint])
  /// Another worker has left an endpoint out.
  case ejected(router: Int, client: Int, address: SocketAddress, BalancedEndpoints.Ejection)
  /// What has become of a request that waits for a place of the gate.
  case place(SharedGate, ticket: UInt64, isGranted: Bool)
  /// Memory is short from now on, or no longer.
  case memory(isShort: Bool)
  /// All routers and servers there shall be from now on; those that are there stay as they are.
  /// `drainMilliseconds`: what the connections of a removed server have to end.
  case reload([RouterPlan], drainMilliseconds: Int)
  /// New certificates of a server; connections keep the old ones.
  case serverTLS(router: Int, socket: Int, TLSServerContext)
  /// New certificates or roots for those endpoints of a router that are spoken to on these terms, by their place.
  case clientTLS(router: Int, terms: Int, TLSClientContext)
  /// Take no new connections, let requests end, and close connections that have been idle for so long; say so when none
  /// is left.
  case drain(idleMilliseconds: UInt64)
  /// Close everything and end the thread.
  case stop
  /// Second descriptors of all listening sockets, which belong to whoever gets them.
  case listeningSockets(reply: @Sendable ([Int32]) -> Void)
  case countConnections(reply: @Sendable (Int) -> Void)
  case inspectClients(router: Int, reply: @Sendable ([ClientInspection]) -> Void)
  /// Write the wake-up of this moment to the reply; used to wait until earlier messages are in force.
  case barrier(@Sendable () -> Void)
}

/// What a worker tells the control thread.
enum ControlMessage: Sendable {
  case bind(BindRequest)
  /// The worker forgot the entry.
  case release(worker: Int, router: Int, entry: UInt64)
  case drained(worker: Int)
  /// An endpoint is left out; the other workers are to know.
  case ejected(worker: Int, router: Int, client: Int, address: SocketAddress, BalancedEndpoints.Ejection)
  /// A socket that a reload has opened cannot be waited on.
  case listenFailed(SocketAddress, String)
  /// A router that a reload replaced or removed has served its last request here; it is not spoken of again.
  case routerEnded(worker: Int, router: Int)
  /// `word` as in `TLSFailure`; `name` is the client's, or the server's address.
  case handshakeFailed(peer: SocketAddress?, name: String, word: String, text: String)
  /// A caller overdid something in HTTP/2, for the log; not more than one a second from each worker.
  case abused(HTTP2Abuse, router: Int, peer: SocketAddress?, explanation: String)
  /// A server does not accept for a while, for want of what `errno` says; not more than one a second from each worker.
  case acceptPaused(SocketAddress, errno: Int32)
  /// No connection to an endpoint could be made for want of descriptors; likewise.
  case connectsStarved(router: Int, client: String)
  case stopped(worker: Int)
}

/// One client as one worker sees it, for state pages and `why`.
struct ClientInspection: Sendable {
  struct Endpoint: Sendable {
    var address: SocketAddress
    var weight: Double
    var costNanoseconds: Double
    var outstanding: Int
    var idleConnections: Int
    var openConnections: Int
    var isDraining: Bool
    var status: String
    /// Why it is passed over, and when it is asked again; `nil` if it is not.
    var health: String?
  }
  var name: String
  var endpoints: [Endpoint]
}

import Config
import MeshBase
import Net

/// What a server is known by from one configuration to the next: its address. Where the kernel chooses the port, its
/// place among such servers of its router.
struct ServerKey: Hashable, Sendable {
  private let ip: String
  private let port: Int
  private let router: String
  private let place: Int

  /// The kernel chooses the port.
  var hasAnyPort: Bool { port == 0 }

  /// For a process that takes the place of this one: `place ip router`, where the kernel chose the port.
  var text: String { "\(place) \(ip) \(router)" }

  /// In the order of the configuration.
  static func all(in configuration: Configuration) -> [[ServerKey]] {
    configuration.routers.map { router in
      router.servers.enumerated().map { index, server in
        let isFixed = server.port != 0
        return ServerKey(
          ip: server.ip, port: server.port, router: isFixed ? "" : router.label,
          place: isFixed ? 0 : router.servers[..<index].count { $0.ip == server.ip && $0.port == 0 })
      }
    }
  }
}

/// The listening sockets of one server: one per worker, all with SO_REUSEPORT, so that the kernel spreads callers.
struct BoundServer {
  var key: ServerKey
  /// Number of the socket, unique in the process.
  var socket: Int
  var address: SocketAddress
  /// By worker; whoever starts the worker hands it its own. Empty once that is done.
  var descriptors: [[Int32]]
  var connectionLimit: SharedLimit?
  var gate: SharedGate?
  var rateStates = RateStates()
  var rates: [PlannedRate] = []
}

/// Binds servers, and knows which are bound.
@ControlActor
final class ServerSockets {
  private let mailboxes: [Mailbox<WorkerMessage>]
  private var workers: Int { mailboxes.count }
  private var bound: [ServerKey: BoundServer] = [:]
  private var lastSocket = 0
  private let inherited: InheritedSockets?
  /// Where the process before this one listened for servers whose port the kernel chose, by `ServerKey.text`.
  private let ports: [String: SocketAddress]

  /// - Parameter mailboxes: by worker.
  init(_ mailboxes: [Mailbox<WorkerMessage>], inherited: InheritedSockets? = nil, ports: [String: SocketAddress] = [:])
  {
    self.mailboxes = mailboxes
    self.inherited = inherited
    self.ports = ports
  }

  /// What a process that takes the place of this one needs to know: see `ports`.
  var chosenPorts: [String: SocketAddress] {
    Dictionary(uniqueKeysWithValues: bound.values.filter(\.key.hasAnyPort).map { ($0.key.text, $0.address) })
  }

  /// Binds the sockets of all servers that have none yet, or none: what was opened is closed again when one fails.
  /// Nothing else is changed before `commit`.
  func prepare(_ configuration: Configuration) throws -> [[BoundServer]] {
    var opened: [Int32] = []
    do {
      return try zip(configuration.routers, ServerKey.all(in: configuration)).map { router, keys in
        try zip(router.servers, keys).map { server, key in
          var result = try bound[key] ?? bind(server, key, opened: &opened)
          result.connectionLimit = server.maxConnections.map { result.connectionLimit ?? SharedLimit(max: $0) }
          result.gate = server.maxConcurrentRequests.map { result.gate ?? gate(max: $0) }
          result.rates = result.rateStates.planned(server.rateLimits)
          return result
        }
      }
    } catch {
      Self.close(opened)
      throw error
    }
  }

  /// The prepared ones are not wanted after all.
  func discard(_ prepared: [[BoundServer]]) { Self.close(prepared.joined().flatMap { $0.descriptors.joined() }) }

  func commit(_ prepared: [[BoundServer]], _ configuration: Configuration) {
    bound = [:]
    for (servers, router) in zip(prepared, configuration.routers) {
      for (var server, settings) in zip(servers, router.servers) {
        if let max = settings.maxConnections { server.connectionLimit?.max = max }
        if let max = settings.maxConcurrentRequests {
          server.gate?.configure(
            max: max, queueMax: settings.requestQueue.size, waitMilliseconds: settings.requestQueue.waitMilliseconds,
            shares: router.importanceShares, at: Clock.now)
        }
        server.descriptors = []
        bound[server.key] = server
      }
    }
  }

  /// Whoever waits hears of its place by its worker's mailbox.
  private func gate(max: Int) -> SharedGate {
    SharedGate(max: max) { [mailboxes] gate, ticket, isGranted in
      mailboxes[ticket.worker].send(.place(gate, ticket: ticket.number, isGranted: isGranted))
    }
  }

  private static func close(_ descriptors: [Int32]) { for raw in descriptors { _ = Descriptor(owning: raw) } }

  private func bind(_ server: Configuration.Server, _ key: ServerKey, opened: inout [Int32]) throws -> BoundServer {
    guard var address = SocketAddress(ip: server.ip, port: UInt16(server.port)) else {
      throw SystemError.notAnAddress("\(server.ip):\(server.port)")
    }
    if let sockets = inheritedSockets(key, address), let first = sockets.first {
      opened += sockets
      address = Socket.localAddress(first) ?? address
      for socket in sockets { Socket.setBacklog(socket, Int32(server.socketOptions.backlog)) }
      lastSocket += 1
      return BoundServer(
        key: key, socket: lastSocket, address: address, descriptors: try spread(sockets, server, address, &opened))
    }
    // SO_REUSEPORT would let a second router share the port in silence and take half of the callers.
    if address.port != 0 { _ = try Socket.listen(on: address) }
    var descriptors: [[Int32]] = []
    for _ in 0..<workers {
      let descriptor = try Socket.listen(on: address, backlog: Int32(server.socketOptions.backlog), reusePort: true)
      address = Socket.localAddress(descriptor.raw) ?? address
      let raw = descriptor.release()
      opened.append(raw)
      descriptors.append([raw])
    }
    lastSocket += 1
    return BoundServer(key: key, socket: lastSocket, address: address, descriptors: descriptors)
  }

  private func inheritedSockets(_ key: ServerKey, _ address: SocketAddress) -> [Int32]? {
    guard let inherited, let place = key.hasAnyPort ? ports[key.text] : address else { return nil }
    return inherited.take(.address(place))
  }

  /// Gives each worker something to accept from. All inherited sockets are used, because callers may wait in each of
  /// them: where there are more than workers, some have several. Where there are fewer, further ones are opened; and if
  /// that cannot be (of another user's process, or without SO_REUSEPORT), workers share.
  private func spread(
    _ sockets: [Int32], _ server: Configuration.Server, _ address: SocketAddress, _ opened: inout [Int32]
  ) throws -> [[Int32]] {
    var result = [[Int32]](repeating: [], count: workers)
    for (index, socket) in sockets.enumerated() { result[index % workers].append(socket) }
    for worker in result.indices where result[worker].isEmpty {
      let own =
        Socket.sharesPort(sockets[0])
        ? try? Socket.listen(on: address, backlog: Int32(server.socketOptions.backlog), reusePort: true) : nil
      let raw = try own?.release() ?? Descriptor.duplicate(of: sockets[worker % sockets.count]).release()
      opened.append(raw)
      result[worker].append(raw)
    }
    return result
  }
}

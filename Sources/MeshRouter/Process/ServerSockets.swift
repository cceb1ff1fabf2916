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
  var descriptors: [Int32]
  var connectionLimit: SharedLimit?
  var requestLimit: SharedLimit?
}

/// Binds servers, and knows which are bound.
@ControlActor
final class ServerSockets {
  private let workers: Int
  private var bound: [ServerKey: BoundServer] = [:]
  private var lastSocket = 0

  init(workers: Int) { self.workers = workers }

  /// Binds the sockets of all servers that have none yet, or none: what was opened is closed again when one fails.
  /// Nothing else is changed before `commit`.
  func prepare(_ configuration: Configuration) throws -> [[BoundServer]] {
    var opened: [Int32] = []
    do {
      return try zip(configuration.routers, ServerKey.all(in: configuration)).map { router, keys in
        try zip(router.servers, keys).map { server, key in
          var result = try bound[key] ?? bind(server, key, opened: &opened)
          result.connectionLimit = server.maxConnections.map { result.connectionLimit ?? SharedLimit(max: $0) }
          result.requestLimit = server.maxConcurrentRequests.map { result.requestLimit ?? SharedLimit(max: $0) }
          return result
        }
      }
    } catch {
      Self.close(opened)
      throw error
    }
  }

  /// The prepared ones are not wanted after all.
  func discard(_ prepared: [[BoundServer]]) { Self.close(prepared.joined().flatMap(\.descriptors)) }

  func commit(_ prepared: [[BoundServer]], _ configuration: Configuration) {
    bound = [:]
    for (servers, router) in zip(prepared, configuration.routers) {
      for (var server, settings) in zip(servers, router.servers) {
        if let max = settings.maxConnections { server.connectionLimit?.max = max }
        if let max = settings.maxConcurrentRequests { server.requestLimit?.max = max }
        server.descriptors = []
        bound[server.key] = server
      }
    }
  }

  private static func close(_ descriptors: [Int32]) { for raw in descriptors { _ = Descriptor(owning: raw) } }

  private func bind(_ server: Configuration.Server, _ key: ServerKey, opened: inout [Int32]) throws -> BoundServer {
    guard var address = SocketAddress(ip: server.ip, port: UInt16(server.port)) else {
      throw SystemError.notAnAddress("\(server.ip):\(server.port)")
    }
    // SO_REUSEPORT would let a second router share the port in silence and take half of the callers.
    if address.port != 0 { _ = try Socket.listen(on: address) }
    var descriptors: [Int32] = []
    for _ in 0..<workers {
      let descriptor = try Socket.listen(on: address, backlog: Int32(server.socketOptions.backlog), reusePort: true)
      address = Socket.localAddress(descriptor.raw) ?? address
      let raw = descriptor.release()
      opened.append(raw)
      descriptors.append(raw)
    }
    lastSocket += 1
    return BoundServer(key: key, socket: lastSocket, address: address, descriptors: descriptors)
  }
}

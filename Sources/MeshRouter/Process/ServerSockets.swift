import Config
import MeshBase
import Net

/// The listening sockets of one server: one per worker, all with SO_REUSEPORT, so that the kernel spreads callers.
struct BoundServer {
  var address: SocketAddress
  /// By worker; whoever starts the worker hands it its own.
  var descriptors: [Int32]
  var connectionLimit: SharedLimit?
  var requestLimit: SharedLimit?

  /// Binds the sockets of all servers, or none: what was opened is closed again when one fails.
  static func bindAll(_ configuration: Configuration, workers: Int) throws -> [[BoundServer]] {
    var opened: [Int32] = []
    do {
      return try configuration.routers.map { router in
        try router.servers.map { server in try bind(server, workers: workers, opened: &opened) }
      }
    } catch {
      for raw in opened { _ = Descriptor(owning: raw) }
      throw error
    }
  }

  private static func bind(
    _ server: Configuration.Server, workers: Int, opened: inout [Int32]
  ) throws -> BoundServer {
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
    return BoundServer(
      address: address, descriptors: descriptors, connectionLimit: server.maxConnections.map { SharedLimit(max: $0) },
      requestLimit: server.maxConcurrentRequests.map { SharedLimit(max: $0) })
  }
}

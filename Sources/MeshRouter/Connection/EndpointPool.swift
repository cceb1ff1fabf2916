import HTTP
import MeshBase
import Net
import Telemetry

/// The connections of one worker to one endpoint. The one used last is used first, so that the others age and close.
final class EndpointPool {
  let address: SocketAddress
  let client: Client
  private var idle: [ClientConnection] = []
  /// Connecting, idle and busy ones together.
  private(set) var openCount = 0
  /// Requests waiting because the pool may open no more; bounded by `maxWaiters`.
  private var waiters = WaitQueue()
  private(set) var isClosed = false
  /// Of an endpoint that speaks HTTP/2. It holds this as well, until the pool is closed.
  private var streamPool: StreamPool?

  var idleCount: Int { idle.count + (streamPool?.idleCount ?? 0) }

  enum Lease {
    case ready(ClientConnection)
    case stream(Unretained<ClientStream>)
    /// The exchange hears from the connection when it is made, or from the pool when one comes free.
    case waiting
    case overload
    case failed(Reason)
  }

  init(address: SocketAddress, client: Client) {
    self.address = address
    self.client = client
  }

  /// A connection for one exchange. `fresh` passes over idle ones, for when one of them turned out to be stale.
  @inline(__always)
  func lease(for exchange: Exchange, fresh: Bool) -> Lease {
    if !fresh, let connection = idle.popLast() {
      client.stats.unpooled()
      connection.begin(exchange)
      return .ready(connection)
    }
    return open(for: exchange)
  }

  /// The same where the endpoint speaks HTTP/2, or may do so.
  func leaseStream(for exchange: Exchange, fresh: Bool) -> Lease {
    if streamPool == nil { _ = streams }
    let lease = Unretained(streamPool) { $0.isKnown || client.followsCaller ? $0.lease(for: exchange) : nil }
    if let lease, let lease { return lease }
    return self.lease(for: exchange, fresh: fresh)
  }

  var streams: StreamPool {
    if let streamPool { return streamPool }
    let made = StreamPool(pool: self)
    streamPool = made
    return made
  }

  func connectionOpened() { openCount += 1 }

  private func open(for exchange: Exchange) -> Lease {
    if let max = client.configuration.pool.maxSize, openCount >= max {
      // A stale pooled connection may still count; an idle one gives its place to the fresh one.
      if let oldest = idle.first {
        idle.removeFirst()
        client.stats.unpooled()
        oldest.retire()
      } else {
        guard waiters.count < client.configuration.pool.maxWaiters else {
          client.stats.tooManyWaiters()
          return .overload
        }
        waiters.append(exchange)
        client.stats.waiterQueued()
        return .waiting
      }
    }
    do {
      let connection = try ClientConnection(pool: self, worker: client.worker, onlyHTTP1: exchange.avoidsStreams)
      openCount += 1
      connection.connect(for: exchange)
      return .waiting
    } catch {
      client.stats.connectFailed()
      let reason = Reason(connectErrno: error.code)
      if reason == .connectNoDescriptors { client.worker.descriptorsAreShort(client) }
      return .failed(reason)
    }
  }

  /// The exchange no longer waits.
  func cancelWait(_ exchange: Exchange) {
    if streamPool?.cancelWait(exchange) == true { return }
    if waiters.remove(exchange) { client.stats.waiterServed() }
  }

  /// A connection has served its exchange and can serve another.
  @inline(__always)
  func giveBack(_ connection: ClientConnection) {
    if isClosed { return connection.retire() }
    if !waiters.isEmpty { return hand(connection) }
    client.stats.pooled()
    idle.append(connection)
  }

  private func hand(_ connection: ClientConnection) {
    let exchange = waiters.removeFirst()
    client.stats.waiterServed()
    connection.begin(exchange)
    exchange.connected(connection, reused: true)
  }

  /// An idle connection was closed by the backend, or sent something nobody asked for.
  func idleConnectionEnded(_ connection: ClientConnection) {
    if let index = idle.lastIndex(where: { $0 === connection }) {
      idle.remove(at: index)
      client.stats.unpooled()
    }
  }

  /// The connection is gone, whatever it did before.
  func connectionClosed() {
    openCount -= 1
    guard !waiters.isEmpty, !isClosed else { return }
    let exchange = waiters.removeFirst()
    client.stats.waiterServed()
    switch open(for: exchange) {
    case .waiting: break
    case .ready(let connection): exchange.connected(connection, reused: true)
    case .stream(let stream): exchange.connected(stream, reused: true)
    case .overload: exchange.connectFailed(.pickOverload)
    case .failed(let reason): exchange.connectFailed(reason)
    }
  }

  func closeIdle(now: MonotonicInstant) {
    let configuration = client.configuration
    guard let idleMax = configuration.pool.idleTimeMilliseconds ?? configuration.session.idleTimeMilliseconds else {
      return
    }
    streamPool?.closeIdle(now: now, idleMax: UInt64(idleMax) * 1_000_000)
    while idle.count > 0, openCount > configuration.pool.minSize,
      now.nanoseconds(since: idle[0].idleSince) > UInt64(idleMax) * 1_000_000
    {
      let connection = idle.removeFirst()
      client.stats.unpooled()
      connection.retire()
    }
  }

  /// Descriptors or memory are short: closes the half of the idle ones that was not used for longer.
  func closeIdleHalf() {
    for _ in 0..<(idle.count + 1) / 2 where !idle.isEmpty {
      let connection = idle.removeFirst()
      client.stats.unpooled()
      connection.retire()
    }
  }

  /// The closed pool has no more use for its streams; those that are open go on.
  func streamsEnded() { streamPool = nil }

  /// Closes what is idle; busy connections close when they come back. Waiters are told that there is no endpoint.
  func close() {
    isClosed = true
    streamPool?.close()
    for connection in idle {
      client.stats.unpooled()
      connection.retire()
    }
    idle.removeAll()
    for exchange in waiters.removeAll() {
      client.stats.waiterServed()
      exchange.connectFailed(.pickNoEndpoints)
    }
  }
}

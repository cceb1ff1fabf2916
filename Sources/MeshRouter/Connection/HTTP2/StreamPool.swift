import HTTP
import MeshBase
import Net
import Telemetry

/// The HTTP/2 connections of one worker to one endpoint. Exchanges share one as long as the backend grants streams on
/// it; another is opened when it does not.
final class StreamPool: TimerOwner {
  let client: Client
  /// Owns this until it is closed. Connections that still have streams then outlive its place in its client.
  private let pool: EndpointPool
  private let worker: Worker
  /// Those that take new streams; the loop keeps them alive.
  private var connections: [Unretained<HTTP2ClientConnection>] = []
  /// The connection being made; one at a time, however many wait.
  private var connector: ClientConnection?
  private var waiters = WaitQueue()
  private var isServingDue = false
  /// The endpoint has agreed to HTTP/2, or is configured to speak it.
  private(set) var isKnown: Bool

  init(pool: EndpointPool) {
    self.pool = pool
    client = pool.client
    worker = pool.client.worker
    isKnown = pool.client.protocol == .h2
  }

  var address: SocketAddress { pool.address }

  var idleCount: Int { connections.count { $0 { $0.streamCount == 0 } == true } }

  /// A stream for one exchange, or a place in the queue.
  func lease(for exchange: Exchange) -> EndpointPool.Lease {
    if waiters.isEmpty, let stream = stream(for: exchange) { return .stream(stream) }
    guard waiters.count < waitersMax else {
      client.stats.tooManyWaiters()
      return .overload
    }
    if let failure = openIfNeeded(for: exchange), connections.isEmpty { return .failed(failure) }
    waiters.append(exchange)
    client.stats.waiterQueued()
    return .waiting
  }

  /// A stream on the first connection that takes one more; the others age and close.
  private func stream(for exchange: Exchange) -> Unretained<ClientStream>? {
    for index in connections.indices {
      let connection = connections[index]
      let stream = connection { $0.canOpenStream(for: exchange) ? $0.stream(for: exchange) : nil }
      if let stream, stream != nil { return stream }
    }
    return nil
  }

  /// Exchanges that wait while a connection is made, per endpoint and worker; beyond: `pick.overload`.
  private static let connectingWaitersMax = 16_384

  /// `maxWaiters` is for a pool that may open no more. While it may, those who wait do so for a moment, and one more
  /// connection serves very many: a burst of requests must not fail for having come at once.
  private var waitersMax: Int {
    let configured = client.configuration.pool.maxWaiters
    return isFull ? configured : max(configured, Self.connectingWaitersMax)
  }

  private var isFull: Bool {
    guard connector == nil, !connections.isEmpty, let max = client.configuration.pool.maxSize else { return false }
    return pool.openCount >= max
  }

  /// Not nil if a connection was needed and could not even be begun.
  private func openIfNeeded(for exchange: Exchange) -> Reason? {
    guard connector == nil else { return nil }
    // It waits for the settings of one that is there.
    if exchange.upgradeWanted, connections.contains(where: { $0 { $0.isNew } == true }) { return nil }
    if isFull { return nil }
    do {
      let connection = try ClientConnection(pool: pool, worker: worker)
      pool.connectionOpened()
      connector = connection
      connection.connect(for: nil)
      return nil
    } catch {
      client.stats.connectFailed()
      return Reason(connectErrno: error.code)
    }
  }

  // MARK: Calls of the connections

  /// The connector is connected, and HTTP/2 is what its socket speaks.
  ///
  /// `exchange` made the connection before it was known what the endpoint speaks.
  func connected(_ descriptor: consuming Descriptor, tls: TLSSession?, for exchange: Exchange?) {
    if exchange == nil { connector = nil }
    let connection = HTTP2ClientConnection(pool: self, worker: worker, descriptor: descriptor, tls: tls)
    guard connection.start() else {
      pool.connectionClosed()
      exchange?.connectFailed(.connectNoDescriptors)
      return failAll(.connectNoDescriptors)
    }
    isKnown = true
    connections.append(Unretained(connection))
    if let exchange {
      if connection.canOpenStream(for: exchange) {
        exchange.connected(connection.stream(for: exchange), reused: false)
      } else {
        exchange.waits(in: pool)
        waiters.append(exchange)
        client.stats.waiterQueued()
      }
    }
    serve()
  }

  func connectFailed(_ reason: Reason, detail: String?) {
    connector = nil
    // What an endpoint speaks may have changed while it was away.
    isKnown = client.protocol == .h2
    // Streams of the connections that are there come free.
    if connections.isEmpty { failAll(reason, detail: detail) }
  }

  private func failAll(_ reason: Reason, detail: String? = nil) {
    for exchange in waiters.removeAll() {
      client.stats.waiterServed()
      exchange.connectFailed(reason, detail: detail)
    }
    endIfClosed()
  }

  /// The connection takes no new streams any more.
  func retired(_ connection: HTTP2ClientConnection) {
    connections.removeAll { $0.leads(to: connection) }
    slotsChanged()
  }

  func connectionClosed() { pool.connectionClosed() }

  /// A connection may take more streams than before, or fewer.
  @inline(__always)
  func slotsChanged() { if !waiters.isEmpty { serveLater() } }

  /// At the end of the turn: an exchange that is sent on its way may read from its caller, and this may be called while
  /// somebody else's bytes are being read.
  private func serveLater() {
    if isServingDue { return }
    isServingDue = true
    worker.loop.deferToEndOfTurn(self)
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    isServingDue = false
    serve()
  }

  private func serve() {
    while !waiters.isEmpty {
      let first = waiters.first()
      guard let stream = stream(for: first) else {
        if let failure = openIfNeeded(for: first), connections.isEmpty { failAll(failure) }
        return endIfClosed()
      }
      let exchange = waiters.removeFirst()
      client.stats.waiterServed()
      exchange.connected(stream, reused: true)
    }
    endIfClosed()
  }

  /// True if the exchange waited here.
  func cancelWait(_ exchange: Exchange) -> Bool {
    guard waiters.remove(exchange) else { return false }
    client.stats.waiterServed()
    endIfClosed()
    return true
  }

  // MARK: End

  func closeIdle(now: MonotonicInstant, idleMax: UInt64) {
    for connection in connections {
      connection { if $0.streamCount == 0 && now.nanoseconds(since: $0.idleSince) > idleMax { $0.retire() } }
    }
  }

  /// Connections close behind their last stream. Those who wait already are served before that: a change of names must
  /// not fail the requests that came before it.
  func close() { endIfClosed() }

  private func endIfClosed() {
    guard pool.isClosed, waiters.isEmpty else { return }
    for connection in connections { connection { $0.retire() } }
    pool.streamsEnded()
  }
}

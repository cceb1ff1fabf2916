import HTTP
import MeshBase
import Net
import Telemetry

/// An HTTP/2 connection to one endpoint, shared by the exchanges of many callers.
final class HTTP2ClientConnection: StreamChannel {
  let pool: StreamPool
  let stats: ClientStats
  private let session: HTTP2Session
  /// Kept for the session.
  private var events: HTTP2ClientEvents?
  private let openedAt: MonotonicInstant
  private(set) var idleSince: MonotonicInstant
  private var isHTTPS: Bool { tls != nil }
  private var isFlushDue = false
  private var mayHaveUnread = false
  private var sawPeerClosed = false
  /// Takes no new streams; closes when the last one has ended.
  private var isRetiring = false
  /// Streams with a part of a response that came in this read: a head and the body behind it share a write.
  private var unflushed: [Unretained<ClientStream>] = []
  /// Streams that were handed out and not opened yet.
  private var promised = 0
  private var keepAlive: HTTP2KeepAlive?
  private var keepAliveTimer = TimerID.none
  private static let keepAliveTag: UInt8 = 0
  private static let keepAlivePing: UInt64 = 0x6d65_7368_6c69_7665

  init(pool: StreamPool, worker: Worker, descriptor: consuming Descriptor, tls: TLSSession?) {
    self.pool = pool
    stats = pool.client.stats
    openedAt = worker.loop.now
    idleSince = openedAt
    session = HTTP2Session(
      role: .client, settings: pool.client.http2, limits: pool.client.configuration.http2.limits,
      workshop: worker.http2Workshop)
    super.init(worker: worker, descriptor: descriptor, tls: tls)
    let events = HTTP2ClientEvents(self)
    self.events = events
    session.delegate = events
    let times = pool.client.configuration.session
    keepAlive = times.keepAliveMilliseconds.map {
      HTTP2KeepAlive(milliseconds: $0, timeoutMilliseconds: times.keepAliveTimeoutMilliseconds)
    }
  }

  /// False if the kernel would not have it.
  func start() -> Bool {
    guard (try? register()) != nil else { return false }
    mayHaveUnread = tls != nil
    scheduleFlush()
    return true
  }

  // MARK: Streams

  var streamCount: Int { session.streamCount + promised }

  var canOpenStream: Bool {
    isOpen && !isRetiring && session.canOpenStream && streamCount < session.peerMaxConcurrentStreams
  }

  /// Whether the endpoint has said what it takes, as far as a request for an extended CONNECT needs to know.
  func canOpenStream(for exchange: Exchange) -> Bool {
    canOpenStream && (!exchange.upgradeWanted || session.prefaceReceived)
  }

  /// Whether the endpoint takes extended CONNECT (RFC 8441).
  var takesTunnels: Bool { session.peerTakesExtendedConnect }

  /// Its settings are still on their way.
  var isNew: Bool { isOpen && !isRetiring && !session.prefaceReceived }

  /// A stream for one exchange, which opens it when it sends its request.
  func stream(for exchange: Exchange) -> Unretained<ClientStream> {
    let stream = worker.takeClientStream()
    stream {
      $0.connection = Unretained(self)
      $0.exchange = Unretained(exchange)
    }
    promised += 1
    return stream
  }

  func open(_ stream: ClientStream, _ head: UnsafeRawBufferPointer, end: Bool, extended: Bool) -> HTTP2Refusal? {
    guard isOpen else { return .goingAway }
    session.now = loop.now
    if let refusal = session.submitRequest(stream, head: head, isHTTPS: isHTTPS, end: end, extended: extended) {
      return refusal
    }
    promised -= 1
    stats.streamOpened()
    if keepAlive != nil { watch() }
    scheduleFlush()
    return nil
  }

  /// The exchange went away before its request was sent.
  func unopened(_ stream: ClientStream) {
    promised -= 1
    stream.recycle()
    worker.giveBack(stream)
    streamLeft()
  }

  @inline(__always)
  func withSession(_ body: (HTTP2Session) -> Void) {
    guard isOpen else { return }
    session.now = loop.now
    body(session)
    scheduleFlush()
  }

  private func streamLeft() {
    if streamCount == 0 { idleSince = loop.now }
    if isRetiring { return scheduleFlush() }
    if isOpen, let life = pool.client.lifeTimeNanoseconds, loop.now.nanoseconds(since: openedAt) > life {
      retire()
    }
    pool.slotsChanged()
  }

  // MARK: Events

  override func ready(_ events: ReadyEvents) {
    if events.contains(.peerClosed) { sawPeerClosed = true }
    if events.contains(.writable), isBlocked || tls != nil { flushOutput() }
    if !events.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { receive() }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    if tag == Self.keepAliveTag { return lookAfter(now) }
    isFlushDue = false
    if mayHaveUnread { receive() }
    flush()
  }

  private func receive() {
    mayHaveUnread = false
    for _ in 0..<HTTP2Turn.reads {
      guard isOpen else { return }
      let target = worker.clientBuffer
      let count = receiveBytes(into: target)
      if count <= 0 {
        if count < 0 && Socket.wouldBlock(count) { return }
        return closeNow()
      }
      stats.received(bytes: count)
      keepAlive?.heard(at: loop.now)
      // A failure has its GOAWAY in the output; `flush` closes behind it.
      _ = session.receive(UnsafeRawBufferPointer(rebasing: target[..<count]), now: loop.now)
      flushResponses()
      scheduleFlush()
      if isDry(after: count, of: target.count) && !sawPeerClosed { return }
    }
    if isOpen {
      mayHaveUnread = true
      scheduleFlush()
    }
  }

  // MARK: What the session tells

  @inline(__always)
  private func flushLater(_ stream: ClientStream) {
    if stream.isUnflushed { return }
    stream.isUnflushed = true
    unflushed.append(Unretained(stream))
  }

  private func flushResponses() {
    if unflushed.isEmpty { return }
    for stream in unflushed {
      stream {
        $0.isUnflushed = false
        $0.flushResponse()
      }
    }
    unflushed.removeAll(keepingCapacity: true)
  }

  func headersTooLarge(_ stream: ClientStream) {
    let limit = session.settings.maxHeaderListBytes
    stream.exchange { $0.badResponse("Its head is longer than maxHeaderListBytes, \(limit).") }
  }

  func informational(_ stream: ClientStream, text: UnsafeRawBufferPointer) {
    stream.exchange { if parse(text, $0) { $0.informational(text) } }
  }

  func responseHead(_ stream: ClientStream, text: UnsafeRawBufferPointer, endStream: Bool) {
    stream.exchange { exchange in
      guard parse(text, exchange) else { return }
      keepAlive?.progressed()
      if exchange.isBackup {
        guard exchange.handOver(&worker.responseHead, text) else { return }
        return stream.exchange { responseBegan(stream, $0, text, endStream: endStream) }
      }
      responseBegan(stream, exchange, text, endStream: endStream)
    }
  }

  @inline(__always)
  private func responseBegan(
    _ stream: ClientStream, _ exchange: Exchange, _ text: UnsafeRawBufferPointer, endStream: Bool
  ) {
    exchange.responseBegan(text, isWhole: endStream)
    guard stream.exchange.leads(to: exchange) else { return }
    if endStream { exchange.responseEnded(canReuse: true) } else { flushLater(stream) }
  }

  private func parse(_ text: UnsafeRawBufferPointer, _ exchange: Exchange) -> Bool {
    switch worker.responseHead.parse(text, requestMethod: exchange.method, limits: pool.client.http2HeadLimits) {
    case .complete: return true
    case .needMore: exchange.badResponse("The head has no end.")
    case .failed(let error): exchange.badResponse("\(error)")
    }
    return false
  }

  func data(_ stream: ClientStream, _ bytes: UnsafeRawBufferPointer) {
    keepAlive?.progressed()
    stream.received(bytes)
    flushLater(stream)
  }

  func ended(_ stream: ClientStream) {
    if stream.isTunnel {
      // What came in the same read goes before the FIN.
      stream.exchange { $0.flushResponse() }
      stream.exchange { $0.tunnelEndedByBackend() }
    } else {
      stream.exchange { $0.responseEnded(canReuse: true) }
    }
  }

  func closed(_ stream: ClientStream, code: HTTP2ErrorCode) {
    let exchange = stream.exchange
    stats.streamClosed()
    if code != .noError && isOpen { stats.streamReset(code: code.rawValue, isLocal: stream.isReset) }
    stream.recycle()
    worker.giveBack(stream)
    exchange { $0.backendStreamClosed(code, connectionLost: !isOpen, goingAway: session.goawayReceived) }
    streamLeft()
  }

  // MARK: Keep-alive

  /// A stream was opened: from now on the endpoint is to give a sign of life now and then.
  private func watch() {
    keepAlive?.progressed()
    guard keepAliveTimer == .none, let due = keepAlive?.begin(at: loop.now) else { return }
    keepAliveTimer = loop.schedule(self, tag: Self.keepAliveTag, at: due)
  }

  private func lookAfter(_ now: MonotonicInstant) {
    keepAliveTimer = .none
    // Without streams nobody waits for the endpoint.
    guard isOpen, streamCount > 0, let step = keepAlive?.next(at: now) else { return }
    switch step {
    case .wait(let until): keepAliveTimer = loop.schedule(self, tag: Self.keepAliveTag, at: until)
    case .ping(let until):
      withSession { $0.ping(Self.keepAlivePing) }
      keepAliveTimer = loop.schedule(self, tag: Self.keepAliveTag, at: until)
    case .dead:
      stats.connectionDied()
      closeNow()
    }
  }

  // MARK: Output

  @inline(__always)
  private func scheduleFlush() {
    if isFlushDue { return }
    isFlushDue = true
    loop.deferToEndOfTurn(self)
  }

  private func flush() {
    writeFrames(of: session) { stats.sent(bytes: $0) }
    guard isOpen, !isBlocked else { return }
    if session.isFinished || (isRetiring && streamCount == 0) { closeNow() }
  }

  override func outputDrained() { flush() }

  override func outputBroke() {
    // What the backend has still answered is found by reading, and so is the end of the stream.
    mayHaveUnread = true
    scheduleFlush()
  }

  // MARK: End

  /// Takes no new streams and closes after the last one.
  func retire() {
    guard isOpen, !isRetiring else { return }
    isRetiring = true
    pool.retired(self)
    scheduleFlush()
  }

  private func closeNow() {
    guard isOpen else { return }
    loop.cancel(keepAliveTimer)
    dropOutput()
    closeChannel()
    if !isRetiring { pool.retired(self) }
    isRetiring = true
    stats.connectionClosed()
    session.abandon(code: .internalError)
    pool.connectionClosed()
  }
}

import Config
import HTTP
import MeshBase
import Net

/// A caller's HTTP/2 connection: many exchanges at a time, one per stream.
///
/// Frames gather in the session and go to the kernel once a turn, so that the responses of one turn share a write.
/// While the kernel takes no more, they stay in the session, and each stream's exchange feels it by itself.
final class HTTP2ServerConnection: CallerChannel, HTTP2Delegate {
  private var session: HTTP2Session!
  private let openedAt: MonotonicInstant
  private var lastMoved: MonotonicInstant
  private var timer = TimerID.none
  /// Streams with an exchange, in no order.
  private var active: [ServerStream] = []
  /// Streams whose request may still wait for body bytes of the same read.
  private var unflushed: [ServerStream] = []
  private var isFlushDue = false
  private var isReceiving = false
  private var mayHaveUnread = false
  private var sawPeerClosed = false
  private var drainStage = DrainStage.none

  private enum DrainStage {
    case none
    /// The caller has been told to open no more streams; those on their way are still served.
    case noticed
    case final
  }

  private static let readsPerTurn = 8
  /// Bytes taken from the session for one write.
  private static let writeBytes = 65_536
  /// Between the notice and the last word of a graceful end: longer than most round trips.
  private static let noticeMilliseconds: UInt64 = 500
  private static let lazyTag: UInt8 = 0
  private static let drainTag: UInt8 = 1

  override init(
    server: ServerRuntime, worker: Worker, descriptor: consuming Descriptor, peer: SocketAddress?, tls: TLSSession?
  ) {
    openedAt = worker.loop.now
    lastMoved = openedAt
    super.init(server: server, worker: worker, descriptor: descriptor, peer: peer, tls: tls)
    session = HTTP2Session(role: .server, settings: server.http2, delegate: self)
  }

  /// `received`: what came before it was known which protocol this is.
  func start(received: UnsafeRawBufferPointer) {
    worker.connectionOpened(self)
    guard (try? register()) != nil else { return closeNow() }
    armLazily()
    scheduleFlush()
    mayHaveUnread = true
    process(received)
    if worker.isDraining { drain() }
  }

  // MARK: Events

  override func ready(_ events: ReadyEvents) {
    if events.contains(.peerClosed) { sawPeerClosed = true }
    if events.contains(.writable), isBlocked || tls != nil { flushOutput() }
    if !events.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { receive() }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    switch tag {
    case EventLoop.deferredTag:
      isFlushDue = false
      if mayHaveUnread { receive() }
      flush()
    case Self.drainTag:
      timer = .none
      finishDrain()
    default:
      timer = .none
      checkDeadlines(now)
    }
  }

  // MARK: Receiving

  private func receive() {
    mayHaveUnread = false
    for _ in 0..<Self.readsPerTurn {
      guard isOpen else { return }
      let target = worker.serverBuffer
      let count = receiveBytes(into: target)
      if count <= 0 {
        if count < 0 && Socket.wouldBlock(count) { return }
        return closeNow()
      }
      server.stats.received(bytes: count)
      process(UnsafeRawBufferPointer(rebasing: target[..<count]))
      if isDry(after: count, of: target.count) && !sawPeerClosed { return }
    }
    if isOpen {
      mayHaveUnread = true
      scheduleFlush()
    }
  }

  private func process(_ bytes: UnsafeRawBufferPointer) {
    guard isOpen, bytes.count > 0 else { return }
    lastMoved = loop.now
    // A failure has its GOAWAY in the output; `flush` closes behind it.
    _ = session.receive(bytes, now: loop.now)
    if !unflushed.isEmpty {
      for stream in unflushed { stream.exchange?.flushRequest() }
      unflushed.removeAll(keepingCapacity: true)
    }
    scheduleFlush()
  }

  // MARK: What the session tells

  func takeBuffer() -> ByteBuffer { worker.takeBuffer() }

  func giveBack(_ buffer: ByteBuffer) { worker.giveBack(buffer) }

  func newStream() -> HTTP2Stream {
    let stream = worker.takeServerStream()
    stream.connection = self
    return stream
  }

  func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    let stream = unsafeDowncast(stream, to: ServerStream.self)
    switch worker.requestHead.parse(text, limits: server.router.limits) {
    case .complete: break
    case .needMore: return refuse(stream, .decodeMalformed, status: 400, detail: "The head has no end.")
    case .failed(let error): return refuse(stream, error.reason, status: error.status, detail: "\(error)")
    }
    let exchange = worker.takeExchange()
    stream.exchange = exchange
    stream.position = active.count
    active.append(stream)
    exchange.begin(stream, text)
    if endStream { stream.exchange?.flushRequest() } else if stream.exchange != nil { unflushed.append(stream) }
  }

  func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
    refuse(
      unsafeDowncast(stream, to: ServerStream.self), .decodeTooLarge, status: 431,
      detail: "The head is longer than maxHeaderListBytes, \(session.settings.maxHeaderListBytes).")
  }

  func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    unsafeDowncast(stream, to: ServerStream.self).received(bytes)
  }

  func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    unsafeDowncast(stream, to: ServerStream.self).received(trailers: text)
  }

  func ended(_ stream: HTTP2Stream) { unsafeDowncast(stream, to: ServerStream.self).requestEnded() }

  func outputDrained(_ stream: HTTP2Stream) {
    unsafeDowncast(stream, to: ServerStream.self).exchange?.responseOutputDrained()
  }

  func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    let stream = unsafeDowncast(stream, to: ServerStream.self)
    stream.dropInbox()
    if let exchange = stream.exchange {
      leave(stream)
      exchange.callerGone()
    }
    stream.connection = nil
    worker.giveBack(stream)
    if drainStage != .none || !isOpen { scheduleFlush() }
  }

  /// An answer without an exchange, because there is no request to make one of.
  private func refuse(_ stream: ServerStream, _ reason: Reason, status: Int, detail: String) {
    server.stats.requestBegan()
    server.stats.requestFailed(reason, status: status, microseconds: 0)
    let answer = FailureAnswer(
      reason: reason, status: status, router: server.router.label, host: worker.hostName, name: nil, detail: detail)
    stream.answer(answer, isHead: false, retryable: false)
    server.router.accessLog?.refused(self, status: status, reason: reason, worker: worker)
  }

  // MARK: Calls of the streams

  /// The stream's exchange is over.
  func leave(_ stream: ServerStream) {
    guard stream.exchange != nil else { return }
    stream.exchange = nil
    let last = active.removeLast()
    if stream.position < active.count {
      active[stream.position] = last
      last.position = stream.position
    }
  }

  /// For the streams of this connection.
  @inline(__always)
  func withSession(_ body: (HTTP2Session) -> Void) {
    guard isOpen else { return }
    body(session)
    scheduleFlush()
  }

  // MARK: Output

  @inline(__always)
  private func scheduleFlush() {
    if isFlushDue { return }
    isFlushDue = true
    loop.deferToEndOfTurn(self)
  }

  private func flush() {
    let out = worker.frameScratch
    while isOpen && !isBlocked {
      let hasMore = session.takeOutput(into: out, upTo: Self.writeBytes)
      if out.isEmpty { break }
      server.stats.sent(bytes: out.count)
      write(out.readable)
      out.removeAll()
      if !hasMore { break }
    }
    guard isOpen, !isBlocked else { return }
    if session.isFinished || (drainStage == .final && session.streamCount == 0) { closeGently() }
  }

  override func outputDrained() {
    lastMoved = loop.now
    flush()
  }

  override func outputBroke() { closeNow() }

  // MARK: End

  /// All is said: FIN first, so that the last frames are not lost to a reset.
  private func closeGently() {
    finishOutput()
    closeNow()
  }

  private func closeNow() {
    guard isOpen else { return }
    loop.cancel(timer)
    dropOutput()
    closeChannel()
    unflushed.removeAll()
    session.abandon(code: .cancel)
    server.stats.connectionClosed()
    server.connectionLimit?.leave()
    worker.connectionClosed(self)
  }

  override func drain() {
    guard isOpen, drainStage == .none else { return }
    drainStage = .noticed
    session.shutdownNotice()
    scheduleFlush()
    loop.cancel(timer)
    timer = loop.schedule(
      self, tag: Self.drainTag, at: loop.now.advanced(byMilliseconds: Self.noticeMilliseconds))
  }

  private func finishDrain() {
    drainStage = .final
    session.goaway(code: .noError)
    scheduleFlush()
    armLazily()
  }

  override func forceClose() { closeNow() }

  // MARK: Time

  private func armLazily() {
    timer = loop.schedule(self, tag: Self.lazyTag, at: loop.now.advanced(byMilliseconds: server.timerStep))
  }

  /// As `ServerConnection.checkDeadlines`: wakes at least once per shortest limit and looks at everything.
  private func checkDeadlines(_ now: MonotonicInstant) {
    guard isOpen else { return }
    func isOver(_ limit: Int?, since start: MonotonicInstant) -> Bool {
      guard let limit else { return false }
      return now.nanoseconds(since: start) >= UInt64(limit) * 1_000_000
    }
    if !session.prefaceReceived, isOver(server.configuration.headerTimeoutMilliseconds, since: openedAt) {
      return closeNow()
    }
    for stream in active {
      guard let exchange = stream.exchange else { continue }
      if isOver(server.router.configuration.streamIdleTimeoutMilliseconds, since: exchange.lastMoved) {
        exchange.timedOut(stream.isBlocked ? .relayTooSlowReader : .relayIdleTimeout)
      }
    }
    guard isOpen, drainStage == .none else { return armIfOpen() }
    if active.isEmpty && isOver(server.configuration.session.idleTimeMilliseconds, since: lastMoved) { return drain() }
    if isOver(server.configuration.session.lifeTimeMilliseconds, since: openedAt) { return drain() }
    armIfOpen()
  }

  private func armIfOpen() { if isOpen { armLazily() } }
}

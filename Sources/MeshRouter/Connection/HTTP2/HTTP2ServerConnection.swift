import Config
import HTTP
import MeshBase
import Net

/// A caller's HTTP/2 connection: many exchanges at a time, one per stream.
///
/// Frames gather in the session and go to the kernel once a turn, so that the responses of one turn share a write.
/// While the kernel takes no more, they stay in the session, and each stream's exchange feels it by itself.
final class HTTP2ServerConnection: CallerChannel {
  private let session: HTTP2Session
  /// Kept for the session.
  private var events: HTTP2ServerEvents?
  private let openedAt: MonotonicInstant
  private var lastMoved: MonotonicInstant
  private var timer = TimerID.none
  /// Streams with an exchange, in no order.
  private var active: [Unretained<ServerStream>] = []
  /// Streams whose request may still wait for body bytes of the same read.
  private var unflushed: [Unretained<ServerStream>] = []
  /// Requests of this read, which begin at its end: one that is reset in the same read costs nobody anything.
  private var held: [HeldRequest] = []
  /// The heads of `held`; pooled.
  private var heldHeads: ByteBuffer?
  private var isFlushDue = false
  private var mayHaveUnread = false
  private var sawPeerClosed = false
  /// Bytes of the next read.
  private var readBytes = HTTP2Turn.carefulReadBytes
  /// The session's, when `readBytes` was last looked at.
  private var charged = 0
  private var drainStage = DrainStage.none
  /// All is said: what still comes is read and dropped until the caller has closed too, so that the last frames are not
  /// lost to a reset.
  private var isLingering = false
  private var lingerBytesLeft = 1 << 20
  private var failureIsCounted = false

  private enum DrainStage {
    case none
    /// The caller has been told to open no more streams; those on their way are still served.
    case noticed
    case final
  }

  private struct HeldRequest {
    /// Nil if it has begun or is gone.
    var stream: Unretained<ServerStream>
    /// Of its head in `heldHeads`.
    var range: Range<Int>
    var endStream: Bool
  }

  /// Beyond so many bytes, requests do not wait for the end of the read.
  private static let heldBytesMax = 65_536
  /// Between the notice and the last word of a graceful end: longer than most round trips.
  private static let noticeMilliseconds: UInt64 = 500
  /// For the last frames to get out, and for the caller to close behind them.
  private static let lingerMilliseconds: UInt64 = 2_000
  private static let lazyTag: UInt8 = 0
  private static let drainTag: UInt8 = 1
  private static let lingerTag: UInt8 = 2

  override init(
    server: ServerRuntime, worker: Worker, descriptor: consuming Descriptor, peer: SocketAddress?, tls: TLSSession?
  ) {
    openedAt = worker.loop.now
    lastMoved = openedAt
    session = HTTP2Session(
      role: .server, settings: server.http2, limits: server.configuration.http2.limits, workshop: worker.http2Workshop)
    super.init(server: server, worker: worker, descriptor: descriptor, peer: peer, tls: tls)
    let events = HTTP2ServerEvents(self)
    self.events = events
    session.delegate = events
  }

  /// Goes on from an HTTP/1.1 request with `Upgrade: h2c` and without a body, parsed in `worker.requestHead`, which
  /// becomes the first stream (RFC 7540 §3.2); `received` is what came behind it.
  func start(upgraded head: UnsafeRawBufferPointer, settings: ByteRange, received: UnsafeRawBufferPointer) {
    worker.connectionOpened(self)
    guard (try? register()) != nil else { return closeNow() }
    let out = worker.frameScratch
    out.append("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    server.stats.sent(bytes: out.count)
    write(out.readable)
    out.removeAll()
    guard isOpen else { return }
    begin()
    session.now = loop.now
    let isHead = worker.requestHead.method == .head
    let first = worker.takeServerStream()
    let isUpgraded = first { stream in
      stream.connection = Unretained(self)
      // That the settings are sound was looked at before.
      guard session.upgrade(stream, settings: head[settings], isHead: isHead) else { return false }
      server.stats.streamOpened()
      begin(stream, head, endStream: true)
      return true
    }
    if isUpgraded == true { goOn(received) } else { closeNow() }
  }

  /// `received`: what came before it was known which protocol this is.
  func start(received: UnsafeRawBufferPointer) {
    worker.connectionOpened(self)
    guard (try? register()) != nil else { return closeNow() }
    begin()
    goOn(received)
  }

  private func begin() {
    armLazily()
    scheduleFlush()
  }

  private func goOn(_ received: UnsafeRawBufferPointer) {
    mayHaveUnread = true
    process(received)
    if server.isDraining { drain() }
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
    case Self.lingerTag:
      timer = .none
      closeNow()
    default:
      timer = .none
      checkDeadlines(now)
    }
  }

  // MARK: Receiving

  private func receive() {
    mayHaveUnread = false
    for _ in 0..<HTTP2Turn.reads {
      guard isOpen else { return }
      let target = UnsafeMutableRawBufferPointer(rebasing: worker.serverBuffer[..<readBytes])
      let count = receiveBytes(into: target)
      if count <= 0 {
        if count < 0 && Socket.wouldBlock(count) { return }
        _ = overdidTLS()
        return closeNow()
      }
      server.stats.received(bytes: count)
      if isLingering {
        lingerBytesLeft -= count
        if lingerBytesLeft < 0 { return closeNow() }
        if isDry(after: count, of: target.count) && !sawPeerClosed { return }
        continue
      }
      process(UnsafeRawBufferPointer(rebasing: target[..<count]))
      if isDry(after: count, of: target.count) && !sawPeerClosed { return }
      if !readsOn() { break }
    }
    if isOpen {
      mayHaveUnread = true
      scheduleFlush()
    }
  }

  /// There is more to read; whether in this turn. What a read has cost shows when its answers have gone out.
  private func readsOn() -> Bool {
    let before = charged
    charged = session.charged
    let wasFull = readBytes == worker.serverBuffer.count
    readBytes =
      charged &- before > HTTP2Turn.chargesMax
      ? HTTP2Turn.carefulReadBytes : min(readBytes * 2, worker.serverBuffer.count)
    return wasFull && readBytes == worker.serverBuffer.count
  }

  private func process(_ bytes: UnsafeRawBufferPointer) {
    guard isOpen, bytes.count > 0 else { return }
    lastMoved = loop.now
    // A failure has its GOAWAY in the output; `flush` closes behind it.
    if session.receive(bytes, now: loop.now) != nil { failed() }
    if !held.isEmpty { if session.failure == nil { beginHeld() } else { dropHeld() } }
    if !unflushed.isEmpty {
      for stream in unflushed { stream { $0.exchange { $0.flushRequest() } } }
      unflushed.removeAll(keepingCapacity: true)
    }
    scheduleFlush()
  }

  // MARK: What the session tells

  func requestHead(_ stream: ServerStream, text: UnsafeRawBufferPointer, endStream: Bool) {
    server.stats.streamOpened()
    if heldHeads == nil { heldHeads = worker.takeBuffer() }
    let bytes =
      Unretained(heldHeads) { heads in
        let start = heads.count
        heads.append(text)
        return start..<heads.count
      } ?? 0..<0
    stream.heldIndex = held.count
    held.append(HeldRequest(stream: Unretained(stream), range: bytes, endStream: endStream))
    if bytes.upperBound > Self.heldBytesMax { beginHeld() }
  }

  private func beginHeld() {
    for index in held.indices { beginHeld(at: index) }
    dropHeld()
  }

  private func dropHeld() {
    for request in held { request.stream { $0.heldIndex = -1 } }
    held.removeAll(keepingCapacity: true)
    if let heldHeads { worker.giveBack(heldHeads) }
    heldHeads = nil
  }

  private func beginHeld(at index: Int) {
    let request = held[index]
    held[index].stream = nil
    request.stream { stream in
      stream.heldIndex = -1
      Unretained(heldHeads) { begin(stream, request, in: $0.readable) }
    }
  }

  private func begin(_ stream: ServerStream, _ request: HeldRequest, in heads: UnsafeRawBufferPointer) {
    let text = UnsafeRawBufferPointer(rebasing: heads[request.range])
    switch worker.requestHead.parse(text, limits: server.http2HeadLimits) {
    case .complete: break
    case .needMore: return refuse(stream, .decodeMalformed, status: 400, detail: "The head has no end.")
    case .failed(let error):
      return refuse(stream, error.reason, status: error.status, detail: "\(error)", isHead: text.isHeadRequest)
    }
    begin(stream, text, endStream: request.endStream)
  }

  /// What comes for a stream is for the exchange, which must have begun.
  @inline(__always)
  private func beginIfHeld(_ stream: ServerStream) { if stream.heldIndex >= 0 { beginHeld(at: stream.heldIndex) } }

  private func begin(_ stream: ServerStream, _ text: UnsafeRawBufferPointer, endStream: Bool) {
    stream.exchange = worker.takeExchange()
    stream.position = active.count
    active.append(Unretained(stream))
    stream.exchange { $0.begin(stream, server.current, text) }
    // It may be over already.
    if stream.exchange == nil { return }
    if endStream { stream.exchange { $0.flushRequest() } } else { unflushed.append(Unretained(stream)) }
  }

  func headersTooLarge(_ stream: ServerStream, endStream: Bool) {
    beginIfHeld(stream)
    let limit = session.settings.maxHeaderListBytes
    if stream.exchange != nil {
      return stream.exchange {
        $0.requestIsBad(.decodeTooLarge, "The trailers are longer than maxHeaderListBytes, \(limit).")
      }
    }
    // Trailers of a request that is answered already: the answer, which may still wait here, stands.
    if stream.responded {
      if !endStream { session.reset(stream, code: .cancel) }
      return
    }
    server.stats.streamOpened()
    refuse(
      stream, .decodeTooLarge, status: 431, detail: "The head is longer than maxHeaderListBytes, \(limit).",
      isHead: stream.refusedIsHead)
  }

  func data(_ stream: ServerStream, _ bytes: UnsafeRawBufferPointer) {
    beginIfHeld(stream)
    stream.received(bytes)
  }

  func trailers(_ stream: ServerStream, text: UnsafeRawBufferPointer) {
    beginIfHeld(stream)
    stream.received(trailers: text)
  }

  func ended(_ stream: ServerStream) {
    beginIfHeld(stream)
    stream.requestEnded()
  }

  func outputDrained(_ stream: ServerStream) { stream.exchange { $0.responseOutputDrained() } }

  func closed(_ stream: ServerStream, code: HTTP2ErrorCode) {
    server.stats.streamClosed()
    if code != .noError && isOpen { server.stats.streamReset(code: code.rawValue, isLocal: stream.isReset) }
    stream.dropInbox()
    if stream.heldIndex >= 0 {
      held[stream.heldIndex].stream = nil
      stream.heldIndex = -1
    }
    let exchange = stream.exchange
    if exchange != nil {
      leave(stream)
      exchange { $0.callerGone() }
    }
    stream.connection = nil
    worker.giveBack(stream)
    if drainStage != .none || !isOpen { scheduleFlush() }
  }

  /// An answer without an exchange, because there is no request to make one of.
  private func refuse(
    _ stream: ServerStream, _ reason: Reason, status: Int, detail: String, isHead: Bool = false
  ) {
    server.stats.requestBegan()
    server.stats.requestFailed(reason, status: status, microseconds: 0)
    let answer = FailureAnswer(
      reason: reason, status: status, router: server.router.label, host: worker.hostName, name: nil, detail: detail)
    stream.answer(answer, isHead: isHead, retryable: false)
    stream.discardInput()
    server.current.router.accessLog?.refused(self, status: status, reason: reason, worker: worker)
  }

  // MARK: Calls of the streams

  /// The stream's exchange is over.
  func leave(_ stream: ServerStream) {
    guard stream.exchange != nil else { return }
    stream.exchange = nil
    let last = active.removeLast()
    if stream.position < active.count {
      active[stream.position] = last
      last { $0.position = stream.position }
    }
  }

  /// For the streams of this connection.
  @inline(__always)
  func withSession(_ body: (HTTP2Session) -> Void) {
    guard isOpen, !isLingering else { return }
    session.now = loop.now
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
    if isLingering { return }
    writeFrames(of: session) { server.stats.sent(bytes: $0) }
    if session.failure != nil { failed() }
    guard isOpen, !isBlocked else { return }
    if session.isFinished || (drainStage == .final && session.streamCount == 0) { closeGently() }
  }

  /// The session has failed: counts why, once, and sees to it that the last frames do not wait for ever.
  private func failed() {
    guard !failureIsCounted, let failure = session.failure else { return }
    failureIsCounted = true
    if let abuse = failure.abuse { count(abuse, explanation: failure.explanation) }
    loop.cancel(timer)
    timer = loop.schedule(self, tag: Self.lingerTag, at: loop.now.advanced(byMilliseconds: Self.lingerMilliseconds))
  }

  private func count(_ abuse: HTTP2Abuse, explanation: String) {
    server.stats.abused(abuse)
    worker.tellAbuse(abuse, router: server.router.index, peer: peer, explanation: explanation)
  }

  override func outputDrained() {
    lastMoved = loop.now
    flush()
  }

  override func outputBroke() { closeNow() }

  // MARK: End

  /// All is said: FIN first, so that the last frames are not lost to a reset.
  private func closeGently() {
    isLingering = true
    finishOutput()
    session.abandon(code: .cancel)
    if sawPeerClosed && !mayHaveUnread { return closeNow() }
    loop.cancel(timer)
    timer = loop.schedule(self, tag: Self.lingerTag, at: loop.now.advanced(byMilliseconds: Self.lingerMilliseconds))
    mayHaveUnread = true
    scheduleFlush()
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
    guard isOpen, drainStage == .none, session.failure == nil, !isLingering else { return }
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
    var step = server.timerStep
    if !session.prefaceReceived { step = min(step, UInt64(server.configuration.headerTimeoutMilliseconds)) }
    timer = loop.schedule(self, tag: Self.lazyTag, at: loop.now.advanced(byMilliseconds: step))
  }

  /// As `ServerConnection.checkDeadlines`: wakes at least once per shortest limit and looks at everything.
  private func checkDeadlines(_ now: MonotonicInstant) {
    guard isOpen else { return }
    func isOver(_ limit: Int?, since start: MonotonicInstant) -> Bool {
      guard let limit else { return false }
      return now.nanoseconds(since: start) >= UInt64(limit) * 1_000_000
    }
    if !session.prefaceReceived, isOver(server.configuration.headerTimeoutMilliseconds, since: openedAt) {
      session.fail(.slowPreface)
      failed()
      return scheduleFlush()
    }
    let idleLimit = server.router.configuration.streamIdleTimeoutMilliseconds
    for stream in active {
      guard let stream = stream.retained, let exchange = stream.exchange.retained else { continue }
      if isOver(idleLimit, since: exchange.lastMoved) {
        if stream.isBlocked && session.stalledSince(stream) != nil {
          count(.zeroWindow, explanation: "the stream was reset")
        }
        exchange.timedOut(stream.isBlocked ? .relayTooSlowReader : .relayIdleTimeout)
      }
    }
    // Answers that are whole already and that the caller does not let out.
    if let idleLimit, now.nanoseconds > UInt64(idleLimit) * 1_000_000 {
      let limit = MonotonicInstant(nanoseconds: now.nanoseconds - UInt64(idleLimit) * 1_000_000)
      let stalled = session.resetStalled(since: limit)
      if stalled > 0 {
        for _ in 0..<stalled { count(.zeroWindow, explanation: "the stream was reset") }
        scheduleFlush()
      }
    }
    guard isOpen, drainStage == .none else { return armIfOpen() }
    if active.isEmpty && isOver(server.configuration.session.idleTimeMilliseconds, since: lastMoved) { return drain() }
    if isOver(server.configuration.session.lifeTimeMilliseconds, since: openedAt) { return drain() }
    armIfOpen()
  }

  private func armIfOpen() { if isOpen { armLazily() } }
}

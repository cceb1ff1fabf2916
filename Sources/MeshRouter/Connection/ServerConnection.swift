import Config
import HTTP
import MeshBase
import Net
import Telemetry

/// One listening address on one worker.
final class ServerRuntime {
  let router: RouterRuntime
  let configuration: Configuration.Server
  let address: SocketAddress
  /// Number of the listening socket.
  let socket: Int
  /// What has taken its place in a reload: the connections go on, and their next requests are its.
  @exclusivity(unchecked) private(set) var successor: ServerRuntime?
  /// A reload has removed it: its connections end as their requests do.
  @exclusivity(unchecked) private(set) var isClosing = false
  /// Then, when they are closed all the same.
  private var endsAt = MonotonicInstant(nanoseconds: .max)
  /// Open connections that were accepted here, and requests in progress.
  var connections = 0
  @exclusivity(unchecked) var exchanges = 0
  let stats: ServerStats
  let connectionLimit: SharedLimit?
  /// What requests have to pass; `nil`: nothing.
  let admission: Admission?
  // Read for every request, and so kept apart: reading one out of the whole configuration may copy it.
  let clearContext: Bool
  /// Changes with its files; connections keep the one they were made with.
  var tls: TLSServerContext?
  let rejectsMisdirected: Bool
  let http2: HTTP2Settings
  /// For request heads that came over HTTP/2: their field section is bounded as a whole.
  let http2HeadLimits: H1Limits
  let maxCallDepth: Int
  let allowConnect: Bool
  /// `name: ` of the header that gets the time of arrival.
  let timestampPrefix: [UInt8]?
  let forwarded: Configuration.Server.ForwardedHeader?
  let lifeTimeNanoseconds: UInt64?
  /// The longest a lazily armed connection timer may sleep, so that no deadline is missed by more than a tick.
  let timerStep: UInt64

  init(plan: ServerPlan, router: RouterRuntime) {
    self.router = router
    configuration = plan.configuration
    address = plan.address
    socket = plan.socket
    stats = plan.stats
    connectionLimit = plan.connectionLimit
    admission = Admission(
      router: router.rates, server: plan.rates, importance: router.importance, gate: plan.gate)
    clearContext = plan.configuration.clearContext
    tls = plan.tls
    rejectsMisdirected = plan.tls != nil && plan.configuration.tls?.rejectMisdirected ?? true
    var http2 = HTTP2Settings(plan.configuration.http2)
    http2.maxConcurrentStreams = plan.configuration.maxConcurrentStreamsPerConnection
    self.http2 = http2
    http2HeadLimits = H1Limits(http2: http2)
    maxCallDepth = plan.configuration.maxCallDepth
    allowConnect = plan.configuration.allowConnect
    timestampPrefix = plan.configuration.timestampHeader.map { Array("\($0): ".utf8) }
    forwarded = plan.configuration.addForwardedHeader
    lifeTimeNanoseconds = plan.configuration.session.lifeTimeMilliseconds.map { UInt64($0) * 1_000_000 }
    let deadlines = [
      plan.configuration.session.idleTimeMilliseconds, plan.configuration.session.lifeTimeMilliseconds,
      router.configuration.streamIdleTimeoutMilliseconds,
    ].compactMap { $0 }
    timerStep = UInt64(min(deadlines.min() ?? 30_000, 30_000))
  }
}

extension ServerRuntime {
  /// Whom the next request of a connection that was accepted here is for.
  @inline(__always)
  var current: ServerRuntime { successor ?? self }

  /// Callers go on with `next`; `nil`: their connections end, at the given time at the latest.
  func hand(to next: ServerRuntime?, endingAt end: MonotonicInstant) {
    if let next {
      successor = next
      return
    }
    isClosing = true
    endsAt = end
  }

  /// Its connections have had their time to end.
  func isOverdue(_ now: MonotonicInstant) -> Bool { isClosing && now >= endsAt }

  /// Connections end after the request in progress.
  var isDraining: Bool { isClosing || router.worker.isDraining }

  /// Counts a caller's handshake that came to nothing, and has it logged.
  func handshakeFailed(_ failure: TLSFailure, _ text: String, peer: SocketAddress?) {
    stats.handshakeFailed()
    router.worker.tellControl(
      .handshakeFailed(peer: peer, name: address.description, word: failure.word, text: text))
  }
}

/// A caller's HTTP/1.x connection: frames requests out of the byte stream, in order, one exchange at a time.
///
/// Pipelined requests wait in the kernel, or at most one read's worth of them in `inbox`, until the response before
/// them is out.
final class ServerConnection: CallerChannel {
  private enum Input {
    /// TLS is being agreed on.
    case handshake
    /// Between requests, or within a head.
    case head
    /// Within the body of the present exchange's request.
    case body
    /// The request is in; its response is not yet out.
    case waiting
    case tunnel
    /// The answer is out, the connection ends: read and drop until the peer has closed too, so that the answer is not
    /// lost to a reset (RFC 9112 §9.6).
    case lingering(bytesLeft: Int)
    case closed
  }

  private var input = Input.head
  private(set) var exchange: Unretained<Exchange> = nil
  /// Received and not used yet; pooled.
  private var inbox: ByteBuffer?
  private var timer = TimerID.none
  private let openedAt: MonotonicInstant
  /// Last time that something was received, or handed to the kernel.
  private(set) var lastMoved: MonotonicInstant
  private var headStartedAt: MonotonicInstant?
  /// The end of lingering's first term, if there are more.
  private var lingersSince: MonotonicInstant?
  /// Bytes may be in the kernel that no event will tell of again.
  private var mayHaveUnread = false
  private var sawPeerClosed = false
  private var isProcessing = false
  /// Nothing has been served yet, so this may turn out to be HTTP/2.
  private var isFirst = true

  private static let readsPerTurn = 8
  /// Without a byte from the caller for so long, lingering ends.
  private static let lingerMilliseconds: UInt64 = 2_000
  private static let lingerMillisecondsMax: UInt64 = 30_000
  private static let lingerBytesMax = 1 << 26

  private static let lazyTag: UInt8 = 0
  private static let headTag: UInt8 = 1
  private static let lingerTag: UInt8 = 2
  private static let drainTag: UInt8 = 3

  init(server: ServerRuntime, worker: Worker, descriptor: consuming Descriptor, peer: SocketAddress?) {
    openedAt = worker.loop.now
    lastMoved = openedAt
    let tls = server.tls.map { TLSSession(server: $0, descriptor: descriptor.raw, workspace: worker.tlsWorkspace) }
    super.init(server: server, worker: worker, descriptor: descriptor, peer: peer, tls: tls)
  }

  func start() {
    server.stats.connectionOpened()
    worker.connectionOpened(self)
    guard (try? register()) != nil else { return closeNow() }
    if tls == nil { return armLazily() }
    input = .handshake
    headIsPartial()
  }

  // MARK: TLS

  private func shakeHands() {
    guard let tls else { return }
    switch tls.handshake() {
    case .wantsMore: break
    case .failed(let failure):
      server.handshakeFailed(failure, tls.failureText, peer: peer)
      if failure == .plainHTTP { answerInClear() }
      closeNow()
    case .done:
      worker.stats.stage(.tls, nanoseconds: loop.now.nanoseconds(since: openedAt))
      headStartedAt = nil
      loop.cancel(timer)
      input = .head
      if tls.application == .h2 { return becomeHTTP2(UnsafeRawBufferPointer(start: nil, count: 0)) }
      armLazily()
      if server.isDraining { armDrain() }
      if tls.hasPending { receive() }
    }
  }

  /// The caller forgot TLS. Its request was read by the handshake, so closing does not reset the answer.
  private func answerInClear() {
    let scratch = worker.scratch
    scratch.removeAll()
    FailureAnswer(
      reason: .decodeMalformed, status: 400, router: server.router.label, host: worker.hostName, name: nil,
      detail: "This port speaks TLS: use https://"
    )
    .write(to: scratch, worker: worker, keepAlive: false, isHead: false, retryable: false)
    _ = Socket.send(descriptor, scratch.readable)
    scratch.removeAll()
    Socket.shutdownWrite(descriptor)
    _ = Socket.receive(descriptor, into: worker.serverBuffer)
  }

  // MARK: Events

  override func ready(_ events: ReadyEvents) {
    if events.contains(.peerClosed) { sawPeerClosed = true }
    if !events.isDisjoint(with: [.hangUp, .error]), exchange != nil, !isTunnelEnd(events) {
      // The caller is gone for good; nobody waits for the rest.
      return callerGone()
    }
    if case .handshake = input { return shakeHands() }
    if events.contains(.writable), isBlocked || tls != nil {
      lastMoved = loop.now
      flushOutput()
    }
    if !events.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { receive() }
  }

  /// Both directions of a tunnel have seen FIN: what the caller sent before its own is still to be read.
  private func isTunnelEnd(_ events: ReadyEvents) -> Bool {
    if case .tunnel = input { !events.contains(.error) } else { false }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    switch tag {
    case EventLoop.deferredTag: resumeInput()
    case Self.headTag: headTimedOut(now)
    case Self.lingerTag: lingered(now)
    case Self.drainTag:
      timer = .none
      drainIsOver(now)
    default:
      timer = .none
      checkDeadlines(now)
    }
  }

  // MARK: Receiving

  private var wantsInput: Bool {
    switch input {
    case .lingering: true
    // A caller that does not read its responses gets no further requests served.
    case .head: !isBlocked
    case .body, .tunnel: exchangeTakesBytes
    case .handshake, .waiting, .closed: false
    }
  }

  private var exchangeTakesBytes: Bool { exchange { $0.takesRequestBytes } ?? false }

  /// Goes on with what is at hand: first the inbox, then the kernel.
  func resumeInput() {
    guard isOpen, !isProcessing else { return }
    if let inbox, wantsInput { process(inbox.readable, in: inbox) }
    if isOpen && mayHaveUnread && wantsInput { receive() }
  }

  private func receive() {
    for _ in 0..<Self.readsPerTurn {
      guard isOpen else { return }
      guard wantsInput, !isProcessing else {
        mayHaveUnread = true
        return
      }
      mayHaveUnread = false
      let count: Int
      let room: Int
      if let inbox {
        let target = inbox.writable(minimum: 4_096)
        room = target.count
        count = receiveBytes(into: target)
        if count > 0 {
          inbox.didWrite(count)
          received(count)
          process(inbox.readable, in: inbox)
        }
      } else {
        let target =
          isFirst
          ? UnsafeMutableRawBufferPointer(rebasing: worker.serverBuffer[..<HTTP2Turn.carefulReadBytes])
          : worker.serverBuffer
        room = target.count
        count = receiveBytes(into: target)
        if count > 0 {
          received(count)
          process(UnsafeRawBufferPointer(rebasing: target[..<count]), in: nil)
        }
      }
      if count <= 0 {
        if count < 0 && Socket.wouldBlock(count) { return }
        if overdidTLS() { return callerGone() }
        return peerEnded(error: Int32(-count))
      }
      if isDry(after: count, of: room) && !sawPeerClosed { return }
    }
    if isOpen {
      mayHaveUnread = true
      loop.deferToEndOfTurn(self)
    }
  }

  @inline(__always)
  private func received(_ count: Int) {
    lastMoved = loop.now
    server.stats.received(bytes: count)
  }

  private func peerEnded(error: Int32) {
    switch input {
    case .handshake, .closed: return
    case .head:
      // A head cut short never was a request; there is nobody to answer.
      if isBlocked { linger() } else { closeNow() }
    case .lingering:
      if !isBlocked { closeNow() }
    case .body:
      callerGone()
    case .waiting:
      // Half closed: the caller may still read its response.
      break
    case .tunnel:
      if error == 0 { exchange { $0.tunnelEndedByCaller() } } else { callerGone() }
    }
  }

  private func process(_ bytes: UnsafeRawBufferPointer, in source: ByteBuffer?) {
    isProcessing = true
    var offset = 0
    steps: while offset < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      switch input {
      case .head:
        if isBlocked { break steps }
        if isFirst {
          switch HTTP2Preface.match(rest) {
          case .no: isFirst = false
          case .partial:
            headIsPartial()
            break steps
          case .yes: return becomeHTTP2(rest)
          }
        }
        switch worker.requestHead.parse(rest, limits: server.router.limits) {
        case .needMore:
          // An empty line after a body is no request (RFC 9112 §2.2).
          if rest.contains(where: { $0 > UInt8(ascii: "\r") }) { headIsPartial() }
          break steps
        case .failed(let error):
          offset = bytes.count
          refuse(error, rest)
        case .complete:
          let head = UnsafeRawBufferPointer(rebasing: rest[..<worker.requestHead.length])
          offset += head.count
          if let settings = http2UpgradeSettings(head) {
            return becomeHTTP2(UnsafeRawBufferPointer(rebasing: rest[head.count...]), upgraded: head, settings)
          }
          beginExchange(head)
        }
      case .body:
        guard exchangeTakesBytes else { break steps }
        offset += exchange { $0.relayRequest(rest) } ?? 0
      case .tunnel:
        guard exchangeTakesBytes else { break steps }
        exchange { $0.tunnelFromCaller(rest) }
        offset = bytes.count
      case .lingering(let left):
        let dropped = bytes.count - offset
        offset = bytes.count
        input = .lingering(bytesLeft: left - dropped)
        if left < dropped { closeNow() }
      case .handshake, .waiting, .closed:
        break steps
      }
    }
    isProcessing = false
    guard isOpen else { return }
    exchange { $0.flushRequest() }
    guard isOpen else { return }
    if let source {
      // Unless it was given back meanwhile, because the connection ends.
      if inbox === source {
        source.consume(offset)
        if source.isEmpty { dropInbox() }
      }
    } else if offset < bytes.count {
      let buffer = worker.takeBuffer()
      buffer.append(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
      inbox = buffer
    }
    // The exchange may have ended while its request was being flushed, with the next request already at hand.
    if case .head = input, let inbox, inbox.count > 0, offset > 0 { loop.deferToEndOfTurn(self) }
  }

  private func dropInbox() {
    if let inbox { worker.giveBack(inbox) }
    inbox = nil
  }

  /// The caller speaks HTTP/2 from its first byte: another object goes on with the socket, and with what has come.
  /// `upgraded`: by this request, which has been parsed, and whose settings stand there.
  private func becomeHTTP2(
    _ bytes: UnsafeRawBufferPointer, upgraded head: UnsafeRawBufferPointer? = nil, _ settings: ByteRange = .empty
  ) {
    isProcessing = false
    loop.cancel(timer)
    input = .closed
    worker.connectionClosed(self)
    let next = HTTP2ServerConnection(
      server: server, worker: worker, descriptor: detachDescriptor(), peer: peer, tls: tls)
    if let head {
      next.start(upgraded: head, settings: settings, received: bytes)
    } else {
      next.start(received: bytes)
    }
    dropInbox()
  }

  /// The value of HTTP2-Settings if the caller of this request wants to go on with HTTP/2 (RFC 7540 §3.2). One with a
  /// body is served as HTTP/1.1, which it may be: the body would have to be read first.
  private func http2UpgradeSettings(_ head: UnsafeRawBufferPointer) -> ByteRange? {
    guard worker.requestHead.wantsUpgrade, tls == nil, worker.requestHead.framing == .none, !server.isDraining,
      let wanted = worker.requestHead.upgradeRange, head[wanted].count == 3,
      zip(head[wanted], "h2c".utf8).allSatisfy({ Ascii.lowercased($0) == $1 }),
      let settings = worker.requestHead.value(of: .http2Settings),
      !worker.requestHead.block.repeated.contains(.http2Settings),
      HTTP2Session.isUpgradeSettings(head[settings])
    else { return nil }
    return settings
  }

  private func headIsPartial() {
    guard headStartedAt == nil else { return }
    headStartedAt = loop.now
    loop.cancel(timer)
    let limit = UInt64(server.configuration.headerTimeoutMilliseconds)
    timer = loop.schedule(self, tag: Self.headTag, at: loop.now.advanced(byMilliseconds: limit))
  }

  private func headTimedOut(_ now: MonotonicInstant) {
    if case .handshake = input {
      server.handshakeFailed(.closed, "nothing more came within headerTimeoutMs", peer: peer)
      return closeNow()
    }
    guard case .head = input else { return }
    answerRefusal(
      .decodeSlow, status: 408,
      detail: "The request's head was not complete after \(server.configuration.headerTimeoutMilliseconds) ms.")
  }

  @inline(__always)
  private func beginExchange(_ head: UnsafeRawBufferPointer) {
    if headStartedAt != nil {
      headStartedAt = nil
      loop.cancel(timer)
      armLazily()
    }
    exchange = worker.takeExchange()
    input = worker.requestHead.framing == .none ? .waiting : .body
    exchange { $0.begin(self, head) }
  }

  /// The request's last byte was taken.
  func requestComplete() {
    if case .body = input { input = .waiting }
  }

  func tunnelOpened() { input = .tunnel }

  // MARK: Refusals without an exchange

  private func refuse(_ error: H1Error, _ bytes: UnsafeRawBufferPointer) {
    answerRefusal(error.reason, status: error.status, detail: "\(error)", isHead: bytes.isHeadRequest)
  }

  private func answerRefusal(_ reason: Reason, status: Int, detail: String, isHead: Bool = false) {
    server.stats.requestBegan()
    server.stats.requestFailed(reason, status: status, microseconds: 0)
    let scratch = worker.scratch
    scratch.removeAll()
    FailureAnswer(
      reason: reason, status: status, router: server.router.label, host: worker.hostName, name: nil, detail: detail
    )
    .write(to: scratch, worker: worker, keepAlive: false, isHead: isHead, retryable: false)
    server.stats.sent(bytes: scratch.count)
    write(scratch.readable)
    scratch.removeAll()
    server.current.router.accessLog?.refused(self, status: status, reason: reason, worker: worker)
    linger()
  }

  // MARK: Output

  @inline(__always)
  func send(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) {
    server.stats.sent(bytes: head.count + body.count)
    write(head, body)
  }

  override func outputDrained() {
    if case .lingering = input {
      if sawPeerClosed && !mayHaveUnread { closeNow() } else { armLinger(milliseconds: Self.lingerMilliseconds) }
    } else if exchange != nil {
      exchange { $0.responseOutputDrained() }
    } else if hasMoreAtHand {
      loop.deferToEndOfTurn(self)
    }
  }

  override func outputBroke() {
    if exchange != nil {
      callerGone()
    } else {
      closeNow()
    }
  }

  // MARK: End of an exchange

  /// The response is complete and handed to the output.
  func exchangeEnded(keepAlive: Bool) {
    exchange = nil
    lastMoved = loop.now
    guard isOpen else { return }
    let mayGoOn = keepAlive && !sawPeerClosed && !lifeTimeIsOver
    switch input {
    case .waiting where mayGoOn || (keepAlive && hasMoreAtHand):
      input = .head
      if server.isDraining { armDrain() }
      if hasMoreAtHand { loop.deferToEndOfTurn(self) }
    case .closed:
      break
    default:
      linger()
    }
  }

  /// After FIN there may still be pipelined requests to serve.
  private var hasMoreAtHand: Bool { inbox != nil || mayHaveUnread }

  /// Whether the answer now being made must say `Connection: close`.
  var mustClose: Bool { worker.isDraining || server.isClosing || lifeTimeIsOver }

  private var lifeTimeIsOver: Bool {
    guard let life = server.lifeTimeNanoseconds else { return false }
    return loop.now.nanoseconds(since: openedAt) > life
  }

  /// Sends FIN and waits for the peer's, dropping what still comes.
  private func linger() {
    if case .lingering = input { return }
    dropInbox()
    headStartedAt = nil
    finishOutput()
    if sawPeerClosed && !isBlocked && !mayHaveUnread { return closeNow() }
    input = .lingering(bytesLeft: Self.lingerBytesMax)
    let patience = server.router.configuration.streamIdleTimeoutMilliseconds.map(UInt64.init) ?? 300_000
    armLinger(milliseconds: isBlocked ? patience : Self.lingerMilliseconds)
    mayHaveUnread = true
    loop.deferToEndOfTurn(self)
  }

  /// Callers that still send a large body get to read the answer behind it.
  private func lingered(_ now: MonotonicInstant) {
    let start = lingersSince ?? now
    let quiet = now.nanoseconds(since: lastMoved) / 1_000_000
    let age = now.nanoseconds(since: start) / 1_000_000
    guard case .lingering = input, !isBlocked, quiet < Self.lingerMilliseconds, age < Self.lingerMillisecondsMax else {
      return closeNow()
    }
    lingersSince = start
    armLinger(milliseconds: Self.lingerMilliseconds - quiet)
  }

  private func armLinger(milliseconds: UInt64) {
    loop.cancel(timer)
    timer = loop.schedule(self, tag: Self.lingerTag, at: loop.now.advanced(byMilliseconds: milliseconds))
  }

  /// Part of a response is out and the rest will not come: reset, so that it is not taken for whole.
  func breakOff() {
    exchange = nil
    guard isOpen else { return }
    Socket.resetOnClose(descriptor)
    closeNow()
  }

  /// A tunnel has ended in both directions, or its backend is gone.
  func tunnelClosed() {
    exchange = nil
    if isOpen { linger() }
  }

  private func callerGone() {
    let left = exchange
    exchange = nil
    closeNow()
    left { $0.callerGone() }
  }

  func closeNow() {
    guard isOpen else { return }
    input = .closed
    loop.cancel(timer)
    dropInbox()
    dropOutput()
    closeChannel()
    server.stats.connectionClosed()
    server.connectionLimit?.leave()
    worker.connectionClosed(self)
  }

  /// The worker or the server drains: idle connections close, after a last look for a request that is already here.
  override func drain() {
    guard case .head = input, exchange == nil, headStartedAt == nil else { return }
    mayHaveUnread = true
    receive()
    if isOpen, case .head = input, exchange == nil, inbox == nil { armDrain() }
  }

  /// The caller was not told yet that the connection ends, so its next request may be on its way: it is served, with
  /// `Connection: close`, if it comes soon.
  private func armDrain() {
    loop.cancel(timer)
    timer = loop.schedule(
      self, tag: Self.drainTag, at: loop.now.advanced(byMilliseconds: worker.drainIdleMilliseconds))
  }

  /// No request came in that time. The last look is as close to FIN as can be: what comes behind FIN is lost.
  private func drainIsOver(_ now: MonotonicInstant) {
    if case .head = input, exchange == nil, headStartedAt == nil {
      mayHaveUnread = true
      receive()
    }
    guard isOpen, timer == .none else { return }
    if case .head = input, exchange == nil, headStartedAt == nil { linger() } else { checkDeadlines(now) }
  }

  /// The drain's time is over.
  override func forceClose() {
    if exchange != nil {
      // Neither end of a tunnel takes an end for more than that.
      if case .tunnel = input {} else { Socket.resetOnClose(descriptor) }
      callerGone()
    } else {
      closeNow()
    }
  }

  // MARK: Time

  private func armLazily() {
    timer = loop.schedule(self, tag: Self.lazyTag, at: loop.now.advanced(byMilliseconds: server.timerStep))
  }

  /// Looks whether any limit has passed. Deadlines move with each byte, so the timer is not moved along with them: it
  /// wakes at least once per shortest limit and sleeps again for the rest.
  private func checkDeadlines(_ now: MonotonicInstant) {
    guard isOpen else { return }
    var left = server.timerStep * 1_000_000
    func isOver(_ limit: Int?, since start: MonotonicInstant) -> Bool {
      guard let limit else { return false }
      let age = now.nanoseconds(since: start)
      let allowed = UInt64(limit) * 1_000_000
      if age >= allowed { return true }
      left = min(left, allowed - age)
      return false
    }
    if let exchange = exchange.retained {
      if isOver(server.router.configuration.streamIdleTimeoutMilliseconds, since: max(lastMoved, exchange.lastMoved)) {
        exchange.timedOut(isBlocked ? .relayTooSlowReader : .relayIdleTimeout)
      }
    } else if case .head = input {
      if isOver(server.configuration.session.idleTimeMilliseconds, since: lastMoved) { return closeNow() }
      if isOver(server.configuration.session.lifeTimeMilliseconds, since: openedAt) { return linger() }
    }
    guard isOpen, timer == .none else { return }
    timer = loop.schedule(self, tag: Self.lazyTag, at: now.advanced(byNanoseconds: max(left, 1_000_000)))
  }
}

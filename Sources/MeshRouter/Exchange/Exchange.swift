import Balancers
import HTTP
import MeshBase
import Net
import Telemetry

/// One request and its response: carries out what `ExchangeMachine` decides. Pooled by the worker and reused.
///
/// Between `begin` and its end it belongs to one caller, which is an HTTP/1 connection or a stream of HTTP/2; while an
/// attempt is out, to one backend, which is either as well. Heads go between them in the form of HTTP/1.
/// Heads are parsed in the worker's scratch, so nothing here points into received bytes after a call has returned.
final class Exchange: TimerOwner {
  let worker: Worker
  var machine = ExchangeMachine(isIdempotent: false)
  /// The caller's connection, if it speaks HTTP/1.
  var server: ServerConnection?
  /// The caller's stream, if it speaks HTTP/2.
  var stream: Unretained<ServerStream> = nil
  /// What is configured for the server that the caller came to; of the worker's.
  var settings: Unretained<ServerRuntime> = nil
  /// Of the settings: the caller's `l5d-*` fields are left out.
  var isClearing = false
  /// Not evicted while it counts this exchange among those in flight.
  var entry: Unretained<BindEntry> = nil
  /// The entry's; a change of the entry may end it, so it is held.
  var branch: BindEntry.Branch?
  /// The branch's.
  var client: Unretained<Client> = nil
  var slot = 0
  var tried = SlotSet()
  /// For ring balancers.
  var ringHashes = RingHashes()
  /// The backend's connection, if it speaks HTTP/1.
  var connection: ClientConnection?
  /// The backend's stream, if it speaks HTTP/2.
  var backendStream: Unretained<ClientStream> = nil
  /// Set by a connection that is being made for this exchange.
  var connecting: ClientConnection?
  private var waitingPool: EndpointPool?
  /// The exchange that this one is the second attempt of; it has no caller then.
  var primary: Unretained<Exchange> = nil
  /// The second attempt of this one.
  var backup: Unretained<Exchange> = nil
  /// There may be one.
  private var hedges = false

  var method = Method.get
  var isHTTP10 = false
  var requestKeepsAlive = true
  var upgradeWanted = false
  /// A tunnel is wanted that the endpoint does not take over HTTP/2: it gets a connection of HTTP/1.
  var avoidsStreams = false
  /// The protocol wished for, and the caller's key if it is a WebSocket over HTTP/1.
  var upgradeProtocol: [UInt8] = []
  var webSocketKey: [UInt8] = []
  var isTunnel = false
  var requestBody = BodyReader.ended
  var requestIsComplete = false
  /// The request's head as sent on, up to where the lines of the branch follow.
  let requestHead = ByteBuffer(minimumCapacity: 512)
  var commonLength = 0
  /// The backend is told another Host than the caller's.
  var hostChange: HostChange?
  /// Something is configured for the name: header rules and the like.
  var traffic: ExchangeTraffic?
  /// What the first caller spoke, as far as its request tells: HTTP/1 rather than HTTP/2.
  var callerSpokeHTTP1 = true
  /// The request says so by itself.
  var namesOriginal = false
  var headIsPending = false
  private var isDriving = false
  /// The request's body goes on in chunks, where it goes on over HTTP/1.
  var bodyIsChunked = false
  /// What has come of the body, while the request may have to be sent again; pooled.
  var keptBody: ByteBuffer?
  /// The request has an `Idempotency-Key`, and some service heeds it.
  var isKeyed = false
  /// Bytes of body that are kept at most; 0: none are.
  var keptBodyMax = 0

  var status = 0
  var responseEncoding = ResponseEncoding.raw
  var responseKeepsAlive = true
  var callerFinished = false
  var backendFinished = false

  var startedAt = MonotonicInstant(nanoseconds: 0)
  var attemptStartedAt = MonotonicInstant(nanoseconds: 0)
  var attemptIsOut = false
  private var responseBeganAt = MonotonicInstant(nanoseconds: 0)
  var lastMoved = MonotonicInstant(nanoseconds: 0)
  private var bindTimer = TimerID.none
  var attemptTimer = TimerID.none
  var totalTimer = TimerID.none
  var retryTimer = TimerID.none
  var hedgeTimer = TimerID.none
  /// When the caller will have given up; nil if it did not say.
  var deadline: MonotonicInstant?
  var deadlineTimer = TimerID.none
  /// Endpoints are told what is left of it in `grpc-timeout`.
  var deadlineIsOfCall = false
  private var responseBytes: UInt64 = 0
  private var triedAddresses: [SocketAddress] = []
  /// The request's head as it came; only when there is an access log.
  private var logHead: ByteBuffer?
  /// Where the request was sent; only when there is an access log.
  var endpoint: SocketAddress?

  /// How body bytes go to the caller; `frames` over HTTP/2.
  enum ResponseEncoding { case none, raw, chunked, frames }

  private static let bindTag: UInt8 = 0
  static let attemptTag: UInt8 = 1
  private static let totalTag: UInt8 = 2
  static let retryTag: UInt8 = 3
  static let deadlineTag: UInt8 = 4
  static let hedgeTag: UInt8 = 5
  /// Bodies up to this size are copied behind the head and sent in one piece; larger ones go as a second vector.
  private static let copyMax = 4_096

  init(worker: Worker) { self.worker = worker }

  var now: MonotonicInstant { worker.loop.now }

  /// Most exchanges have none of the timers, and a call of the loop costs more than this look.
  @inline(__always)
  func disarm(_ timer: inout TimerID) {
    if timer == .none { return }
    worker.loop.cancel(timer)
    timer = .none
  }

  // MARK: Begin

  /// Takes the request that is parsed in `worker.requestHead`; `head` are its bytes.
  @inline(__always)
  func begin(_ connection: ServerConnection, _ head: UnsafeRawBufferPointer) {
    server = connection
    begin(connection.server.current, head)
  }

  /// The same for a request that came over HTTP/2; `head` has the form of HTTP/1.
  func begin(_ stream: ServerStream, _ settings: ServerRuntime, _ head: UnsafeRawBufferPointer) {
    self.stream = Unretained(stream)
    isGRPC = Self.isGRPC(&worker.requestHead, head)
    grpcStatus = nil
    begin(settings, head)
  }

  /// The worker's head is lent: reading a field out of it would copy it.
  @inline(__always)
  private static func isGRPC(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer) -> Bool {
    guard let type = request.value(of: .contentType) else { return false }
    return GRPC.isGRPC(contentType: head[type])
  }

  private func begin(_ settings: ServerRuntime, _ head: UnsafeRawBufferPointer) {
    self.settings = Unretained(settings)
    settings.exchanges += 1
    isClearing = settings.clearContext
    let router = settings.router
    startedAt = now
    lastMoved = now
    settings.stats.requestBegan()
    method = worker.requestHead.method
    isHTTP10 = worker.requestHead.minorVersion == 0
    requestKeepsAlive = worker.requestHead.keepAlive
    requestBody = BodyReader(worker.requestHead.framing, limits: router.limits)
    if requestBody.hasEnded { takeWholeRequest() }
    if case .chunked = requestBody { bodyIsChunked = true } else { bodyIsChunked = false }
    machine = ExchangeMachine(isIdempotent: method.isIdempotent)
    if router.accessLog != nil {
      let copy = worker.takeBuffer()
      copy.append(head)
      logHead = copy
    }
    isDriving = true
    admit(settings, router, head)
    isDriving = false
  }

  private func admit(_ settings: ServerRuntime, _ router: RouterRuntime, _ head: UnsafeRawBufferPointer) {
    if let admission = settings.admission, !passes(admission, head) { return }
    if worker.requestHead.viaCount > 0 && worker.requestHead.viaCount > settings.maxCallDepth {
      return fail(
        .loopViaLimit,
        detail: "\(worker.requestHead.viaCount) Via elements; maxCallDepth is \(settings.maxCallDepth).")
    }
    if method == .connect && !settings.allowConnect {
      return fail(.decodeUnsupported, detail: "CONNECT is off; `allowConnect: true` on the server turns it on.")
    }
    if method == .options || method == .trace, let hops = worker.requestHead.maxForwards(head), hops == 0 {
      return answerMaxForwards(head)
    }
    if mayHaveDeadline(worker.requestHead.block.present, router),
      let passed = readDeadline(&worker.requestHead, head, settings)
    {
      return fail(.outcomeDeadline, detail: passed)
    }
    isKeyed = router.idempotencyKey.map { $0.value(&worker.requestHead, head) != nil } ?? false
    let key = worker.keyScratch
    key.removeAll()
    if settings.rejectsMisdirected, let refusal = misdirection(head) {
      return fail(.identifyMisdirected, detail: refusal)
    }
    let identity = router.identifiersReadCaller ? caller?.identity : nil
    let identified = router.identify(
      worker, head, clearContext: settings.clearContext, caller: identity, into: key)
    guard case .name(let consumed) = identified else {
      return identified == .badPath
        ? fail(.identifyBadPath, detail: "What the identifier read is not a valid path.")
        : fail(.identifyNone, detail: router.identifierHelp)
    }
    if !router.ringKeys.isEmpty { ringHashes = router.ringKeys.hashes(&worker.requestHead, head, peer: caller?.peer) }
    writeHead(&worker.requestHead, head, consumedPath: consumed, settings: settings)
    if waitsForPlace(key) { return }
    perform(machine.handle(.identified))
  }

  /// Where it stands with the limits on requests.
  var passage = Passage()

  func takeWholeRequest() {
    requestIsComplete = true
    if traffic != nil { sendCopy() }
    server?.requestComplete()
  }

  // MARK: The machine's wishes

  func perform(_ action: ExchangeMachine.Action) {
    switch action {
    case .wait: break
    case .bind: bind()
    case .pick: pick()
    case .connect: connect(fresh: method == .connect)
    case .send: send()
    case .requeue(let reason): requeue(after: reason)
    case .resend: resend()
    case .backOff: backOff()
    case .answer(let reason): answer(reason)
    case .breakOff(let reason): breakOff(reason)
    case .finish: finish()
    }
  }

  private func bind() {
    settings { bind(in: $0.router) }
  }

  private func bind(in router: RouterRuntime) {
    let entry = router.entry(for: worker.keyScratch.readable)
    entry.inFlight += 1
    self.entry = Unretained(entry)
    if let total = entry.totalTimeoutMilliseconds {
      totalTimer = worker.loop.schedule(self, tag: Self.totalTag, at: startedAt.advanced(byMilliseconds: total))
    }
    if entry.isPending {
      entry.waiters.append(self)
      let limit = UInt64(router.configuration.bindingTimeoutMilliseconds)
      bindTimer = worker.loop.schedule(self, tag: Self.bindTag, at: now.advanced(byMilliseconds: limit))
    } else {
      answered(by: entry)
    }
  }

  /// The control thread has answered for a name that this exchange waited for.
  func bindAnswered() {
    disarm(&bindTimer)
    worker.stats.stage(.bind, nanoseconds: now.nanoseconds(since: startedAt))
    entry { answered(by: $0) }
  }

  @inline(__always)
  private func answered(by entry: BindEntry) {
    entry.requestBegan(at: now)
    if let wait = entry.rates?.take(at: now) { return isRateLimited(by: "the service's rateLimits", wait: wait) }
    if let hedging = entry.policy.hedging, hedging.covers(method), !upgradeWanted, !isCopy {
      hedges = true
      hedging.requestBegan(at: now)
    }
    if !requestIsComplete, hedges || entry.policy.retries(method, isKeyed: isKeyed) {
      keptBodyMax = entry.policy.keptBodyMax
    }
    if let service = entry.traffic, control(service, entry) { return }
    perform(machine.handle(entry.failure.map { .failed($0) } ?? .bound))
  }

  func pick() {
    if branch == nil {
      // The tree may have changed to a failure while a requeue was on its way.
      let drawn = entry { $0.isBound ? draw(from: $0) : nil } ?? nil
      guard let drawn else { return perform(machine.handle(.failed(.bindNeg))) }
      branch = drawn
      client = Unretained(drawn.client)
      if traffic != nil || drawn.controlsTraffic { prepareHead(for: drawn.client?.traffic) }
      if let host = drawn.host { changeHost(to: host) }
    }
    if client({ $0.gate != nil }) == true, !hasPlaceAtClient() { return }
    let slot = client { (traffic == nil ? nil : stick(to: $0)) ?? $0.pick(ringHashes, avoiding: tried) }
    guard let slot, let slot else { return perform(machine.handle(.failed(.pickNoEndpoints))) }
    self.slot = slot
    attemptStartedAt = now
    attemptIsOut = true
    // Where no other endpoint is left, the first one would only have the request twice.
    if isBackup, tried.contains(slot) { return perform(machine.handle(.failed(.relaySuperseded))) }
    perform(machine.handle(.picked))
  }

  private func connect(fresh: Bool) {
    client { connect(by: $0, fresh: fresh) }
  }

  private func connect(by client: Client, fresh: Bool) {
    let pool = client.pool(of: slot)
    let wantsStream = client.mayUseStreams || (client.followsCaller && !callerSpokeHTTP1)
    let lease =
      wantsStream && method != .connect && !avoidsStreams
      ? pool.leaseStream(for: self, fresh: fresh) : pool.lease(for: self, fresh: fresh)
    switch lease {
    case .ready(let connection): connected(connection, reused: true)
    case .stream(let stream): connected(stream, reused: true)
    case .waiting: waitingPool = pool
    case .overload: perform(machine.handle(.failed(.pickOverload)))
    case .failed(let reason): connectFailed(reason)
    }
  }

  func connected(_ connection: ClientConnection, reused: Bool) {
    self.connection = connection
    isConnected()
    if logHead != nil { endpoint = connection.pool.address }
    perform(machine.handle(.connected(reused: reused)))
  }

  @inline(__always)
  private func isConnected() {
    if connecting != nil { connecting = nil }
    if waitingPool != nil { waitingPool = nil }
  }

  /// The connection that was made for it is there, but what the endpoint takes is not known yet.
  func waits(in pool: EndpointPool) {
    connecting = nil
    waitingPool = pool
  }

  func connected(_ stream: Unretained<ClientStream>, reused: Bool) {
    backendStream = stream
    isConnected()
    if logHead != nil { endpoint = stream { $0.connection { $0.pool.address } } ?? nil }
    perform(machine.handle(.connected(reused: reused)))
  }

  func connectFailed(_ reason: Reason, detail: String? = nil) {
    failureDetail = detail
    connecting = nil
    waitingPool = nil
    client { client in
      if reason.isEndpointsFault { client.rest(slot) }
      if triedAddresses.count < 8 { triedAddresses.append(client.balancer.address(of: slot)) }
    }
    perform(machine.handle(.connectFailed(reason)))
  }

  private func requeue(after reason: Reason) {
    let isAllowed = client { client in
      // A backend that refuses one stream may take the next; where there is no other, it is asked again.
      if reason != .relayRefused || client.balancer.pickableCount > 1 { tried.insert(slot) }
      endAttempt(failed: reason)
      if backup != nil { dropBackup() }
      // Every endpoint has been tried once, or the budget is spent: the caller hears of it.
      guard tried.count < client.balancer.pickableCount, client.requeueBudget.tryWithdraw(at: now) else { return false }
      client.stats.requeued()
      return true
    }
    guard let isAllowed else { return }
    if !isAllowed { return perform(machine.requeueRefused(reason)) }
    entry { $0.stats?.retry(.requeue, .sent) }
    pick()
  }

  private func resend() {
    leaveBackend()
    if backup != nil { dropBackup() }
    headIsPending = false
    client { $0.stats.requeued() }
    entry { $0.stats?.retry(.requeue, .sent) }
    connect(fresh: true)
  }

  private func send() {
    let attemptTimeout = client { client in
      client.requeueBudget.deposit(at: now)
      return client.attemptTimeoutMilliseconds
    }
    guard let attemptTimeout else { return }
    if method == .connect, let connection { return openConnectTunnel(connection) }
    requestHead.truncate(to: commonLength)
    branch?.headerLines.withUnsafeBytes { requestHead.append($0) }
    client { if $0.forwardsClientCert { appendCallerCertificate() } }
    if upgradeWanted && connection != nil { appendWebSocketKey() }
    if deadlineIsOfCall { appendCallTimeout() }
    if backendStream != nil && callerSpokeHTTP1 && !namesOriginal { requestHead.append(Self.originalLine) }
    requestHead.append("\r\n")
    headIsPending = backendStream == nil
    if let limit = attemptTimeout {
      disarm(&attemptTimer)
      attemptTimer = worker.loop.schedule(self, tag: Self.attemptTag, at: now.advanced(byMilliseconds: limit))
    }
    let ends = requestIsComplete && !upgradeWanted && keptBody == nil
    let refusal = backendStream { $0.request(requestHead.readable, end: ends, extended: upgradeWanted) }
    if let refusal, let refusal { return refused(refusal) }
    if keptBody != nil { sendKeptBody() }
    if hedges { awaitHedge() }
    guard !isDriving else { return }  // the caller's side goes on with the body and then flushes
    resumeCaller()
    flushRequest()
  }

  // MARK: Response

  /// A 1xx other than 101.
  func informational(_ head: UnsafeRawBufferPointer) {
    guard !isHTTP10, hasCaller else { return }  // RFC 9110 §15.2: never to HTTP/1.0
    let out = worker.scratch
    out.append("HTTP/1.1 ")
    out.append(decimal: worker.responseHead.status)
    out.append(" ")
    out.append(head[worker.responseHead.reason])
    out.append("\r\n")
    // RFC 9110 §8.6: never in a 1xx.
    var skip: KnownHeaderSet = [.contentLength]
    if isClearing { skip = skip.union(.l5d) }
    worker.responseHead.appendForwardable(head, skipping: skip, to: out)
    out.append("\r\n")
    if stream != nil {
      stream { $0.inform(out.readable) }
    } else {
      server?.send(out.readable, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    out.removeAll()
  }

  /// The final response's head is in `worker.responseHead`; `head` are its bytes.
  /// `isWhole`: over HTTP/2, nothing follows the head.
  func responseBegan(_ head: UnsafeRawBufferPointer, isWhole: Bool = false) {
    if isSuspect(worker.responseHead.status), isRetried(&worker.responseHead, head) { return }
    _ = machine.handle(.responseBegan)
    if hedges { answeredInTime() }
    client { $0.gate?.answered(status: status, after: now.nanoseconds(since: attemptStartedAt)) }
    disarm(&attemptTimer)
    disarm(&totalTimer)
    responseBeganAt = now
    if backendStream != nil { requestHead.removeAll() }  // it is where the response is written now
    status = worker.responseHead.status
    if upgradeWanted, backendStream != nil, (200..<300).contains(status) { return extendedConnectAccepted(head) }
    if isGRPC { grpcStatus = worker.responseHead.value(of: .grpcStatus).flatMap { GRPCStatus(head[$0]) } }
    writeResponseHead(&worker.responseHead, head, isWhole: isWhole)
  }

  private func answeredInTime() {
    disarm(&hedgeTimer)
    if backup != nil { dropBackup() }
    let took = now.nanoseconds(since: attemptStartedAt)
    entry { $0.policy.hedging?.took(nanoseconds: took, at: now) }
  }

  private func writeResponseHead(_ response: inout ResponseHead, _ head: UnsafeRawBufferPointer, isWhole: Bool) {
    guard hasCaller else {
      responseEncoding = .none
      return
    }
    let out = responseOut
    let start = out.count
    var skip = hostChange == nil ? KnownHeaderSet() : [.location, .refresh]
    if isClearing { skip = skip.union(.l5d) }
    // RFC 9110 §8.6: a 204 has no Content-Length, whatever the backend says.
    if status == 204 { skip.insert(.contentLength) }
    let emptied = isClearing && response.index(of: .l5dErr) != nil
    if emptied { skip.insert(.contentLength) }
    // An answer before the end of the request: what is left of it is not read, so the connection cannot go on.
    responseKeepsAlive = requestKeepsAlive && requestIsComplete && !callerMustClose
    switch response.framing {
    case .none: responseEncoding = .none
    case .length: responseEncoding = .raw
    case .untilClose where isWhole: responseEncoding = .none
    case .chunked, .untilClose:
      responseEncoding = isHTTP10 ? .raw : .chunked
      if isHTTP10 { responseKeepsAlive = false }
    }
    if stream != nil && responseEncoding != .none { responseEncoding = .frames }
    // As it came, unless the space before an empty phrase is missing, which we may not leave out (RFC 9112 §4).
    if response.minorVersion == 1, head[12] == UInt8(ascii: " "), let first = response.fields.first {
      out.append(UnsafeRawBufferPointer(rebasing: head[..<first.line.start]))
    } else {
      out.append("HTTP/1.1 ")
      out.append(decimal: status)
      out.append(" ")
      out.append(head[response.reason])
      out.append("\r\n")
    }
    response.appendForwardable(head, skipping: skip, to: out)
    hostChange?.appendLinks(response.block, head, to: out)
    if isWhole, response.framing == .untilClose, stream == nil {
      out.append("Content-Length: 0\r\n")
    } else if emptied {
      if responseEncoding != .none { out.append("Content-Length: 0\r\n") }
      responseEncoding = .none
    } else if responseEncoding == .chunked {
      out.append("Transfer-Encoding: chunked\r\n")
    }
    if response.index(of: .date) == nil { worker.appendDate(to: out) }
    // RFC 9110 §7.6.3: the version that the backend spoke.
    if backendStream != nil {
      out.append("Via: 2 meshrouter\r\n")
    } else {
      out.append(response.minorVersion == 1 ? "Via: 1.1 meshrouter\r\n" : "Via: 1.0 meshrouter\r\n" as StaticString)
    }
    if !isClearing && !isGRPC && response.index(of: .l5dSuccessClass) == nil {
      // linkerd's classifier verdict, which an upstream router counts by. One of a router nearer to the backend stands.
      if isSuccess { out.append("l5d-success-class: 1.0\r\n") } else { out.append("l5d-success-class: 0.0\r\n") }
    }
    if !responseKeepsAlive {
      out.append("Connection: close\r\n")
    } else if isHTTP10 {
      out.append("Connection: keep-alive\r\n")
    }
    if traffic != nil { editResponse(out, from: start) }
    out.append("\r\n")
    if stream != nil {
      if response.framing == .length(0) { responseEncoding = .none }
      stream { $0.respond(out.readable, end: responseEncoding == .none) }
      out.removeAll()
    }
  }

  @inline(__always)
  func responseBody(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0 else { return }
    lastMoved = now
    responseBytes += UInt64(bytes.count)
    let out = responseOut
    switch responseEncoding {
    case .none: return
    case .frames: stream { $0.send(bytes) }
    case .raw:
      if bytes.count <= Self.copyMax {
        out.append(bytes)
      } else {
        server?.send(out.readable, bytes)
        out.removeAll()
      }
    case .chunked:
      if bytes.count <= Self.copyMax {
        out.appendChunk(bytes)
      } else {
        out.append(hex: UInt64(bytes.count))
        out.append("\r\n")
        server?.send(out.readable, bytes)
        out.removeAll()
        // The caller may be gone over this write; the scratch belongs to the next one then.
        if server != nil { out.append("\r\n") }
      }
    }
  }

  /// `lines`: field lines, each with its CRLF.
  func responseTrailers(_ lines: UnsafeRawBufferPointer?) {
    if isGRPC, let lines { grpcStatus = GRPCStatus(trailers: lines) }
    switch responseEncoding {
    case .chunked: responseOut.appendLastChunk(trailers: lines)
    case .frames: stream { $0.end(trailers: lines) }
    case .none, .raw: return
    }
    responseEncoding = .none
  }

  /// Hands to the caller what this turn's bytes came to, and stops reading the backend while the caller lags.
  func flushResponse() {
    // Before that, the request's head lies there.
    if backendStream != nil && !machine.hasResponse { return }
    let out = responseOut
    if out.count > 0 {
      server?.send(out.readable, UnsafeRawBufferPointer(start: nil, count: 0))
      out.removeAll()
    }
    if callerIsBlocked { pauseBackend() }
  }

  func responseOutputDrained() {
    lastMoved = now
    if backendFinished { return endTunnelIfDone() }
    resumeBackend()
  }

  /// The whole response is in. `canReuse`: as far as the backend is concerned, the connection may serve another.
  func responseEnded(canReuse: Bool) {
    if responseEncoding == .chunked { responseOut.append("0\r\n\r\n") }
    if responseEncoding == .frames { stream { $0.end() } }
    flushResponse()
    guard hasCaller || isCopy else { return }  // the caller's side broke over the last write
    backendMayBeReused = canReuse && requestIsComplete && !backendIsBlocked
    perform(machine.handle(.completed))
  }

  private var backendMayBeReused = false

  func badResponse(_ detail: String) {
    failureDetail = detail
    if retry(after: .relayBadResponse) { return }
    perform(machine.handle(.failed(.relayBadResponse)))
  }

  var failureDetail: String?

  /// The request goes on in a way that it must not.
  func requestIsBad(_ reason: Reason, _ detail: String) { fail(reason, detail: detail) }

  /// `amidResponse`: something of a response has come, so the backend saw the request and it is not sent again.
  func backendLost(amidResponse: Bool) {
    let isHeadCut = amidResponse && machine.state == .awaitingResponse
    if isHeadCut || !machine.wouldResend, retry(after: .relayResetByServer) { return }
    perform(machine.handle(isHeadCut ? .failed(.relayResetByServer) : .backendLost))
  }

  func timedOut(_ reason: Reason) { perform(machine.handle(.failed(reason))) }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    switch tag {
    case Self.bindTag: perform(machine.handle(.failed(.bindTimeout)))
    case Self.attemptTag:
      if !retry(after: .outcomeAttemptTimeout) { perform(machine.handle(.failed(.outcomeAttemptTimeout))) }
    case Self.hedgeTag: hedge()
    case Self.retryTag:
      retryTimer = .none
      perform(machine.handle(.backOffIsOver))
    case Self.deadlineTag: perform(machine.handle(.failed(.outcomeDeadline)))
    case Self.faultTag: delayIsOver()
    case Self.placeTag, Self.clientPlaceTag: passageTimedOut(tag)
    default: perform(machine.handle(.failed(.outcomeTotalTimeout)))
    }
  }

  // MARK: End

  private func finish() {
    let isTunnel = self.isTunnel
    let success = isSuccess
    let ended = now
    if attemptIsOut { endAnsweredAttempt(status: status, success: success) }
    if let connection, backendMayBeReused, !isTunnel {
      self.connection = nil
      connection.giveBack()
    } else {
      leaveBackend()
    }
    let microseconds = ended.nanoseconds(since: startedAt) / 1_000
    entry { $0.requestEnded(success: success, microseconds: microseconds) }
    settings { $0.stats.requestEnded(status: status, success: success, microseconds: microseconds) }
    worker.stats.stage(.relay, nanoseconds: ended.nanoseconds(since: responseBeganAt))
    if logHead != nil { log(reason: nil) }
    let keepAlive = responseKeepsAlive && requestIsComplete
    let (server, stream) = (self.server, self.stream)
    reset()
    if stream != nil { return stream { $0.exchangeEnded() } }
    if isTunnel { server?.tunnelClosed() } else { server?.exchangeEnded(keepAlive: keepAlive) }
  }

  /// What the service's classifier says of the response.
  var isSuccess: Bool {
    if isGRPC { return entry { $0.policy.isSuccess(grpcStatus ?? GRPCStatus(httpStatus: status)) } ?? false }
    return !isSuspect(status) || entry { $0.policy.isSuccess(status: status) } ?? false
  }

  /// Whether a response that is no success speaks against the endpoint. A call that ends with NOT_FOUND is none that
  /// another endpoint would have answered.
  private func isEndpointsFault(_ status: Int) -> Bool {
    !failureIsInjected && (!isGRPC || (grpcStatus ?? GRPCStatus(httpStatus: status)).isEndpointsFault)
  }

  /// Whether a response with this status has to be looked at, because it may be a failure.
  @inline(__always)
  private func isSuspect(_ status: Int) -> Bool {
    status >= 500 || isGRPC || entry { $0.policy.failsOnlyAbove499 } == false
  }

  /// Ends the attempt that is out: it was answered; `success` as the service's classifier says.
  @inline(__always)
  func endAnsweredAttempt(status: Int, success: Bool) {
    attemptIsOut = false
    client { client in
      client.stats.attemptEnded(
        status: status, success: success, microseconds: now.nanoseconds(since: attemptStartedAt) / 1_000)
      if isTunnel {
        client.attemptAbandoned(slot)  // how long a tunnel lived says nothing about latency
      } else {
        client.attemptEnded(slot, startedAt: attemptStartedAt, ok: success || !isEndpointsFault(status))
      }
    }
  }

  /// Ends the attempt that is out, if one is, as failed.
  func endAttempt(failed reason: Reason) {
    guard attemptIsOut else { return }
    attemptIsOut = false
    client { client in
      client.stats.attemptFailed(reason, status: status, microseconds: now.nanoseconds(since: attemptStartedAt) / 1_000)
      client.gate?.failed(reason, after: now.nanoseconds(since: attemptStartedAt))
      switch reason {
      case _ where !reason.isEndpointsFault: client.attemptAbandoned(slot)
      case .relayResetByClient, .relaySuperseded, .outcomeTotalTimeout, .outcomeDeadline:
        client.attemptCutShort(slot, startedAt: attemptStartedAt)
      default: client.attemptEnded(slot, startedAt: attemptStartedAt, ok: false)
      }
    }
  }

  /// A failure found by the exchange itself before any attempt.
  func fail(_ reason: Reason, status: Int? = nil, detail: String) {
    failureDetail = detail
    failureStatus = status
    perform(machine.handle(.failed(reason)))
  }

  private var failureStatus: Int?
  /// The last failing response was made on purpose, by another router.
  var failureIsInjected = false
  /// The caller waits for the answer of a gRPC call.
  var isGRPC = false
  /// How the call ended, as the backend says.
  var grpcStatus: GRPCStatus?
  /// How the backend ended its stream amid the response; the caller's ends the same way.
  var backendResetCode: HTTP2ErrorCode?

  private func answer(_ reason: Reason) {
    if isBackup { return endBackup(reason) }
    if isCopy { return endCopy(reason) }
    status = failureStatus ?? reason.status
    let answer = FailureAnswer(
      reason: reason, status: status, router: settings { $0.router.label } ?? "", host: worker.hostName,
      name: entry { $0.path }, client: client { $0.name }, tried: attemptedAddresses,
      detail: failureDetail ?? explanation, callStatus: reason == .faultInjected ? traffic?.abort?.call : nil,
      retryAfter: passage.retryAfter)
    let stream = self.stream
    if stream != nil {
      if isGRPC {
        status = 200
        stream { $0.answerCall(answer, retryable: mayBeRetriedByCaller(reason)) }
      } else {
        stream { $0.answer(answer, isHead: method == .head, retryable: mayBeRetriedByCaller(reason)) }
      }
      concludeFailure(reason, status: status)
      reset()
      return stream { $0.exchangeEnded() }
    }
    guard let server else { return }
    let out = worker.scratch
    out.removeAll()
    let keepAlive = requestKeepsAlive && requestIsComplete && !server.mustClose && reason.stage != .decode
    answer.write(
      to: out, worker: worker, keepAlive: keepAlive, isHead: method == .head, retryable: mayBeRetriedByCaller(reason))
    server.send(out.readable, UnsafeRawBufferPointer(start: nil, count: 0))
    // Had the caller gone already, the write has told so and `callerGone` has ended the exchange.
    guard self.server === server else { return out.removeAll() }
    responseBytes = UInt64(out.count)
    out.removeAll()
    concludeFailure(reason, status: status)
    reset()
    server.exchangeEnded(keepAlive: keepAlive)
  }

  private var attemptedAddresses: [SocketAddress] {
    var addresses = triedAddresses
    if attemptIsOut { client { addresses.append($0.balancer.address(of: slot)) } }
    return addresses
  }

  private var explanation: String? { entry { $0.explanation } ?? nil }

  private func breakOff(_ reason: Reason) {
    worker.scratch.removeAll()
    concludeFailure(reason, status: status)
    let (server, stream) = (self.server, self.stream)
    let code = resetCodeForCaller
    let isLateCall = isGRPC && reason == .outcomeDeadline
    reset()
    server?.breakOff()
    stream {
      if isLateCall { $0.endCall(GRPCStatus(reason)) } else { $0.breakOff(code) }
      $0.exchangeEnded()
    }
  }

  /// The caller closed or reset its connection, which is gone already.
  func callerGone() {
    _ = machine.handle(.failed(.relayResetByClient))
    worker.scratch.removeAll()
    concludeFailure(.relayResetByClient, status: status == 0 ? 499 : status)
    reset()
  }

  /// Counts the failure and lets go of the backend.
  func concludeFailure(_ reason: Reason, status: Int) {
    traffic?.hasFailed = true
    let microseconds = now.nanoseconds(since: startedAt) / 1_000
    endAttempt(failed: reason)
    leaveBackend()
    leaveConnecting()
    entry { entry in
      if let index = entry.waiters.firstIndex(where: { $0 === self }) {
        entry.waiters.remove(at: index)
      } else {
        entry.stats?.requestFailed(reason, microseconds: microseconds)
      }
    }
    settings { $0.stats.requestFailed(reason, status: status, microseconds: microseconds) }
    log(reason: reason)
  }

  /// Waits for no connection any more.
  func leaveConnecting() {
    let making = connecting
    connecting = nil
    making?.exchangeLeft()
    waitingPool?.cancelWait(self)
    waitingPool = nil
  }

  private func log(reason: Reason?) {
    guard let logHead else { return }
    let log = settings { $0.router.accessLog } ?? nil
    log?.record(
      AccessLogEntry(
        head: logHead.readable, isHTTP2: stream != nil, peer: caller?.peer, status: status, bytes: responseBytes,
        reason: reason,
        name: entry { $0.path } ?? "-", client: client { $0.name },
        caller: caller?.identity?.name, endpoint: endpoint ?? triedAddresses.last,
        microseconds: now.nanoseconds(since: startedAt) / 1_000,
        requeues: machine.requeues + machine.retries),
      worker: worker)
  }

  func reset() {
    if traffic != nil { endTraffic() }
    if hedges {
      hedges = false
      disarm(&hedgeTimer)
      if backup != nil { dropBackup() }
    }
    if primary != nil { primary = nil }
    disarm(&bindTimer)
    disarm(&attemptTimer)
    disarm(&totalTimer)
    disarm(&retryTimer)
    if deadline != nil { forgetDeadline() }
    if keptBodyMax > 0 { dropKeptBody() }
    if passage.isBegun { leavePassage() }
    settings { $0.exchanges -= 1 }
    settings = nil
    entry { $0.inFlight -= 1 }
    entry = nil
    client = nil
    branch = nil
    if server != nil { server = nil }
    stream = nil
    if let logHead {
      worker.giveBack(logHead)
      self.logHead = nil
      endpoint = nil
    }
    tried = SlotSet()
    if !triedAddresses.isEmpty { triedAddresses = [] }
    requestBody = .ended
    requestIsComplete = false
    headIsPending = false
    if upgradeWanted {
      upgradeWanted = false
      avoidsStreams = false
      upgradeProtocol = []
      webSocketKey = []
    }
    isTunnel = false
    isGRPC = false
    status = 0
    responseBytes = 0
    responseEncoding = .raw
    backendMayBeReused = false
    callerFinished = false
    backendFinished = false
    if failureDetail != nil { failureDetail = nil }
    if hostChange != nil { hostChange = nil }
    failureStatus = nil
    backendResetCode = nil
    worker.giveBack(self)
  }
}

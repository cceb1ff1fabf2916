import HTTP
import MeshBase
import Net
import Telemetry

/// An HTTP/1.1 connection to one endpoint; serves one exchange at a time.
final class ClientConnection: StreamChannel {
  private enum State {
    case connecting
    /// TLS is being agreed on.
    case handshake
    case idle
    /// The head of a response is awaited or in part received.
    case head
    case body(BodyReader)
    /// A response that nobody wants any more, read to its end so that the connection can serve again.
    case discarding(BodyReader)
    /// The whole response is in; the request may still be on its way out.
    case responseEnded
    case tunnel
    case closed
  }

  let pool: EndpointPool
  let stats: ClientStats
  private var state = State.connecting
  private var exchange: Unretained<Exchange> = nil
  /// A partial response head; pooled.
  private var inbox: ByteBuffer?
  private var timer = TimerID.none
  private let openedAt: MonotonicInstant
  private(set) var idleSince: MonotonicInstant
  private var wasConnected = false
  private var isForPool = false
  /// Has served an exchange before the present one.
  private(set) var isReused = false
  /// The caller's side cannot take more; bytes stay in the kernel.
  private var isPaused = false
  /// The peer has sent FIN, so reading must go on to the end of the stream.
  private var sawPeerClosed = false

  private static let readsPerTurn = 8
  private static let informationalMax = 64  // 1xx heads per exchange; beyond: bad response

  /// Of a response that nobody wants: more bytes, or more time, cost more than a new connection.
  private static let discardedBytesMax = 65_536
  private static let discardMillisecondsMax: UInt64 = 1_000

  private var discardedBytes = 0
  private var informationalCount = 0
  private var backendKeepsAlive = true

  /// `onlyHTTP1`: where both are spoken, HTTP/1 is to be.
  init(pool: EndpointPool, worker: Worker, onlyHTTP1: Bool = false) throws(SystemError) {
    self.pool = pool
    stats = pool.client.stats
    openedAt = worker.loop.now
    idleSince = openedAt
    let descriptor = try Socket.connect(to: pool.address)
    let tls = pool.client.makeTLS(descriptor.raw, address: pool.address, onlyHTTP1: onlyHTTP1)
    super.init(worker: worker, descriptor: descriptor, tls: tls)
    try register()
  }

  /// `exchange` `nil`: for the pool, which hands the connection on to HTTP/2.
  func connect(for exchange: Exchange?) {
    self.exchange = Unretained(exchange)
    exchange?.connecting = self
    isForPool = exchange == nil
    let limit = UInt64(pool.client.configuration.connectTimeoutMilliseconds)
    timer = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: limit))
  }

  /// Takes a pooled connection into use.
  @inline(__always)
  func begin(_ exchange: Exchange) {
    self.exchange = Unretained(exchange)
    isReused = true
    state = .head
  }

  /// Another exchange goes on with what is out here.
  func hand(to exchange: Exchange) { self.exchange = Unretained(exchange) }

  // MARK: Events

  override func ready(_ events: ReadyEvents) {
    if events.contains(.peerClosed) { sawPeerClosed = true }
    switch state {
    case .connecting: return connectDecided()
    case .handshake: return shakeHands()
    default: break
    }
    if events.contains(.writable), isBlocked || tls != nil { flushOutput() }
    if !events.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { receive() }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    if tag == EventLoop.deferredTag {
      receive()
    } else if case .connecting = state {
      connectFailed(.connectTimeout)
    } else if case .handshake = state {
      connectFailed(.tlsTimeout)
    } else if case .discarding = state {
      close()
    }
  }

  private func connectDecided() {
    let code = Socket.pendingError(descriptor)
    if code != 0 { return connectFailed(Reason(connectErrno: code)) }
    let took = loop.now.nanoseconds(since: openedAt)
    worker.stats.stage(.connect, nanoseconds: took)
    if tls == nil { return connected() }
    state = .handshake
    shakeHands()
  }

  private func shakeHands() {
    guard let tls else { return }
    switch tls.handshake() {
    case .wantsMore: break
    case .failed(let failure):
      worker.tellControl(
        .handshakeFailed(peer: pool.address, name: pool.client.name, word: failure.word, text: tls.failureText))
      connectFailed(failure == .closed ? .tlsClosed : .tlsFailed, detail: tls.failureText)
    case .done:
      worker.stats.stage(.tls, nanoseconds: loop.now.nanoseconds(since: openedAt))
      connected()
    }
  }

  private func connected() {
    loop.cancel(timer)
    wasConnected = true
    stats.connected(microseconds: loop.now.nanoseconds(since: openedAt) / 1_000)
    if tls?.application == .h2 || (tls == nil && isForPool) { return becomeHTTP2() }
    if isForPool { return spokeHTTP1() }
    if exchange == nil {
      state = .idle
      idleSince = loop.now
      return pool.giveBack(self)
    }
    state = .head
    exchange { $0.connected(self, reused: false) }
  }

  /// Another object goes on with the socket; the exchange gets one of its streams.
  private func becomeHTTP2() {
    let waiting = exchange
    exchange = nil
    state = .closed
    pool.streams.connected(detachDescriptor(), tls: tls, for: waiting.retained)
  }

  /// Streams were wanted, and the endpoint agreed to HTTP/1 only.
  private func spokeHTTP1() {
    worker.tellControl(
      .handshakeFailed(
        peer: pool.address, name: pool.client.name, word: "no_h2", text: "the endpoint did not agree to h2 by ALPN"))
    connectFailed(.tlsFailed, detail: "The endpoint did not agree to HTTP/2 (ALPN); set client.protocol to auto or h1.")
  }

  private func connectFailed(_ reason: Reason, detail: String? = nil) {
    stats.connectFailed()
    let waiting = exchange
    exchange = nil
    close()
    if isForPool {
      pool.streams.connectFailed(reason, detail: detail)
    } else {
      waiting { $0.connectFailed(reason, detail: detail) }
    }
  }

  // MARK: Receiving

  /// The caller's side takes bytes again.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    receive()
  }

  private func receive() {
    for _ in 0..<Self.readsPerTurn {
      guard isOpen, !isPaused else { return }
      let count: Int
      let room: Int
      if let inbox {
        let target = inbox.writable(minimum: 4_096)
        room = target.count
        count = receiveBytes(into: target)
        if count > 0 {
          inbox.didWrite(count)
          stats.received(bytes: count)
          process(inbox.readable, in: inbox)
        }
      } else {
        let target = worker.clientBuffer
        room = target.count
        count = receiveBytes(into: target)
        if count > 0 {
          stats.received(bytes: count)
          process(UnsafeRawBufferPointer(rebasing: target[..<count]), in: nil)
        }
      }
      if count <= 0 {
        if count < 0 && Socket.wouldBlock(count) { return }
        return peerEnded(error: Int32(-count))
      }
      if isDry(after: count, of: room) && !sawPeerClosed { return }
    }
    if isOpen && !isPaused { loop.deferToEndOfTurn(self) }
  }

  /// The backend sent FIN (`error` 0) or the connection broke.
  private func peerEnded(error: Int32) {
    switch state {
    case .closed: return
    case .idle:
      pool.idleConnectionEnded(self)
      close()
    case .body(let reader) where reader.endsWithClose && error == 0 && tls?.wasTruncated != true:
      state = .responseEnded
      exchange { $0.responseEnded(canReuse: false) }
    case .tunnel where error == 0:
      exchange { $0.tunnelEndedByBackend() }
    case .responseEnded:
      break
    case .discarding: close()
    default:
      exchange { $0.backendLost(amidResponse: inbox != nil || informationalCount > 0) }
    }
  }

  /// Handles what has arrived. `source` is the inbox if the bytes lie there, else they lie in the worker's buffer.
  private func process(_ bytes: UnsafeRawBufferPointer, in source: ByteBuffer?) {
    var offset = 0
    steps: while offset < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      switch state {
      case .idle, .connecting, .handshake:
        // Nobody asked for this: never give it to the next caller.
        pool.idleConnectionEnded(self)
        return close()
      case .head:
        guard let method = exchange({ $0.method }) else { return }
        switch worker.responseHead.parse(rest, requestMethod: method, limits: pool.client.router.limits) {
        case .needMore:
          break steps
        case .failed(let error):
          return exchange { $0.badResponse("The response is malformed: \(error)") }
        case .complete:
          let head = UnsafeRawBufferPointer(rebasing: rest[..<worker.responseHead.length])
          offset += head.count
          guard exchange({ headReceived(head, $0) }) == true else { return }
        }
      case .body(var reader):
        // Taken out, so that the decoder is changed in place and not copied.
        state = .responseEnded
        let used = exchange { exchange in
          let used = relay(&reader, rest, exchange)
          return self.exchange.leads(to: exchange) ? used : nil
        }
        guard let used, let used else { return }
        offset += used
        state = .body(reader)
      case .discarding(var reader):
        state = .responseEnded
        guard let used = discard(&reader, rest) else { return close() }
        offset += used
        state = .discarding(reader)
      case .tunnel:
        exchange { $0.tunnelFromBackend(rest) }
        offset = bytes.count
      case .responseEnded, .closed:
        return
      }
      if case .body(let reader) = state, reader.hasEnded {
        return responseComplete(leftOver: bytes.count - offset, in: source)
      }
      if case .discarding(let reader) = state, reader.hasEnded {
        return discarded(leftOver: bytes.count - offset)
      }
    }
    exchange { $0.flushResponse() }
    keep(bytes, from: offset, in: source)
  }

  /// The whole response is in. Bytes beyond it were not asked for, so the connection carries no other exchange.
  private func responseComplete(leftOver: Int, in source: ByteBuffer?) {
    state = .responseEnded
    dropInbox()
    exchange { $0.responseEnded(canReuse: leftOver == 0 && backendKeepsAlive && !sawPeerClosed) }
  }

  /// The response that nobody wanted is at its end.
  private func discarded(leftOver: Int) {
    loop.cancel(timer)
    dropInbox()
    if leftOver > 0 || sawPeerClosed { close() } else { giveBack() }
  }

  /// Keeps an unfinished head for the next read; gives the buffer back when nothing is left.
  private func keep(_ bytes: UnsafeRawBufferPointer, from offset: Int, in source: ByteBuffer?) {
    guard isOpen else { return }
    if let source {
      source.consume(offset)
      if source.isEmpty { dropInbox() }
    } else if offset < bytes.count {
      let buffer = worker.takeBuffer()
      buffer.append(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
      inbox = buffer
    }
  }

  private func dropInbox() {
    if let inbox { worker.giveBack(inbox) }
    inbox = nil
  }

  /// False if the exchange has ended over it.
  private func headReceived(_ head: UnsafeRawBufferPointer, _ exchange: Exchange) -> Bool {
    let status = worker.responseHead.status
    if status == 101 {
      guard exchange.switchingProtocols(head) else { return false }
      state = .tunnel
      return true
    }
    if status < 200 {
      informationalCount += 1
      guard informationalCount <= Self.informationalMax else {
        exchange.badResponse("More than \(Self.informationalMax) 1xx responses came.")
        return false
      }
      exchange.informational(head)
      return self.exchange.leads(to: exchange)
    }
    informationalCount = 0
    backendKeepsAlive = worker.responseHead.keepAlive
    if case .connect = exchange.method, (200..<300).contains(status) {
      // RFC 9110 §9.3.6: never asked of a backend, so it cannot be meant.
      exchange.badResponse("A 2xx answers a CONNECT that was not sent.")
      return false
    }
    if exchange.isBackup {
      guard exchange.handOver(&worker.responseHead, head) else {
        if case .discarding = state { return true }
        return false
      }
      return self.exchange { responseBegan(head, $0) } ?? false
    }
    return responseBegan(head, exchange)
  }

  @inline(__always)
  private func responseBegan(_ head: UnsafeRawBufferPointer, _ exchange: Exchange) -> Bool {
    let reader = BodyReader(worker.responseHead.framing, limits: pool.client.router.limits)
    exchange.responseBegan(head)
    if case .discarding = state { return true }
    guard self.exchange.leads(to: exchange) else { return false }
    state = .body(reader)
    return true
  }

  /// Passes on what there is of the body; the number of bytes used. The exchange may end over it.
  private func relay(_ reader: inout BodyReader, _ bytes: UnsafeRawBufferPointer, _ exchange: Exchange) -> Int {
    switch reader {
    case .ended: return 0
    case .untilClose:
      exchange.responseBody(bytes)
      return bytes.count
    case .length(let left):
      let count = Int(min(left, UInt64(bytes.count)))
      exchange.responseBody(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      reader = left == UInt64(count) ? .ended : .length(left - UInt64(count))
      return count
    case .chunked(var decoder):
      reader = .ended
      var offset = 0
      while true {
        let step = decoder.next(bytes, from: offset)
        offset = step.consumedTo
        switch step.event {
        case .data(let range):
          exchange.responseBody(UnsafeRawBufferPointer(rebasing: bytes[range]))
          // The caller may be gone over this write, and the exchange with it.
          guard self.exchange.leads(to: exchange) else { return offset }
        case .needMore:
          reader = .chunked(decoder)
          return offset
        case .end:
          exchange.responseTrailers(decoder.trailers?.readable)
          return offset
        case .failed(let error):
          exchange.badResponse("The response is malformed: \(error)")
          return offset
        }
      }
    }
  }

  // MARK: The request's way out

  override func outputDrained() { exchange { $0.requestOutputDrained() } }

  override func outputBroke() {
    // The backend may have answered before it closed; the answer, or the end of the stream, is found by reading.
    loop.deferToEndOfTurn(self)
  }

  // MARK: End

  /// The exchange is over and this connection may carry another.
  @inline(__always)
  func giveBack() {
    exchange = nil
    state = .idle
    isPaused = false
    idleSince = loop.now
    if let life = pool.client.lifeTimeNanoseconds, loop.now.nanoseconds(since: openedAt) > life { return close() }
    pool.giveBack(self)
  }

  /// The exchange goes on elsewhere and wants nothing of the response whose head has just come. The rest of a short one
  /// is read, since a new connection costs more.
  func discardResponse() {
    exchange = nil
    isPaused = false
    guard !isBlocked, backendKeepsAlive, worker.responseHead.framing.lengthMax <= Self.discardedBytesMax else {
      return close()
    }
    state = .discarding(BodyReader(worker.responseHead.framing, limits: pool.client.router.limits))
    discardedBytes = 0
    timer = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.discardMillisecondsMax))
  }

  private func discard(_ reader: inout BodyReader, _ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let used = reader.skip(bytes) else { return nil }
    discardedBytes += used
    return discardedBytes <= Self.discardedBytesMax ? used : nil
  }

  func pause() { isPaused = true }

  /// CONNECT: bytes go through as they are.
  func enterTunnel() { state = .tunnel }

  /// Closes an idle connection that the pool has taken out already.
  func retire() { close() }

  /// The exchange ended without a whole response, or must not share the connection.
  func abandon() {
    exchange = nil
    close()
  }

  /// The caller has gone while the connection was being made: it goes to the pool once it is there.
  func exchangeLeft() {
    exchange = nil
    stats.connectCancelled()
  }

  private func close() {
    guard isOpen else { return }
    state = .closed
    exchange = nil
    loop.cancel(timer)
    dropInbox()
    dropOutput()
    closeChannel()
    if wasConnected { stats.connectionClosed() }
    pool.connectionClosed()
  }
}

import HTTP
import MeshBase
import Net

/// A caller's side of one exchange over HTTP/2. Pooled by the worker.
final class ServerStream: HTTP2Stream {
  /// Nil while the stream is not in use. A connection closes its streams before it goes.
  var connection: Unretained<HTTP2ServerConnection> = nil
  var exchange: Unretained<Exchange> = nil
  /// Place in the connection's list of streams with an exchange.
  var position = 0
  /// Place among the requests that begin at the end of the read; -1 if it is not there.
  var heldIndex = -1
  /// Body bytes that came before the exchange could take them; at most the stream's window. Pooled.
  private var inbox: ByteBuffer?
  private var trailerLines: ByteBuffer?
  private var isTunnel = false
  /// The end of the request has been passed on.
  private var toldEnd = false

  // MARK: Request

  func received(_ bytes: UnsafeRawBufferPointer) {
    if inbox == nil, takesBytes {
      pass(bytes)
      giveCredit()
    } else if exchange == nil {
      // The answer is out already; nobody wants the rest. It may have come while these bytes began the exchange, and
      // then they are given back with all others.
      withSession { $0.consumed(self, unconsumedBytes) }
    } else {
      let buffer = inbox ?? connection { $0.worker.takeBuffer() }
      buffer?.append(bytes)
      inbox = buffer
    }
  }

  func received(trailers: UnsafeRawBufferPointer) {
    guard exchange != nil, let buffer = connection({ $0.worker.takeBuffer() }) else { return }
    buffer.append(trailers)
    trailerLines = buffer
  }

  func requestEnded() { if inbox == nil { tellEnd() } }

  /// The exchange takes bytes, for the first time or again.
  func resumeInput() {
    guard takesBytes else { return }
    if let inbox {
      self.inbox = nil
      pass(inbox.readable)
      giveBack(inbox)
    }
    giveCredit()
    if remoteEnded { tellEnd() }
  }

  /// What comes behind an extended CONNECT belongs to the tunnel: a backend of HTTP/1 that refuses it would take the
  /// bytes for another request.
  private var takesBytes: Bool { exchangeTakesBytes && (isTunnel || !extendedProtocol) }

  private var exchangeTakesBytes: Bool { exchange { $0.takesRequestBytes } ?? false }

  private func pass(_ bytes: UnsafeRawBufferPointer) {
    exchange { if isTunnel { $0.tunnelFromCaller(bytes) } else { $0.relayRequestData(bytes) } }
  }

  /// The caller may send as much again, unless the backend lags.
  private func giveCredit() {
    if unconsumedBytes > 0, exchangeTakesBytes { withSession { $0.consumed(self, unconsumedBytes) } }
  }

  private func tellEnd() {
    guard !toldEnd, takesBytes else { return }
    toldEnd = true
    if isTunnel { return exchange { $0.tunnelEndedByCaller() } }
    let lines = trailerLines
    trailerLines = nil
    exchange { $0.relayRequestEnd(trailers: lines?.readable) }
    if let lines { giveBack(lines) }
  }

  func tunnelOpened() { isTunnel = true }

  func dropInbox() {
    if let inbox {
      giveBack(inbox)
      self.inbox = nil
    }
    if let trailerLines {
      giveBack(trailerLines)
      self.trailerLines = nil
    }
    isTunnel = false
    toldEnd = false
  }

  private func giveBack(_ buffer: ByteBuffer) { connection { $0.worker.giveBack(buffer) } }

  @inline(__always)
  private func withSession(_ body: (HTTP2Session) -> Void) { connection { $0.withSession(body) } }

  // MARK: Response

  func inform(_ head: UnsafeRawBufferPointer) { withSession { $0.submitInformational(self, head: head) } }

  func respond(_ head: UnsafeRawBufferPointer, end: Bool) {
    withSession {
      // A head that cannot be said in HTTP/2.
      if !$0.submitResponse(self, head: head, end: end) { $0.reset(self, code: .internalError) }
    }
  }

  @inline(__always)
  func send(_ bytes: UnsafeRawBufferPointer) { withSession { $0.send(self, bytes) } }

  func end(trailers: UnsafeRawBufferPointer? = nil) {
    withSession { $0.end(self, trailers: trailers) }
  }

  /// The router's own answer, whole.
  func answer(_ answer: FailureAnswer, isHead: Bool, retryable: Bool) {
    guard let worker = connection({ $0.worker }) else { return }
    let out = worker.scratch
    out.removeAll()
    let headBytes = answer.write(to: out, worker: worker, keepAlive: true, isHead: isHead, retryable: retryable)
    let body = UnsafeRawBufferPointer(rebasing: out.readable[headBytes...])
    respond(UnsafeRawBufferPointer(rebasing: out.readable[..<headBytes]), end: body.isEmpty)
    if !body.isEmpty {
      send(body)
      end()
    }
    out.removeAll()
  }

  /// The router's own answer to a gRPC call: trailers and nothing else.
  func answerCall(_ answer: FailureAnswer, retryable: Bool) {
    guard let worker = connection({ $0.worker }) else { return }
    let out = worker.scratch
    out.removeAll()
    answer.writeCallEnd(to: out, worker: worker, retryable: retryable)
    respond(out.readable, end: true)
    out.removeAll()
  }

  /// The response will not be whole: RST_STREAM, so that nobody takes it for whole.
  func breakOff(_ code: HTTP2ErrorCode) { withSession { $0.reset(self, code: code) } }

  /// A gRPC call ends amid its response with a status of the router's.
  func endCall(_ status: GRPCStatus) {
    Array("grpc-status: \(status.rawValue)\r\n".utf8).withUnsafeBytes { end(trailers: $0) }
  }

  /// Nobody reads what the caller still sends.
  func discardInput() {
    withSession {
      $0.headUsed(self)
      $0.consumed(self, unconsumedBytes)
      $0.stopInput(self)
    }
  }

  /// The exchange is over; what it has sent still goes out.
  func exchangeEnded() {
    dropInbox()
    connection { $0.leave(self) }
    discardInput()
  }
}

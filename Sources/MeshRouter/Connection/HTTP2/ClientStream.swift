import HTTP
import MeshBase

/// A backend's side of one exchange over HTTP/2. Pooled by the worker.
final class ClientStream: HTTP2Stream {
  /// Nil while the stream is not in use. A connection closes its streams before it goes.
  var connection: Unretained<HTTP2ClientConnection> = nil
  var exchange: Unretained<Exchange> = nil
  /// The caller's side cannot take more: the backend gets no credit.
  private var isPaused = false
  private(set) var isTunnel = false
  /// The request's head is with the session. Until then the connection keeps a place for the stream.
  private var isSubmitted = false
  /// Listed by its connection, which asks for `flushResponse` when it has read all.
  var isUnflushed = false

  // MARK: Request

  /// Opens the stream. Not nil: it was not opened, and nothing was sent.
  func request(_ head: UnsafeRawBufferPointer, end: Bool, extended: Bool) -> HTTP2Refusal? {
    let refusal = connection { $0.open(self, head, end: end, extended: extended) } ?? .goingAway
    isSubmitted = refusal == nil
    return refusal
  }

  @inline(__always)
  func send(_ bytes: UnsafeRawBufferPointer) { withSession { $0.send(self, bytes) } }

  func end(trailers: UnsafeRawBufferPointer? = nil) {
    withSession { $0.end(self, trailers: trailers) }
  }

  // MARK: Response

  func received(_ bytes: UnsafeRawBufferPointer) {
    if exchange == nil { return withSession { $0.consumed(self, bytes.count) } }
    exchange { if isTunnel { $0.tunnelFromBackend(bytes) } else { $0.responseBody(bytes) } }
  }

  /// Hands on what the last events came to, and gives the backend credit for it unless the caller lags.
  func flushResponse() {
    exchange { $0.flushResponse() }
    if !isPaused { giveCredit() }
  }

  private func giveCredit() {
    if unconsumedBytes > 0 { withSession { $0.consumed(self, unconsumedBytes) } }
  }

  func pause() { isPaused = true }

  func resume() {
    isPaused = false
    giveCredit()
  }

  func tunnelOpened() { isTunnel = true }

  @inline(__always)
  private func withSession(_ body: (HTTP2Session) -> Void) { connection { $0.withSession(body) } }

  /// The exchange is over. A stream that is not ended in both directions is cancelled.
  func release() {
    exchange = nil
    isPaused = false
    if !isSubmitted { return recycleUnopened() }
    if isOpen {
      if !(remoteEnded && localEnded) { withSession { $0.reset(self, code: .cancel) } }
      giveCredit()
    }
  }

  private func recycleUnopened() {
    let connection = self.connection
    self.connection = nil
    connection { $0.unopened(self) }
  }

  func recycle() {
    exchange = nil
    connection = nil
    isPaused = false
    isTunnel = false
    isSubmitted = false
  }
}

import HTTP
import MeshBase

/// A backend's side of one exchange over HTTP/2. Pooled by the worker.
final class ClientStream: HTTP2Stream {
  /// Nil while the stream is not in use.
  var connection: HTTP2ClientConnection?
  var exchange: Exchange?
  /// The caller's side cannot take more: the backend gets no credit.
  private var isPaused = false
  private(set) var isTunnel = false
  /// The request's head is with the session. Until then the connection keeps a place for the stream.
  private var isSubmitted = false
  /// Listed by its connection, which asks for `flushResponse` when it has read all.
  var isUnflushed = false

  /// The backend's window or connection does not keep up.
  var isBlocked: Bool { queuedBytes > ServerStream.highWaterBytes }

  // MARK: Request

  /// Opens the stream. Not nil: it was not opened, and nothing was sent.
  func request(_ head: UnsafeRawBufferPointer, end: Bool, extended: Bool) -> HTTP2Refusal? {
    guard let connection else { return .goingAway }
    let refusal = connection.open(self, head, end: end, extended: extended)
    isSubmitted = refusal == nil
    return refusal
  }

  @inline(__always)
  func send(_ bytes: UnsafeRawBufferPointer) { connection?.withSession { $0.send(self, bytes) } }

  func end(trailers: UnsafeRawBufferPointer? = nil) {
    connection?.withSession { $0.end(self, trailers: trailers) }
  }

  // MARK: Response

  func received(_ bytes: UnsafeRawBufferPointer) {
    guard let exchange else {
      connection?.withSession { $0.consumed(self, bytes.count) }
      return
    }
    if isTunnel { exchange.tunnelFromBackend(bytes) } else { exchange.responseBody(bytes) }
  }

  /// Hands on what the last events came to, and gives the backend credit for it unless the caller lags.
  func flushResponse() {
    exchange?.flushResponse()
    if !isPaused { giveCredit() }
  }

  private func giveCredit() {
    if unconsumedBytes > 0 { connection?.withSession { $0.consumed(self, unconsumedBytes) } }
  }

  func pause() { isPaused = true }

  func resume() {
    isPaused = false
    giveCredit()
  }

  func tunnelOpened() { isTunnel = true }

  /// The exchange is over. A stream that is not ended in both directions is cancelled.
  func release() {
    exchange = nil
    isPaused = false
    if !isSubmitted { return recycleUnopened() }
    if isOpen {
      if !(remoteEnded && localEnded) { connection?.withSession { $0.reset(self, code: .cancel) } }
      giveCredit()
    }
  }

  private func recycleUnopened() {
    guard let connection else { return }
    self.connection = nil
    connection.unopened(self)
  }

  func recycle() {
    exchange = nil
    connection = nil
    isPaused = false
    isTunnel = false
    isSubmitted = false
  }
}

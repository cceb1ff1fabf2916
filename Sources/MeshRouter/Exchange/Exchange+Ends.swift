import HTTP
import MeshBase
import Net

// What an exchange asks of its two ends, each of them a connection of HTTP/1 or a stream of HTTP/2.
extension Exchange {
  // MARK: The caller

  @inline(__always) var hasCaller: Bool { server != nil || stream != nil }

  var caller: CallerChannel? { server ?? stream { $0.connection.retained } ?? nil }

  /// The caller does not take more for now.
  @inline(__always)
  var callerIsBlocked: Bool {
    if server == nil { return stream { $0.isBlocked } ?? false }
    return Unretained(server) { $0.isBlocked } ?? false
  }

  /// Whether the answer must end the caller's connection; one of HTTP/2 ends by itself.
  @inline(__always)
  var callerMustClose: Bool { Unretained(server) { $0.mustClose } ?? false }

  /// The backend takes request bytes.
  func resumeCaller() {
    if let server { server.resumeInput() } else { stream { $0.resumeInput() } }
  }

  // MARK: The backend

  /// Where the response is written until it is handed to the caller. Streams take turns within one read, so each
  /// exchange with one has its own: the request's head, which is out by then.
  @inline(__always)
  var responseOut: ByteBuffer { backendStream == nil ? worker.scratch : requestHead }

  @inline(__always) var hasBackend: Bool { connection != nil || backendStream != nil }

  /// The backend does not take more for now.
  @inline(__always)
  var backendIsBlocked: Bool {
    if connection == nil { return backendStream { $0.isBlocked } ?? true }
    return Unretained(connection) { $0.isBlocked } ?? true
  }

  func pauseBackend() {
    if let connection { connection.pause() } else { backendStream { $0.pause() } }
  }

  func resumeBackend() {
    if let connection { connection.resume() } else { backendStream { $0.resume() } }
  }

  /// Lets go of the backend without a further use for what connects to it.
  func leaveBackend() {
    if let connection {
      self.connection = nil
      connection.abandon()
    }
    let stream = backendStream
    backendStream = nil
    stream { $0.release() }
  }

  // MARK: Request bytes of an HTTP/2 caller

  func relayRequestData(_ bytes: UnsafeRawBufferPointer) {
    lastMoved = now
    if keptBodyMax > 0 { keep(bytes) } else { _ = machine.handle(.bodyConsumed) }
    if traffic != nil { copyBody(bytes) }
    if backendStream == nil, bodyIsChunked {
      let out = worker.requestScratch
      out.removeAll()
      out.appendChunk(bytes)
      writeRequest(out.readable)
    } else {
      writeRequest(bytes)
    }
  }

  /// `trailers`: field lines, each with its CRLF.
  func relayRequestEnd(trailers: UnsafeRawBufferPointer?) {
    guard !requestIsComplete else { return }
    lastMoved = now
    takeWholeRequest()
    keepEnd(trailers: trailers != nil)
    if backendStream != nil { return backendStream { $0.end(trailers: trailers) } }
    guard bodyIsChunked else { return flushRequest() }
    let out = worker.requestScratch
    out.removeAll()
    out.appendLastChunk(trailers: trailers)
    writeRequest(out.readable)
  }

  // MARK: How a backend's stream ends

  /// The code for the caller's stream when the backend's ended with `backendResetCode`. What concerns only the
  /// connection between the router and the backend is an internal error to the caller; so is an end without error that
  /// leaves the response cut, and a refusal, since the caller would take its request for one that was not processed.
  var resetCodeForCaller: HTTP2ErrorCode {
    switch backendResetCode {
    case .cancel?: .cancel
    case .enhanceYourCalm?: .enhanceYourCalm
    case .connectError?: .connectError
    default: .internalError
    }
  }

  /// The stream could not be opened; nothing was sent.
  func refused(_ refusal: HTTP2Refusal) {
    switch refusal {
    case .noSlot, .goingAway: perform(machine.handle(.refused(connectionIsLeaving: true)))
    case .badHead where upgradeWanted && (backendStream { $0.connection { $0.takesTunnels } } ?? nil) == false:
      guard client({ $0.protocol }) == .auto, !avoidsStreams else {
        failureDetail = "client.protocol: auto would make a connection of HTTP/1 for it."
        return perform(machine.handle(.failed(.connectNoTunnel)))
      }
      avoidsStreams = true
      perform(machine.handle(.refused(connectionIsLeaving: true)))
    case .badHead:
      failureDetail = "The endpoint does not take this request over HTTP/2."
      perform(machine.handle(.failed(.relayBadResponse)))
    }
  }

  /// The stream is gone before the response was whole.
  func backendStreamClosed(_ code: HTTP2ErrorCode, connectionLost: Bool, goingAway: Bool) {
    backendStream = nil
    if code == .refusedStream {
      // RFC 9113 §8.7: surely not processed.
      return perform(machine.handle(.refused(connectionIsLeaving: goingAway || connectionLost)))
    }
    if connectionLost { return backendLost(amidResponse: false) }
    failureDetail = "The endpoint reset the stream: \(code)."
    backendResetCode = code
    if retry(after: .relayResetByServer) { return }
    perform(machine.handle(.failed(.relayResetByServer)))
  }
}

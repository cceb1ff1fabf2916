import CNghttp2
import MeshBase

/// Why a stream was not opened.
public enum HTTP2Refusal: Error, Equatable, Sendable {
  /// As many streams are open as the peer allows.
  case noSlot
  /// The peer said GOAWAY, or all stream identifiers are used up: open another connection.
  case goingAway
  /// The head is not well-formed, or asks for an extended CONNECT that the peer does not take.
  case badHead
}

// Heads, bodies and what ends them. Everything waits until `takeOutput`.
extension HTTP2Session {
  /// Client: whether one more stream may be opened now.
  public var canOpenStream: Bool {
    !goawayReceived && !isAbandoned && failure == nil && streamCount < peerMaxConcurrentStreams
      && nghttp2_session_check_request_allowed(raw) != 0
  }

  /// Client: opens a stream with the request head `text`, HTTP/1.1 text with its blank line; nil when it is under way.
  ///
  /// Lines that concern an HTTP/1 connection are left out, Host becomes `:authority`. With `extended` (RFC 8441) the
  /// value of Upgrade becomes `:protocol`. With `end` there is no body.
  public func submitRequest(
    _ stream: HTTP2Stream, head text: UnsafeRawBufferPointer, isHTTPS: Bool, end: Bool, extended: Bool = false
  ) -> HTTP2Refusal? {
    precondition(role == .client, "a server sends no requests")
    if !canOpenStream {
      let isFull = !goawayReceived && !isAbandoned && failure == nil && streamCount >= peerMaxConcurrentStreams
      return isFull ? .noSlot : .goingAway
    }
    if extended && !peerTakesExtendedConnect { return .badHead }
    let isFirst = nghttp2_session_get_next_stream_id(raw) == 1
    if !writer.request(text, isHTTPS: isHTTPS, extended: extended, isFirst: isFirst) { return .badHead }
    let pointer = Unmanaged.passUnretained(stream).toOpaque()
    var provider = HTTP2Library.provider(pointer)
    let id =
      end
      ? nghttp2_submit_request(raw, nil, writer.fields, writer.count, nil, pointer)
      : nghttp2_submit_request(raw, nil, writer.fields, writer.count, &provider, pointer)
    if id <= 0 { return .goingAway }
    attach(stream, id: id)
    stream.localEnded = end
    stream.extendedProtocol = extended
    return nil
  }

  /// Server: a 1xx head. False if the stream is closed or the text is not well-formed.
  @discardableResult
  public func submitInformational(_ stream: HTTP2Stream, head text: UnsafeRawBufferPointer) -> Bool {
    if stream.isClosed || stream.isReset || stream.responded { return false }
    guard writer.response(text), writer.status < 200, writer.status != 101 else { return false }
    return nghttp2_submit_headers(
      raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, writer.fields, writer.count, nil) == 0
  }

  /// Server: the head of the response, HTTP/1.1 text with its blank line. With `end` there is no body. False if the
  /// stream is closed or the text is not well-formed.
  @discardableResult
  public func submitResponse(_ stream: HTTP2Stream, head text: UnsafeRawBufferPointer, end: Bool) -> Bool {
    if stream.isClosed || stream.isReset || stream.responded { return false }
    guard writer.response(text), writer.status >= 200 else { return false }
    var provider = HTTP2Library.provider(Unmanaged.passUnretained(stream).toOpaque())
    let result =
      end
      ? nghttp2_submit_response(raw, stream.id, writer.fields, writer.count, nil)
      : nghttp2_submit_response(raw, stream.id, writer.fields, writer.count, &provider)
    if result != 0 { return false }
    stream.responded = true
    stream.localEnded = end
    return true
  }

  /// Puts `bytes` of the body into the stream's queue. A head must have been submitted first.
  public func send(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    if stream.isClosed || stream.isReset || bytes.isEmpty { return }
    precondition(!stream.localEnded && (role == .client || stream.responded), "body bytes out of turn")
    if stream.queue == nil {
      stream.queue = tell { $0.takeBuffer() }
      stream.progressAt = now.nanoseconds
    }
    Unretained(stream.queue) { $0.append(bytes) }
    if stream.queuedBytes > lowWaterBytes { stream.owesDrained = true }
    resume(stream)
  }

  /// Ends the body once what is queued has gone out. `trailers`: field lines, each with its CRLF; false if they are
  /// not well-formed, and then the stream is reset, so that a cut message does not look whole.
  @discardableResult
  public func end(_ stream: HTTP2Stream, trailers: UnsafeRawBufferPointer? = nil) -> Bool {
    if stream.isClosed || stream.isReset || stream.localEnded { return true }
    precondition(role == .client || stream.responded, "the end before the head")
    if let trailers, trailers.count > 0 {
      let text = tell { $0.takeBuffer() }
      text.append(trailers)
      text.append("\r\n")
      if !writer.trailers(text.readable) {
        giveBack(text)
        reset(stream, code: .internalError)
        return false
      }
      if writer.count == 0 {
        giveBack(text)
      } else {
        stream.trailers = text
      }
    }
    stream.localEnded = true
    resume(stream)
    return true
  }

  /// Ends the stream at once, in both directions. `closed` follows when the frame is taken.
  public func reset(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    if stream.isClosed || stream.isReset { return }
    stream.isReset = true
    if framed != Unmanaged.passUnretained(stream).toOpaque() { dropOutput(stream) }
    nghttp2_submit_rst_stream(raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
  }

  /// Server: nobody reads what is left of the request. If it is not whole when the last frame of the response goes out,
  /// the client is told to stop, by RST_STREAM with NO_ERROR (RFC 9113 §8.1).
  public func stopInput(_ stream: HTTP2Stream) {
    if role == .client || stream.isClosed { return }
    stream.inputIsUnwanted = true
    if stream.endIsTaken { endTaken(stream) }
  }

  /// The last frame of a response has been taken.
  func endTaken(_ stream: HTTP2Stream) {
    stream.endIsTaken = true
    if stream.inputIsUnwanted, !stream.remoteEnded { reset(stream, code: .noError) }
  }

  private func resume(_ stream: HTTP2Stream) {
    if stream.isDeferred {
      stream.isDeferred = false
      nghttp2_session_resume_data(raw, stream.id)
    }
  }

  /// Server, first step of a graceful end: the client is told to open no more streams, and those under way are served
  /// still. A round trip later `goaway` says which was the last (RFC 9113 §6.8).
  public func shutdownNotice() {
    if role == .server && !isAbandoned { nghttp2_submit_shutdown_notice(raw) }
  }

  /// Streams of the peer above the last one that was processed are not served any more; the others are. With an error
  /// code the connection is over as soon as the frame is out.
  public func goaway(code: HTTP2ErrorCode) {
    if isAbandoned { return }
    if code == .noError {
      nghttp2_submit_goaway(
        raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(raw), code.rawValue, nil, 0)
    } else {
      fail(HTTP2Failure(code: code, libraryError: 0))
    }
  }

  /// Asks the peer for a sign of life; the answer comes as `pingAcked` with the same payload.
  public func ping(_ payload: UInt64) { if !isAbandoned { submitPing(payload) } }

  func submitPing(_ payload: UInt64) {
    withUnsafeBytes(of: payload.bigEndian) {
      _ = nghttp2_submit_ping(
        raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }
}

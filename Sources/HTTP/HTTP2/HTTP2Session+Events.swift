import CNghttp2
import MeshBase

// What libnghttp2 tells while it reads.
extension HTTP2Session {
  /// The head of a frame has come that libnghttp2 has not seen; a reason to end the connection, if it is one.
  @inline(__always)
  func frameComes(_ head: HTTP2FrameScan.Head) -> HTTP2Failure? {
    if let abuse = ledger.frameBegins(head, at: now.nanoseconds) { return HTTP2Failure(abuse) }
    switch head.type {
    case HTTP2Frame.data:
      // Opened by a frame that is not read yet, if at all: libnghttp2 will know.
      if role == .client || head.streamID > lastRequestID { return nil }
      return frameAfterClose(head.streamID)
    case HTTP2Frame.priority where head.streamID == 0 || head.dependency == head.streamID:
      return HTTP2Failure(code: .protocolError, libraryError: 0)
    default: return nil
    }
  }

  /// libnghttp2 begins to read a frame.
  func frameBegins(_ head: nghttp2_frame_hd) -> Int32 {
    if role == .client { return 0 }
    switch head.type {
    case HTTP2Frame.headers where head.stream_id <= lastRequestID:
      return frameAfterClose(head.stream_id).map { stop($0) } ?? 0
    case HTTP2Frame.rstStream: return resetComes(head.stream_id)
    default: return 0
    }
  }

  /// DATA or HEADERS on a stream that may be gone: right only if we cut it off. libnghttp2 would ignore both.
  private func frameAfterClose(_ id: Int32) -> HTTP2Failure? {
    if id & 1 == 0 || nghttp2_session_find_stream(raw, id) != nil { return nil }
    switch closedStreams.kind(of: id) {
    case .ended: return HTTP2Failure(code: .streamClosed, libraryError: 0)
    case .neverOpened: return HTTP2Failure(code: .protocolError, libraryError: 0)
    case .resetByUs, .unknown: return nil
    }
  }

  /// The client gives up a stream. Before we answered, that costs it nothing and us the request.
  private func resetComes(_ id: Int32) -> Int32 {
    var opened = now.nanoseconds
    if let stream = stream(id) {
      if stream._withUnsafeGuaranteedRef({ $0.responded || $0.isReset }) { return 0 }
      opened = stream._withUnsafeGuaranteedRef { $0.openedAt }
    }
    return ledger.resetBeforeAnswer(opened: opened, at: now.nanoseconds).map { stop($0) } ?? 0
  }

  /// Ends reading at once; the connection fails when libnghttp2 has returned.
  private func stop(_ abuse: HTTP2Abuse) -> Int32 { stop(HTTP2Failure(abuse)) }

  private func stop(_ found: HTTP2Failure) -> Int32 {
    fault = fault ?? found
    return HTTP2Library.callbackFailure
  }

  func sectionBegins(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let kind: HTTP2HeadReader.Kind =
      switch frame.pointee.headers.cat {
      case NGHTTP2_HCAT_REQUEST: .request
      case NGHTTP2_HCAT_RESPONSE: .response
      default: .trailers
      }
    let reader = beginSection()
    reader {
      $0.begin(kind, streamID: frame.pointee.hd.stream_id, limit: settings.maxHeaderListBytes)
    }
    if kind == .request { lastRequestID = frame.pointee.hd.stream_id }
    if kind == .request, streamCount >= settings.maxConcurrentStreams || heldHeadBytes > limits.heldHeadBytesMax {
      reader { $0.refuse() }
      nghttp2_submit_rst_stream(
        raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), frame.pointee.hd.stream_id, HTTP2ErrorCode.refusedStream.rawValue)
      if let abuse = ledger.streamRefused(at: now.nanoseconds) { return stop(abuse) }
    }
    return 0
  }

  @inline(__always)
  func field(
    _ frame: UnsafePointer<nghttp2_frame>, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) -> Int32 {
    let listBytes = reader { $0.add(name: name, value: value) ? $0.listBytes : -1 }
    guard let listBytes else { return HTTP2Library.callbackFailure }
    if listBytes >= 0 { return listBytes <= sectionBytesMax ? 0 : stop(.headerBomb) }
    malformed(frame.pointee.hd.stream_id)
    endSection()
    return HTTP2Library.temporalFailure
  }

  /// A malformed message is a stream error (RFC 9113 §8.1.1).
  private func malformed(_ id: Int32) {
    nghttp2_submit_rst_stream(
      raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, HTTP2ErrorCode.protocolError.rawValue)
  }

  func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let head = frame.pointee.hd
    switch head.type {
    case HTTP2Frame.data:
      let padding = frame.pointee.data.padlen
      if let abuse = ledger.received(
        content: head.length &- padding, padding: padding, isEnd: head.flags & HTTP2Frame.endStream != 0,
        at: now.nanoseconds)
      {
        return stop(abuse)
      }
      if head.flags & HTTP2Frame.endStream != 0, let stream = stream(head.stream_id) {
        stream._withUnsafeGuaranteedRef { remoteEnds($0) }
      }
    case HTTP2Frame.headers:
      if let abuse = ledger.received(
        content: 0, padding: frame.pointee.headers.padlen, isEnd: true, at: now.nanoseconds)
      {
        return stop(abuse)
      }
      sectionEnds(head.stream_id, endStream: head.flags & HTTP2Frame.endStream != 0)
    case HTTP2Frame.settings where head.flags & HTTP2Frame.ack == 0: settingsCome()
    case HTTP2Frame.ping where head.flags & HTTP2Frame.ack != 0:
      let payload = withUnsafeBytes(of: frame.pointee.ping.opaque_data) {
        UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))
      }
      if payload == HTTP2Session.estimatePing { estimate.acked(at: now) } else { tell { $0.pingAcked(payload) } }
    case HTTP2Frame.goaway:
      goawayReceived = true
      let goaway = frame.pointee.goaway
      tell {
        $0.goaway(
          lastStreamID: goaway.last_stream_id, code: HTTP2ErrorCode(rawValue: goaway.error_code),
          debug: UnsafeRawBufferPointer(start: goaway.opaque_data, count: goaway.opaque_data_len))
      }
    default: break
    }
    return fault == nil ? 0 : HTTP2Library.callbackFailure
  }

  private func settingsCome() {
    prefaceReceived = true
    peerMaxConcurrentStreams = Int(
      nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    peerTakesExtendedConnect =
      nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    tell { $0.settingsReceived() }
  }

  private func remoteEnds(_ stream: HTTP2Stream) {
    if stream.remoteEnded || stream.isReset { return }
    stream.remoteEnded = true
    tell { $0.ended(stream) }
  }

  /// A header section is complete and its fields make sense together.
  private func sectionEnds(_ id: Int32, endStream: Bool) {
    reader { if $0.streamID == id { sectionEnds($0, id, endStream: endStream) } }
    endSection()
  }

  private func sectionEnds(_ reader: HTTP2HeadReader, _ id: Int32, endStream: Bool) {
    if reader.isRefused { return }
    if reader.isTooLarge, let abuse = ledger.headTooLarge(at: now.nanoseconds) {
      fault = HTTP2Failure(abuse)
      return
    }
    if !reader.finish(endStream: endStream) { return malformed(id) }
    if reader.kind == .request { return requestComes(reader, id, endStream: endStream) }
    guard let stream = stream(id) else { return }
    stream._withUnsafeGuaranteedRef { stream in
      if stream.isReset { return }
      if reader.isTooLarge {
        stream.remoteEnded = stream.remoteEnded || endStream
        return tell { $0.headersTooLarge(stream, endStream: endStream) }
      }
      if reader.kind == .trailers {
        tell { $0.trailers(stream, text: reader.text.readable) }
        if endStream { remoteEnds(stream) }
      } else if reader.status < 200 {
        tell { $0.informational(stream, text: reader.text.readable) }
      } else {
        stream.responded = true
        stream.remoteEnded = endStream
        tell { $0.responseHead(stream, text: reader.text.readable, endStream: endStream) }
      }
    }
  }

  private func requestComes(_ reader: HTTP2HeadReader, _ id: Int32, endStream: Bool) {
    let stream = tell { $0.newStream() }
    stream { requestComes(reader, $0, id, endStream: endStream) }
  }

  private func requestComes(_ reader: HTTP2HeadReader, _ stream: HTTP2Stream, _ id: Int32, endStream: Bool) {
    attach(stream, id: id)
    stream.openedAt = now.nanoseconds
    nghttp2_session_set_stream_user_data(raw, id, Unmanaged.passUnretained(stream).toOpaque())
    stream.remoteEnded = endStream
    stream.extendedProtocol = reader.isExtendedConnect
    stream.schemeIsHTTPS = reader.schemeIsHTTPS
    if reader.isTooLarge {
      stream.refusedIsHead = reader.isHead
      tell { $0.headersTooLarge(stream, endStream: endStream) }
    } else {
      stream.heldHeadBytes = reader.listBytes
      heldHeadBytes &+= reader.listBytes
      tell { $0.requestHead(stream, text: reader.text.readable, endStream: endStream) }
    }
  }

  func dataReceived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard let stream = stream(id) else {
      nghttp2_session_consume(raw, id, bytes.count)
      return 0
    }
    stream._withUnsafeGuaranteedRef { stream in
      if stream.isReset {
        nghttp2_session_consume_connection(raw, bytes.count)
        return
      }
      received(bytes.count, for: stream)
      tell { $0.data(stream, bytes) }
    }
    return 0
  }

  func frameRefused(_ frame: UnsafePointer<nghttp2_frame>, _ error: Int32) -> Int32 {
    complaint = error
    return 0
  }

  func streamClosed(_ id: Int32, _ code: HTTP2ErrorCode) -> Int32 {
    closedStreams.insert(id, resetByUs: false)
    if let stream = stream(id) {
      stream._withUnsafeGuaranteedRef {
        // The code alone says nothing: a client may reset with NO_ERROR too.
        if $0.remoteEnded && $0.localEnded && !$0.isReset { ledger.endedWell() }
        close($0, code: code)
      }
    }
    return 0
  }
}

// What libnghttp2 asks and tells while it writes.
extension HTTP2Session {
  /// Bytes for the next DATA frame of a stream, or that there are none yet.
  func nextData(limit: Int, flags: UnsafeMutablePointer<UInt32>, of pointer: UnsafeMutableRawPointer) -> Int {
    Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { stream in
      let queued = stream.queuedBytes
      let count = min(limit, queued)
      if count == queued, stream.localEnded, !stream.isReset {
        flags.pointee = NGHTTP2_DATA_FLAG_EOF.rawValue
        if let text = stream.trailers {
          flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
          // They were parsed when they were given, so they are well-formed.
          _ = writer.trailers(text.readable)
          nghttp2_submit_trailer(raw, stream.id, writer.fields, writer.count)
          stream.trailers = nil
          giveBack(text)
        }
      } else if count == 0 {
        stream.isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
      if count > 0 || flags.pointee & NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue == 0 {
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
      }
      return count
    }
  }

  /// Writes one DATA frame from the stream's queue straight into the output.
  func writeData(
    _ frame: UnsafePointer<nghttp2_frame>, head: UnsafeRawBufferPointer, count: Int,
    of pointer: UnsafeMutableRawPointer?
  ) -> Int32 {
    guard let output, let pointer else { return HTTP2Library.callbackFailure }
    return output._withUnsafeGuaranteedRef { output in
      if output.count >= outputLimit {
        isOutputFull = true
        framed = pointer
        return NGHTTP2_ERR_WOULDBLOCK.rawValue
      }
      return Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { stream in
        framed = nil
        precondition(count <= stream.queuedBytes, "the bytes of a DATA frame are gone")
        output.append(head)
        if count == 0 { return 0 }
        let isEmpty = Unretained(stream.queue) { queue in
          output.append(UnsafeRawBufferPointer(rebasing: queue.readable[0..<count]))
          queue.consume(count)
          return queue.isEmpty
        }
        stream.progressAt = now.nanoseconds
        if isEmpty == true { giveBackQueue(of: stream) }
        if stream.owesDrained, stream.queuedBytes <= lowWaterBytes {
          stream.owesDrained = false
          tell { $0.outputDrained(stream) }
        }
        return 0
      }
    }
  }

  func frameSent(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let head = frame.pointee.hd
    if role == .server, head.type <= HTTP2Frame.headers, head.flags & HTTP2Frame.endStream != 0,
      let stream = stream(head.stream_id)
    {
      stream._withUnsafeGuaranteedRef { endTaken($0) }
    }
    switch head.type {
    case HTTP2Frame.data: ledger.sentData()
    case HTTP2Frame.rstStream: resetSent(frame.pointee.hd.stream_id, frame.pointee.rst_stream.error_code)
    case HTTP2Frame.goaway where frame.pointee.goaway.error_code != 0 && failure == nil:
      failure = HTTP2Failure(
        code: HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code), libraryError: complaint)
    default: break
    }
    return 0
  }

  /// A reset that no owner asked for answers a fault of the peer's.
  private func resetSent(_ id: Int32, _ code: UInt32) {
    closedStreams.insert(id, resetByUs: true)
    if role == .client || code == HTTP2ErrorCode.refusedStream.rawValue { return }
    if let stream = stream(id), stream._withUnsafeGuaranteedRef({ $0.isReset }) { return }
    if fault == nil, let abuse = ledger.resetProvoked(at: now.nanoseconds) { fault = HTTP2Failure(abuse) }
  }

  func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>, _ error: Int32) -> Int32 { 0 }
}

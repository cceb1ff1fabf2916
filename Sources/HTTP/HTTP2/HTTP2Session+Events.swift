import CNghttp2

// What libnghttp2 tells while it reads.
extension HTTP2Session {
  func frameBegins(_ head: nghttp2_frame_hd) -> Int32 { 0 }

  func sectionBegins(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let kind: HTTP2HeadReader.Kind =
      switch frame.pointee.headers.cat {
      case NGHTTP2_HCAT_REQUEST: .request
      case NGHTTP2_HCAT_RESPONSE: .response
      default: .trailers
      }
    reader.begin(kind, streamID: frame.pointee.hd.stream_id, limit: settings.maxHeaderListBytes)
    return 0
  }

  func field(
    _ frame: UnsafePointer<nghttp2_frame>, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) -> Int32 {
    if reader.add(name: name, value: value) { return 0 }
    malformed(frame.pointee.hd.stream_id)
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
      if head.flags & HTTP2Frame.endStream != 0, let stream = stream(head.stream_id) {
        stream._withUnsafeGuaranteedRef { remoteEnds($0) }
      }
    case HTTP2Frame.headers:
      sectionEnds(head.stream_id, endStream: head.flags & HTTP2Frame.endStream != 0)
    case HTTP2Frame.settings where head.flags & HTTP2Frame.ack == 0: settingsCome()
    case HTTP2Frame.ping where head.flags & HTTP2Frame.ack != 0:
      let payload = withUnsafeBytes(of: frame.pointee.ping.opaque_data) {
        UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))
      }
      if payload == HTTP2Session.estimatePing { estimateAcked() } else { delegate.pingAcked(payload) }
    case HTTP2Frame.goaway:
      goawayReceived = true
      let goaway = frame.pointee.goaway
      delegate.goaway(
        lastStreamID: goaway.last_stream_id, code: HTTP2ErrorCode(rawValue: goaway.error_code),
        debug: UnsafeRawBufferPointer(start: goaway.opaque_data, count: goaway.opaque_data_len))
    default: break
    }
    return 0
  }

  private func settingsCome() {
    prefaceReceived = true
    peerMaxConcurrentStreams = Int(
      nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    peerTakesExtendedConnect =
      nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    delegate.settingsReceived()
  }

  private func remoteEnds(_ stream: HTTP2Stream) {
    if stream.remoteEnded || stream.isReset { return }
    stream.remoteEnded = true
    delegate.ended(stream)
  }

  /// A header section is complete and its fields make sense together.
  private func sectionEnds(_ id: Int32, endStream: Bool) {
    guard reader.streamID == id else { return }
    defer { reader.end() }
    if !reader.finish(endStream: endStream) { return malformed(id) }
    if reader.kind == .request { return requestComes(id, endStream: endStream) }
    guard let stream = stream(id) else { return }
    stream._withUnsafeGuaranteedRef { stream in
      if stream.isReset { return }
      if reader.isTooLarge {
        stream.remoteEnded = stream.remoteEnded || endStream
        return delegate.headersTooLarge(stream, endStream: endStream)
      }
      if reader.kind == .trailers {
        delegate.trailers(stream, text: reader.text.readable)
        if endStream { remoteEnds(stream) }
      } else if reader.status < 200 {
        delegate.informational(stream, text: reader.text.readable)
      } else {
        stream.responded = true
        stream.remoteEnded = endStream
        delegate.responseHead(stream, text: reader.text.readable, endStream: endStream)
      }
    }
  }

  private func requestComes(_ id: Int32, endStream: Bool) {
    let stream = delegate.newStream()
    attach(stream, id: id)
    nghttp2_session_set_stream_user_data(raw, id, Unmanaged.passUnretained(stream).toOpaque())
    stream.remoteEnded = endStream
    stream.extendedProtocol = reader.isExtendedConnect
    stream.schemeIsHTTPS = reader.schemeIsHTTPS
    if reader.isTooLarge {
      delegate.headersTooLarge(stream, endStream: endStream)
    } else {
      delegate.requestHead(stream, text: reader.text.readable, endStream: endStream)
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
      delegate.data(stream, bytes)
    }
    return 0
  }

  func frameRefused(_ frame: UnsafePointer<nghttp2_frame>, _ error: Int32) -> Int32 {
    complaint = error
    return 0
  }

  func streamClosed(_ id: Int32, _ code: HTTP2ErrorCode) -> Int32 {
    if let stream = stream(id) { stream._withUnsafeGuaranteedRef { close($0, code: code) } }
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
          text.removeAll()
          delegate.giveBack(text)
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
        guard count > 0, let queue = stream.queue else { return 0 }
        output.append(UnsafeRawBufferPointer(rebasing: queue.readable[0..<count]))
        queue.consume(count)
        if queue.isEmpty {
          stream.queue = nil
          delegate.giveBack(queue)
        }
        if stream.owesDrained, stream.queuedBytes <= lowWaterBytes {
          stream.owesDrained = false
          delegate.outputDrained(stream)
        }
        return 0
      }
    }
  }

  func frameSent(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    if frame.pointee.hd.type == HTTP2Frame.goaway {
      goawaySent = HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code)
    }
    return 0
  }

  func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>, _ error: Int32) -> Int32 { 0 }
}

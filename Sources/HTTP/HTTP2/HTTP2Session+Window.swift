import CNghttp2
import MeshBase

// Credit for the peer: how much it may send.
extension HTTP2Session {
  /// `count` bytes of `stream`'s body are out of our hands: the peer may send as many more.
  ///
  /// A stream whose owner takes nothing keeps at most its window here; its neighbours have windows of their own.
  public func consumed(_ stream: HTTP2Stream, _ count: Int) {
    guard stream.link != nil, count > 0 else { return }
    precondition(count <= stream.unconsumedBytes, "more consumed than received")
    stream.unconsumedBytes &-= count
    unconsumedBytes &-= count
    returnWithheldCredit()
    if stream.remoteEnded || stream.isReset { return }
    nghttp2_session_consume_stream(raw, stream.id, count)
    stream.consumedBytes &+= count
    if stream.consumedBytes >= stream.receiveWindowBytes / 2 { halfUsed(stream) }
  }

  /// The estimate is looked at again when a reader has used up half of its window; who has used up all gets what it says.
  private func halfUsed(_ stream: HTTP2Stream) {
    if estimate.shouldPing(at: now) {
      sampled = Unmanaged.passUnretained(stream)
      submitPing(HTTP2Session.estimatePing)
    }
    if stream.consumedBytes >= stream.receiveWindowBytes {
      stream.consumedBytes = 0
      growWindow(stream)
    }
  }

  private func growWindow(_ stream: HTTP2Stream) {
    let growth = estimate.window &- stream.receiveWindowBytes
    if growth <= 0 || grownBytes &+ growth > settings.receiveBufferBytesMax { return }
    if nghttp2_session_set_local_window_size(
      raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, Int32(clamping: estimate.window)) == 0
    {
      grownBytes &+= growth
      stream.receiveWindowBytes = estimate.window
    }
  }

  /// Body bytes have come: the connection's credit goes back at once as long as not too much lies around.
  @inline(__always)
  func received(_ count: Int, for stream: HTTP2Stream) {
    stream.unconsumedBytes &+= count
    unconsumedBytes &+= count
    estimate.received(count)
    if unconsumedBytes <= settings.receiveBufferBytesMax {
      nghttp2_session_consume_connection(raw, count)
    } else {
      withheldBytes &+= count
    }
  }

  func returnWithheldCredit() {
    if withheldBytes == 0 || isAbandoned { return }
    let count = min(withheldBytes, settings.receiveBufferBytesMax &- unconsumedBytes)
    if count <= 0 { return }
    withheldBytes &-= count
    nghttp2_session_consume_connection(raw, count)
  }

  func setConnectionWindow(_ bytes: Int) {
    connectionWindow = bytes
    nghttp2_session_set_local_window_size(raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: bytes))
  }

  /// The round trip of the estimate's PING is over.
  func estimateAcked() {
    guard estimate.acked(at: now) else { return }
    if estimate.window > connectionWindow { setConnectionWindow(estimate.window) }
    // Whose reading showed it need not wait until its window is used up again.
    sampled?._withUnsafeGuaranteedRef { if !$0.remoteEnded && !$0.isReset { growWindow($0) } }
  }

  /// Payload of the estimate's own PINGs.
  static let estimatePing: UInt64 = 0x6d65_7368_2d62_6470
}

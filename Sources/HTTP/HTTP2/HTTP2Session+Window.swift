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

  /// The round trip is measured while readers use up half of their windows, and who does so fast gets more.
  private func halfUsed(_ stream: HTTP2Stream) {
    stream.consumedBytes = 0
    measureRoundTrip()
    if estimate.isTooSmall(since: stream.windowUsedSince, at: now) { growWindow(stream) }
    stream.windowUsedSince = now
  }

  private func growWindow(_ stream: HTTP2Stream) {
    let before = stream.receiveWindowBytes
    let growth = min(estimate.grow(from: before) &- before, settings.receiveBufferBytesMax &- grownBytes)
    if growth <= 0 { return }
    if nghttp2_session_set_local_window_size(
      raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, Int32(clamping: before &+ growth)) == 0
    {
      grownBytes &+= growth
      stream.receiveWindowBytes = before &+ growth
    }
    if stream.receiveWindowBytes > connectionWindow { setConnectionWindow(stream.receiveWindowBytes) }
  }

  /// Body bytes have come: the connection's credit goes back at once as long as not too much lies around.
  @inline(__always)
  func received(_ count: Int, for stream: HTTP2Stream) {
    stream.unconsumedBytes &+= count
    unconsumedBytes &+= count
    connectionBytes &+= count
    if connectionBytes >= connectionWindow / 2 { halfUsed() }
    if unconsumedBytes <= settings.receiveBufferBytesMax {
      nghttp2_session_consume_connection(raw, count)
    } else {
      withheldBytes &+= count
    }
  }

  /// The same for the connection, as long as what came was taken: many streams with small windows may fill its own.
  private func halfUsed() {
    connectionBytes = 0
    measureRoundTrip()
    if connectionWindow < estimate.windowMax, unconsumedBytes < connectionWindow / 2,
      estimate.isTooSmall(since: connectionUsedSince, at: now)
    {
      setConnectionWindow(min(connectionWindow * 2, estimate.windowMax))
    }
    connectionUsedSince = now
  }

  private func measureRoundTrip() {
    if estimate.shouldPing(at: now) { submitPing(HTTP2Session.estimatePing) }
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

  /// Payload of the estimate's own PINGs.
  static let estimatePing: UInt64 = 0x6d65_7368_2d62_6470
}

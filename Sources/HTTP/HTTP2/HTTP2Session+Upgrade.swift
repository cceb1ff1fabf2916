import CNghttp2
import MeshBase

extension HTTP2Session {
  /// Server: goes on from an HTTP/1.1 request with `Upgrade: h2c` (RFC 7540 §3.2), which becomes stream 1 and is
  /// answered there. `value` is the request's HTTP2-Settings. Before any `receive` or `takeOutput`; false, and nothing
  /// has happened, if the value is not what it should be.
  public func upgrade(_ stream: HTTP2Stream, settings value: UnsafeRawBufferPointer, isHead: Bool) -> Bool {
    precondition(role == .server && streamCount == 0, "an upgrade comes first")
    guard let payload = HTTP2Session.settingsPayload(value) else { return false }
    let pointer = Unmanaged.passUnretained(stream).toOpaque()
    if nghttp2_session_upgrade2(raw, payload, payload.count, isHead ? 1 : 0, pointer) != 0 { return false }
    // The library keeps it for clients only.
    nghttp2_session_set_stream_user_data(raw, 1, pointer)
    attach(stream, id: 1)
    lastRequestID = 1
    stream.remoteEnded = true
    return true
  }

  /// Whether `upgrade` takes the value.
  public static func isUpgradeSettings(_ value: UnsafeRawBufferPointer) -> Bool { settingsPayload(value) != nil }

  /// The settings of a SETTINGS frame, each of which must be allowed (RFC 9113 §6.5.2).
  private static func settingsPayload(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let payload = Base64.decodeURLSafe(value), payload.count % 6 == 0, payload.count <= 6 * 32 else { return nil }
    for start in stride(from: 0, to: payload.count, by: 6) {
      let number = payload[(start + 2)...].prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
      let isAllowed =
        switch payload[start + 1] {
        case 2, 8: number <= 1
        case 4: number <= 0x7fff_ffff
        case 5: (16_384...0xff_ffff).contains(number)
        default: true
        }
      if payload[start] == 0 && !isAllowed { return nil }
    }
    return payload
  }
}

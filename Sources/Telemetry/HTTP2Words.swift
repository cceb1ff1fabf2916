import MeshBase

/// What is counted for HTTP/2 in one scope, a block of words: open streams, and resets by who sent them and by code.
@usableFromInline
enum HTTP2Words {
  @inlinable static var streams: Int { 0 }
  /// Resets that the other end sent, by code.
  @inlinable static var remoteResets: Int { 1 }
  /// Resets that the router sent.
  @inlinable static var localResets: Int { remoteResets + codeCount }
  @inlinable static var count: Int { localResets + codeCount }

  /// RFC 9113 §7, then one for all others.
  static let codes = [
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED", "other",
  ]
  @inlinable static var codeCount: Int { 15 }
  /// Cases of `HTTP2Abuse`.
  @inlinable static var abuseCount: Int { 15 }

  @inlinable static func reset(_ code: UInt32, isLocal: Bool) -> Int {
    (isLocal ? localResets : remoteResets) + Int(min(code, UInt32(codeCount - 1)))
  }
}

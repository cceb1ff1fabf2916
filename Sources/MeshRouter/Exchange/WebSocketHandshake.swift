import MeshBase
import Net

/// The proof of RFC 6455 §4 that both ends of an HTTP/1 connection mean WebSocket. Streams of HTTP/2 have none
/// (RFC 8441 §5), so where one end is a stream and the other a connection, the router gives or takes it.
enum WebSocketHandshake {
  /// A `Sec-WebSocket-Key`: 16 bytes in base64.
  static func key(using random: inout SeededRandom) -> [UInt8] {
    Array(Base64.encode(withUnsafeBytes(of: (random.next(), random.next())) { Array($0) }).utf8)
  }

  /// The `Sec-WebSocket-Accept` that answers `key`.
  static func accept(key: [UInt8]) -> [UInt8] {
    Array(Base64.encode(Sha1.digest(key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))).utf8)
  }
}

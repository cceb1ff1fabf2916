import COpenSSL
import MeshBase

/// The proof of RFC 6455 §4 that both ends of an HTTP/1 connection mean WebSocket. Streams of HTTP/2 have none
/// (RFC 8441 §5), so where one end is a stream and the other a connection, the router gives or takes it.
enum WebSocketHandshake {
  /// A `Sec-WebSocket-Key`: 16 bytes in base64.
  static func key(using random: inout SeededRandom) -> [UInt8] {
    withUnsafeBytes(of: (random.next(), random.next())) { base64($0) }
  }

  /// The `Sec-WebSocket-Accept` that answers `key`.
  static func accept(key: [UInt8]) -> [UInt8] {
    let input = key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    var digest = [UInt8](repeating: 0, count: 20)
    SHA1(input, input.count, &digest)
    return digest.withUnsafeBytes { base64($0) }
  }

  private static func base64(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    EVP_EncodeBlock(&text, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count))
    text.removeLast()
    return text
  }
}

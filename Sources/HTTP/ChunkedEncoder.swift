/// Puts a body into chunks, RFC 9112 §7.1.
public enum ChunkedEncoder {
  /// The longest size line: 16 digits and CRLF.
  public static let headerBytesMax = 18

  /// Writes the size line of a chunk of `count` bytes to the start of `buffer`, which has at least `headerBytesMax`
  /// bytes; the number of bytes written. `count` is not 0, which would end the body.
  @inlinable
  public static func writeHeader(_ count: Int, to buffer: UnsafeMutableRawBufferPointer) -> Int {
    precondition(count > 0 && buffer.count >= headerBytesMax, "an empty chunk, or no room for its size line")
    let digits = (64 &- count.leadingZeroBitCount &+ 3) / 4
    var rest = count
    var index = digits
    repeat {
      index &-= 1
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      buffer[index] = digit < 10 ? digit &+ 0x30 : digit &+ 0x57
      rest >>= 4
    } while rest > 0
    buffer[digits] = UInt8(ascii: "\r")
    buffer[digits &+ 1] = UInt8(ascii: "\n")
    return digits &+ 2
  }
}

extension ByteBuffer {
  /// Size line of a chunk of `count` bytes; they and a CRLF must follow. `count` is not 0.
  @inlinable
  public func appendChunkHeader(_ count: Int) {
    let room = writable(minimum: ChunkedEncoder.headerBytesMax)
    didWrite(ChunkedEncoder.writeHeader(count, to: room))
  }

  /// `content` as one chunk; nothing when it is empty, because an empty chunk ends the body.
  @inlinable
  public func appendChunk(_ content: UnsafeRawBufferPointer) {
    if content.isEmpty { return }
    appendChunkHeader(content.count)
    append(content)
    append("\r\n")
  }

  @inlinable
  public func appendChunk(_ content: Span<UInt8>) { content.withUnsafeBytes { appendChunk($0) } }

  /// The end of a chunked body, with trailer lines (each with its CRLF) if there are any.
  @inlinable
  public func appendLastChunk(trailers: UnsafeRawBufferPointer? = nil) {
    append("0\r\n")
    if let trailers { append(trailers) }
    append("\r\n")
  }
}

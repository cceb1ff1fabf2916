/// Finds the frame heads in what the peer sends, however it is cut, before libnghttp2 reads it: some frames it ignores
/// without a word, and those must be counted or refused as well.
struct HTTP2FrameScan {
  /// The head of a frame, RFC 9113 §4.1.
  struct Head {
    var length: Int
    var type: UInt8
    var flags: UInt8
    var streamID: Int32
    /// Of PRIORITY, the stream it depends on; else 0.
    var dependency: Int32
  }

  enum Step {
    /// A head ends before this offset.
    case head(Head, Int)
    /// The payload of the last frame ends before this offset.
    case frameEnd(Int)
    /// All bytes are looked at.
    case end
  }

  /// Bytes to pass over: what is left of a payload, or of the preface.
  private var skip: Int
  private var inFrame = false
  /// A head that came in pieces.
  private var piece = InlineArray<16, UInt8>(repeating: 0)
  private var count = 0

  init(preface: Int) { skip = preface }

  /// The next thing in `bytes` from `offset` on.
  @inline(__always)
  mutating func next(_ bytes: UnsafeRawBufferPointer, from offset: Int) -> Step {
    let left = bytes.count &- offset
    if skip > left {
      skip &-= left
      return .end
    }
    let start = offset &+ skip
    skip = 0
    if inFrame {
      inFrame = false
      return .frameEnd(start)
    }
    // Usually a head lies there whole.
    if count == 0, bytes.count &- start >= HTTP2Frame.headBytes, bytes[start &+ 3] != HTTP2Frame.priority {
      let first = bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self).bigEndian
      let head = Head(
        length: Int(first &>> 40), type: UInt8(truncatingIfNeeded: first &>> 32),
        flags: UInt8(truncatingIfNeeded: first &>> 24),
        streamID: Int32(truncatingIfNeeded: (first & 0x7f_ffff) &<< 8) | Int32(bytes[start &+ 8]), dependency: 0)
      return begin(head, start &+ HTTP2Frame.headBytes)
    }
    return gather(bytes, from: start)
  }

  private mutating func begin(_ head: Head, _ end: Int) -> Step {
    skip = head.length
    inFrame = true
    return .head(head, end)
  }

  /// Byte by byte: a head in pieces, and PRIORITY with the stream it names.
  @inline(never)
  private mutating func gather(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Step {
    var index = start
    while index < bytes.count {
      piece[count] = bytes[index]
      count &+= 1
      index &+= 1
      if count < HTTP2Frame.headBytes { continue }
      var head = Head(
        length: Int(number(0) &>> 8), type: piece[3], flags: piece[4],
        streamID: Int32(truncatingIfNeeded: number(5) & 0x7fff_ffff), dependency: 0)
      if head.type == HTTP2Frame.priority, head.length == 5 {
        if count < HTTP2Frame.headBytes + 4 { continue }
        head.dependency = Int32(truncatingIfNeeded: number(9) & 0x7fff_ffff)
        head.length = 1
      }
      count = 0
      return begin(head, index)
    }
    return .end
  }

  private func number(_ at: Int) -> UInt32 {
    UInt32(piece[at]) << 24 | UInt32(piece[at + 1]) << 16 | UInt32(piece[at + 2]) << 8 | UInt32(piece[at + 3])
  }
}

import HTTP
import MeshBase

/// Reads and changes a head that is written already: a start line, then field lines, each with its CRLF. The parser, or
/// this router, has seen to it that they are well-formed.
enum HeadText {
  /// Calls `body` for each field line: all of it, and how many bytes of it are the name.
  @inline(__always)
  static func forEachLine(
    _ head: UnsafeRawBufferPointer, _ body: (_ line: UnsafeRawBufferPointer, _ nameCount: Int) -> Void
  ) {
    var start = lineEnd(head, 0)
    while start < head.count {
      let end = lineEnd(head, start)
      let line = UnsafeRawBufferPointer(rebasing: head[start..<end])
      if let colon = line.firstIndex(of: UInt8(ascii: ":")) { body(line, colon) }
      start = end
    }
  }

  /// Behind the line that begins there.
  private static func lineEnd(_ head: UnsafeRawBufferPointer, _ start: Int) -> Int {
    head[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? head.count
  }

  /// Whether the line's name is this one, which is in small letters.
  @inline(__always)
  static func isNamed(_ line: UnsafeRawBufferPointer, _ nameCount: Int, _ name: [UInt8]) -> Bool {
    guard nameCount == name.count else { return false }
    for index in 0..<nameCount where Ascii.lowercased(line[index]) != name[index] { return false }
    return true
  }

  /// What stands behind the colon, without the blanks and the line end around it.
  static func value(of line: UnsafeRawBufferPointer, _ nameCount: Int) -> UnsafeRawBufferPointer {
    trimmed(UnsafeRawBufferPointer(rebasing: line[(nameCount + 1)...]))
  }

  static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard let first = bytes.firstIndex(where: { !isBlank($0) }) else {
      return UnsafeRawBufferPointer(rebasing: bytes[..<0])
    }
    let last = bytes.lastIndex { !isBlank($0) } ?? first
    return UnsafeRawBufferPointer(rebasing: bytes[first...last])
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }

  /// The value of the last field with this name, which is in small letters.
  static func value(_ name: [UInt8], in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var found: UnsafeRawBufferPointer?
    forEachLine(head) { line, count in
      if isNamed(line, count, name) { found = value(of: line, count) }
    }
    return found
  }

  /// Rewrites the head that lies in `buffer` from `start` to its end. `body` gets each field line in turn and appends
  /// to `out` what shall stand in its place.
  /// - Parameter room: is empty, and is left so.
  static func rewrite(
    _ buffer: ByteBuffer, from start: Int, room: ByteBuffer,
    _ body: (_ line: UnsafeRawBufferPointer, _ nameCount: Int, _ out: ByteBuffer) -> Void
  ) {
    let head = UnsafeRawBufferPointer(rebasing: buffer.readable[start...])
    room.append(UnsafeRawBufferPointer(rebasing: head[..<lineEnd(head, 0)]))
    forEachLine(head) { line, count in body(line, count, room) }
    buffer.truncate(to: start)
    buffer.append(room.readable)
    room.removeAll()
  }
}

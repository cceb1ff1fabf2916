import Glibc
import MeshBase
import Net

/// A connected socket read by one thread, with what was received beyond the last message.
struct BlockingStream: ~Copyable {
  let file: Int32
  private var bytes: [UInt8] = []

  init(_ file: Int32, timeoutSeconds: Int = 15) {
    self.file = file
    Sockets.setTimeout(file, seconds: timeoutSeconds)
  }

  deinit { close(file) }

  /// False if the peer no longer takes it.
  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  @discardableResult
  func send(_ data: [UInt8]) -> Bool {
    var offset = 0
    while offset < data.count {
      let count = data.withUnsafeBytes { Socket.send(file, UnsafeRawBufferPointer(rebasing: $0[offset...])) }
      guard count > 0 else { return false }
      offset += count
    }
    return true
  }

  /// Receives once more; false at the end, on error and after the time-out.
  mutating func receive(_ limit: Int = 65_536) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: limit, alignment: 16) { chunk in
      let count = recv(file, chunk.baseAddress, limit, 0)
      guard count > 0 else { return false }
      bytes += UnsafeRawBufferPointer(rebasing: chunk[..<count])
      return true
    }
  }

  /// The next message's head; `nil` if the stream ends before it is whole.
  mutating func head() -> [UInt8]? {
    var searched = 0
    while true {
      if let end = bytes.withUnsafeBytes({ $0.endOfHead(from: max(0, searched - 3)) }) {
        let head = Array(bytes[..<end])
        bytes.removeSubrange(..<end)
        return head
      }
      searched = bytes.count
      guard searched < 1 << 20, receive() else { return nil }
    }
  }

  /// So many bytes; `nil` if the stream ends before.
  mutating func take(_ count: Int) -> [UInt8]? {
    while bytes.count < count { guard receive() else { return nil } }
    let part = Array(bytes[..<count])
    bytes.removeSubrange(..<count)
    return part
  }

  /// Drops so many bytes; false if the stream ends before.
  mutating func skip(_ count: Int) -> Bool {
    var left = count
    while true {
      let now = min(left, bytes.count)
      bytes.removeSubrange(..<now)
      left -= now
      if left == 0 { return true }
      guard receive() else { return false }
    }
  }

  /// A chunked body's size, trailers dropped; `nil` if it is cut off or malformed.
  mutating func chunkedBody() -> Int? {
    var total = 0
    while let line = line() {
      guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { return nil }
      if size == 0 {
        while let trailer = self.line() { if trailer.isEmpty { return total } }
        return nil
      }
      guard skip(size + 2) else { return nil }
      total += size
    }
    return nil
  }

  private mutating func line() -> String? {
    while true {
      if let end = bytes.firstIndex(of: 10) {
        let text = String(decoding: bytes[..<end].filter { $0 != 13 }, as: UTF8.self)
        bytes.removeSubrange(...end)
        return text
      }
      guard receive() else { return nil }
    }
  }

  /// The body of a message with this head; its size, `nil` if it is cut off.
  mutating func body(of head: [UInt8], endsAtClose: Bool) -> Int? {
    if head.withUnsafeBytes({ $0.field("transfer-encoding") }) != nil { return chunkedBody() }
    if let length = head.withUnsafeBytes({ $0.contentLength }) { return skip(length) ? length : nil }
    if !endsAtClose { return 0 }
    var total = bytes.count
    bytes.removeAll()
    while receive() {
      total += bytes.count
      bytes.removeAll()
    }
    return total
  }

  /// Ends with a reset instead of an orderly close.
  func resetOnClose() { Socket.resetOnClose(file) }
}

extension [UInt8] {
  func text(of name: StaticString) -> String {
    withUnsafeBytes { $0.field(name).map { String(decoding: $0, as: UTF8.self) } ?? "" }
  }

  /// The status of a response whose head this is.
  var status: Int { count > 12 ? Int(String(decoding: self[9..<12], as: UTF8.self)) ?? 0 : 0 }
}

import Glibc
import MeshBase
import Net
import Synchronization

/// A backend on a thread of its own that answers each request at once. In steady state it allocates nothing.
final class LoadBackend: Sendable {
  let port: UInt16
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()

  /// - Parameters:
  ///   - mark: one letter, shown in the answer's `X-Backend`.
  ///   - bodyBytes: size of the answer's body.
  ///   - port: 0 for any.
  ///   - answer: makes the answer out of the request's head, where it is not always the same.
  init(
    mark: Character = "A", bodyBytes: Int = 128, port: UInt16 = 0,
    answer: (@Sendable (UnsafeRawBufferPointer) -> [UInt8])? = nil
  ) throws {
    let listener = try Socket.listen(on: .loopback(port: port), backlog: 1_024)
    self.port = Socket.localAddress(listener.raw)?.port ?? 0
    let fixed = Self.response(fields: "X-Backend: \(mark)\r\n", body: String(repeating: "x", count: bodyBytes))
    let raw = listener.release()
    Thread.start(name: "backend-\(mark)") { [self] in
      do {
        try serve(raw, fixed, answer)
      } catch {
        print("backend: \(error)")
      }
      ended.fulfil(())
    }
  }

  static func response(fields: String, body: String) -> [UInt8] {
    Array("HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
  }

  /// Closes the port and all connections; returns when that is done.
  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  private func serve(
    _ listener: Int32, _ fixed: [UInt8], _ answer: ((UnsafeRawBufferPointer) -> [UInt8])?
  ) throws {
    let poller = try Poller()
    poller.add(listener)
    var connections: Set<Int32> = []
    /// What is left of a body to skip, and what came of a head, by descriptor.
    var partial: [Int32: RequestSplitter] = [:]
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    defer {
      for file in connections { close(file) }
      close(listener)
      buffer.deallocate()
    }
    while !stopping.load(ordering: .relaxed) {
      poller.wait(milliseconds: 20) { file, _ in
        if file == listener {
          let accepted = accept(listener, nil, nil)
          guard accepted >= 0 else { return }
          Socket.setNoDelay(accepted)
          connections.insert(accepted)
          poller.add(accepted)
          return
        }
        let count = recv(file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0 && errno == EAGAIN { return }
        guard count > 0 else {
          connections.remove(file)
          partial[file] = nil
          close(file)
          return
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if answer == nil, partial.isEmpty || partial[file] == nil, RequestSplitter.isOneBodilessRequest(bytes) {
          fixed.withUnsafeBytes { _ = Socket.send(file, $0) }
          return
        }
        var splitter = partial[file] ?? RequestSplitter()
        splitter.feed(bytes) { head in
          if let answer {
            answer(head).withUnsafeBytes { _ = Socket.send(file, $0) }
          } else {
            fixed.withUnsafeBytes { _ = Socket.send(file, $0) }
          }
        }
        partial[file] = splitter.isBetweenRequests ? nil : splitter
      }
    }
  }
}

/// Cuts a byte stream into requests. Bodies have a Content-Length; what a benchmark sends itself.
struct RequestSplitter {
  private var head: [UInt8] = []
  private var bodyLeft = 0

  var isBetweenRequests: Bool { head.isEmpty && bodyLeft == 0 }

  static func isOneBodilessRequest(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 4, bytes[0] == UInt8(ascii: "G") else { return false }
    guard let end = bytes.endOfHead(from: 0) else { return false }
    return end == bytes.count
  }

  /// Calls `body` with the head of each request that is complete, its body included.
  mutating func feed(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
    var rest = bytes
    while rest.count > 0 {
      if bodyLeft > 0 {
        let taken = min(bodyLeft, rest.count)
        bodyLeft -= taken
        rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
        if bodyLeft > 0 { return }
        finish(body)
        continue
      }
      let before = head.count
      head += rest
      let end = head.withUnsafeBytes { $0.endOfHead(from: max(0, before - 3)) }
      guard let end else { return }
      rest = UnsafeRawBufferPointer(rebasing: rest[(end - before)...])
      head.removeSubrange(end...)
      bodyLeft = head.withUnsafeBytes { $0.contentLength } ?? 0
      if bodyLeft == 0 { finish(body) }
    }
  }

  private mutating func finish(_ body: (UnsafeRawBufferPointer) -> Void) {
    head.withUnsafeBytes { body($0) }
    head.removeAll(keepingCapacity: true)
  }
}

extension UnsafeRawBufferPointer {
  /// The offset behind the first blank line.
  func endOfHead(from start: Int) -> Int? {
    var index = start + 3
    while index < count {
      switch self[index] {
      case UInt8(ascii: "\n"):
        if self[index - 1] == 13 && self[index - 2] == 10 && self[index - 3] == 13 { return index + 1 }
        index += 2
      case UInt8(ascii: "\r"): index += 1
      default: index += 2
      }
    }
    return nil
  }

  /// The value of a field in a head; `name` is lower case.
  func field(_ name: StaticString) -> UnsafeRawBufferPointer? {
    let length = name.utf8CodeUnitCount
    var line = 0
    while line + length + 1 < count {
      if self[line + length] == UInt8(ascii: ":"),
        (0..<length).allSatisfy({ self[line + $0] | 0x20 == name.utf8Start[$0] | 0x20 })
      {
        var start = line + length + 1
        while start < count, self[start] == UInt8(ascii: " ") { start += 1 }
        var end = start
        while end < count, self[end] != 13 { end += 1 }
        return UnsafeRawBufferPointer(rebasing: self[start..<end])
      }
      while line < count, self[line] != 10 { line += 1 }
      line += 1
    }
    return nil
  }

  var contentLength: Int? {
    guard let value = field("content-length"), value.count > 0, value.count < 18 else { return nil }
    var number = 0
    for byte in value {
      guard (48...57).contains(byte) else { return nil }
      number = number * 10 + Int(byte - 48)
    }
    return number
  }
}

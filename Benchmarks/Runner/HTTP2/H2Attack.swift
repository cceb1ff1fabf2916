import CMeshShims
import Glibc
import MeshBase
import Net
import Synchronization

/// One hostile connection at a time, as fast as the kernel takes it; when it is closed, the next comes after a pause.
final class H2Attack: Sendable {
  struct Kind: Sendable {
    var name: String
    /// What the connection announces.
    var settings: [UInt8] = H2Frames.settings()
    /// Frames that go first.
    var opening: [UInt8] = []
    /// Frames of round `n`.
    var round: @Sendable (_ n: UInt32) -> [UInt8] = { _ in [] }
    /// Of the GOAWAY which ends it; none where the connection only waits.
    var codes: [UInt32] = [11]
  }

  private static let ping = H2Frames.frame(6, 0, 0, Array(repeating: 1, count: 8))
  private static let post = H2Frames.frame(1, 4, 1, H2Frames.head("web", isPost: true))

  static let kinds: [Kind] = [
    Kind(
      name: "rapid reset",
      round: { n in
        H2Frames.frame(1, 5, 2 * n + 1, H2Frames.head("web")) + H2Frames.frame(3, 0, 2 * n + 1, H2Frames.word(8))
      }),
    Kind(
      name: "provoked resets",
      round: { n in
        // Says that a body comes, and ends without one: an error of the stream.
        H2Frames.frame(1, 5, 2 * n + 1, H2Frames.head("web", fields: [("content-length", "5")]))
      },
      // Or it has more streams open than it may, if it is faster than the resets go out.
      codes: [11, 1]),
    Kind(
      name: "CONTINUATION flood", opening: H2Frames.frame(1, 1, 1, H2Frames.head("web")),
      round: { n in H2Frames.frame(9, 0, 1, H2Frames.field("x-\(n)", "v")) }),
    Kind(name: "SETTINGS flood", round: { _ in H2Frames.settings() }),
    Kind(name: "PING flood", round: { _ in ping }),
    Kind(name: "empty frames", opening: post, round: { _ in H2Frames.frame(0, 0, 1) }),
    Kind(name: "WINDOW_UPDATE flood", round: { _ in H2Frames.windowUpdate(0, 1) }),
    Kind(
      name: "priority flood",
      round: { n in H2Frames.frame(2, 0, 2 * n + 1, H2Frames.word(0) + [16]) }),
    Kind(
      name: "HPACK bomb",
      round: { n in
        // One long field into the table, then thousands of references to it, one byte each.
        let long: [UInt8] = [0x40, 3] + "x-l".utf8 + [0x7f, 0xa1, 0x1e] + Array(repeating: 0x76, count: 4_000)
        return H2Frames.frame(1, 5, 2 * n + 1, H2Frames.head("web") + long + Array(repeating: 0xbe, count: 8_000))
      }),
    Kind(
      name: "zero window", settings: H2Frames.settings((4, 0)),
      opening: (0..<100).flatMap { H2Frames.frame(1, 5, 2 * UInt32($0) + 1, H2Frames.head("web")) }, codes: []),
  ]

  /// Milliseconds between the end of one connection and the next.
  static let pause = 200
  private let kind: Kind
  private let port: UInt16
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()
  private let connectionCount = Atomic<UInt64>(0)
  /// What ended connections, other than the right code.
  let wrong = Locked<[String]>([])

  var connections: UInt64 { connectionCount.load(ordering: .relaxed) }

  init(_ kind: Kind, port: UInt16) {
    self.kind = kind
    self.port = port
    // Made ahead, so that the attacker's own work takes no time from the others.
    var chunks: [[UInt8]] = [H2Frames.preface + kind.settings + H2Frames.settingsAcknowledgement + kind.opening]
    var number: UInt32 = 0
    while chunks.count < 33 {
      var chunk: [UInt8] = []
      while chunk.count < 16_384 {
        let frames = kind.round(number)
        if frames.isEmpty { break }
        chunk += frames
        number += 1
      }
      chunks.append(chunk)
    }
    let script = chunks
    Thread.start(name: "attack") { [self] in
      // An attacker has a machine of its own: here it takes the processor only where nobody else wants it.
      mesh_idle_thread()
      while !stopping.load(ordering: .relaxed) {
        attack(script)
        for _ in 0..<(Self.pause / 10) where !stopping.load(ordering: .relaxed) { Harness.sleep(milliseconds: 10) }
      }
      ended.fulfil(())
    }
  }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  private func attack(_ script: [[UInt8]]) {
    guard let file = Sockets.connect(port: port) else { return wrong.withLock { $0.append("connect: \(errno)") } }
    defer { close(file) }
    connectionCount.add(1, ordering: .relaxed)
    Sockets.setTimeout(file, seconds: 1)
    for chunk in script where !chunk.isEmpty {
      var sent = 0
      while sent < chunk.count {
        let count = chunk.withUnsafeBytes {
          send(file, $0.baseAddress! + sent, chunk.count - sent, Int32(MSG_NOSIGNAL))
        }
        if count <= 0 { break }
        sent += count
      }
      if sent < chunk.count { break }
    }
    var splitter = H2FrameSplitter()
    var code: UInt32?
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !stopping.load(ordering: .relaxed) {
      let count = recv(file, &buffer, buffer.count, 0)
      if count < 0 && errno == EAGAIN { continue }
      if count <= 0 { break }
      buffer.withUnsafeBytes { bytes in
        splitter.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { type, _, _, payload in
          if type == 7 { code = H2Frames.number(payload, 4) }
        }
      }
    }
    if !kind.codes.isEmpty, code.map({ !kind.codes.contains($0) }) ?? true, !stopping.load(ordering: .relaxed) {
      wrong.withLock { $0.append(code.map { "GOAWAY with code \($0)" } ?? "the connection ended without GOAWAY") }
    }
  }
}

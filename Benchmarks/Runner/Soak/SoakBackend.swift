import Glibc
import MeshBase
import Net

/// A backend that does what the request's path says, well or badly; a thread per connection.
///
/// `/ok` answers with the request's `X-Id`, `/chunked` in chunks, `/slow` after a while, `/big` with 2 MiB, `/upgrade`
/// becomes an echo. `/garbage`, `/cut`, `/reset`, `/twice`, `/early` misbehave.
final class SoakBackend: Sendable {
  private struct State {
    var listener: Int32 = -1
    var files: Set<Int32> = []
  }

  let port: UInt16
  private let state = Locked(State())

  /// Listens on any port, or again on the port of a backend that was stopped.
  init(port: UInt16 = 0) throws {
    let listener = try Socket.listen(on: .loopback(port: port), backlog: 1_024)
    self.port = Socket.localAddress(listener.raw)?.port ?? 0
    let raw = listener.release()
    let flags = fcntl(raw, F_GETFL)
    _ = fcntl(raw, F_SETFL, flags & ~O_NONBLOCK)
    state.withLock { $0.listener = raw }
    Thread.start(name: "soak-accept") { [self] in
      while true {
        let file = accept(raw, nil, nil)
        guard file >= 0 else { break }
        let isWanted = state.withLock { state in
          guard state.listener >= 0 else { return false }
          state.files.insert(file)
          return true
        }
        guard isWanted else {
          close(file)
          break
        }
        Thread.start(name: "soak-backend") { [self] in serve(file) }
      }
      close(raw)
    }
  }

  /// Breaks all connections off, as a process does that is killed.
  func kill() {
    state.withLock { state in
      guard state.listener >= 0 else { return }
      shutdown(state.listener, Int32(SHUT_RDWR))
      state.listener = -1
      for file in state.files {
        Socket.resetOnClose(file)
        shutdown(file, Int32(SHUT_RDWR))
      }
    }
  }

  private func serve(_ file: Int32) {
    Socket.setNoDelay(file)
    // A copy is what the stream closes, so that `kill` never meets a descriptor that is someone else's by then.
    var stream = BlockingStream(dup(file), timeoutSeconds: 60)
    while let head = stream.head(), answer(head, &stream) {}
    state.withLock { _ = $0.files.remove(file) }
    close(file)
  }

  private func answer(_ head: [UInt8], _ stream: inout BlockingStream) -> Bool {
    let target = String(decoding: head.prefix { $0 != 13 }, as: UTF8.self).split(separator: " ")
    let path = target.count > 1 ? String(target[1]) : ""
    let id = head.text(of: "x-id")
    // Answers before it has read the request's body.
    if path == "/early" {
      stream.send("HTTP/1.1 413 Too Large\r\nX-Id: \(id)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      return false
    }
    guard let size = stream.body(of: head, endsAtClose: false) else { return false }
    let fields = "X-Id: \(id)\r\nX-Size: \(size)\r\n"
    switch path {
    case "/chunked":
      return stream.send(
        "HTTP/1.1 200 OK\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")
    case "/slow":
      Harness.sleep(milliseconds: 40)
      return stream.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 2\r\n\r\nok")
    case "/big":
      return stream.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(2 << 20)\r\n\r\n")
        && stream.send([UInt8](repeating: 120, count: 2 << 20))
    case "/untilclose":
      stream.send("HTTP/1.1 200 OK\r\n\(fields)Connection: close\r\n\r\nuntil the end")
      return false
    case "/upgrade":
      stream.send("HTTP/1.1 101 Switching Protocols\r\n\(fields)Connection: Upgrade\r\nUpgrade: echo\r\n\r\n")
      while let byte = stream.take(1) { if !stream.send(byte) { break } }
      return false
    case "/garbage":
      stream.send("HTTP/9.9 what is this\r\n\r\n")
      return false
    case "/cut":
      stream.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 1000\r\n\r\nonly this")
      return false
    case "/reset":
      stream.resetOnClose()
      return false
    case "/twice":
      return stream.send(
        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
    default:
      return stream.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 2\r\n\r\nok")
    }
  }
}

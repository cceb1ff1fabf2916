import Foundation

import class Net.Locked

/// A server that does as the test's script says: one thread per connection, every request recorded.
final class Backend: Sendable {
  typealias Script = @Sendable (Connection) -> Void

  /// One accepted connection.
  struct Connection: Sendable {
    /// 0 for the first.
    let index: Int
    let socket: RawSocket
    fileprivate let backend: Backend

    /// The next request, recorded; `nil` at the end of the stream.
    func request() -> Message? {
      guard let message = socket.readRequest() else { return nil }
      record(message)
      return message
    }

    /// Counts what was read by other means.
    func record(_ message: Message) {
      backend.recorded.withLock { $0.append((index, message)) }
    }
  }

  let port: Int
  private let listener: Int32
  fileprivate let recorded = Locked<[(connection: Int, request: Message)]>([])
  private let accepted = Locked<[RawSocket]>([])

  init(_ script: @escaping Script) {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var one: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    port = Self.bindAndListen(listener, port: 0)
    let listener = listener
    Thread { [weak self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else {
          if errno == EINTR || errno == ECONNABORTED { continue }
          return
        }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
        guard let self else {
          Glibc.close(descriptor)
          return
        }
        let socket = RawSocket(owning: descriptor)
        socket.timeoutMilliseconds = 60_000
        let index = self.accepted.withLock {
          $0.append(socket)
          return $0.count - 1
        }
        let thread = Thread {
          script(Connection(index: index, socket: socket, backend: self))
        }
        thread.stackSize = 1 << 19
        thread.start()
      }
    }.start()
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    Glibc.close(listener)
  }

  /// The same answer to every request on every connection.
  convenience init(answering response: String = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
    self.init { connection in
      while connection.request() != nil { connection.socket.send(response) }
    }
  }

  static func bindAndListen(_ descriptor: Int32, port: Int) -> Int {
    var address = RawSocket.loopback(port)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(descriptor, $0, length) == 0, "bind: \(errno)")
        precondition(listen(descriptor, 1_024) == 0, "listen: \(errno)")
        getsockname(descriptor, $0, &length)
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// A port nobody listens on.
  static func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { Glibc.close(descriptor) }
    return bindAndListen(descriptor, port: 0)
  }

  var requests: [Message] { recorded.withLock { $0.map(\.request) } }
  /// Which connection each request came on.
  var connectionsUsed: [Int] { recorded.withLock { $0.map(\.connection) } }
  var connectionCount: Int { accepted.withLock { $0.count } }

  /// Ends listening: further connections are refused.
  func stopListening() {
    shutdown(listener, Int32(SHUT_RDWR))
    Glibc.close(dup(listener))
  }

  /// Ends listening and all connections, so that no script holds it any longer.
  func retire() {
    stopListening()
    accepted.withLock { for socket in $0 { socket.cut() } }
  }

  /// Sends the request back as the response's body.
  static func echo() -> Backend {
    Backend { connection in
      while let request = connection.request() {
        let body = wire(request.head) + request.body + wire(request.trailers)
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\nX-Echo: yes\r\n\r\n"
        let isHead = request.startLine.hasPrefix("HEAD ")
        connection.socket.send(wire(head) + (isHead ? [] : body))
      }
    }
  }
}

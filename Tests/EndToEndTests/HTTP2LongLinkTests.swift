import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

extension LoadTests {
  /// Windows grow with bandwidth and delay: a body fills a long link wherever on the way that is.
  @Suite("HTTP/2 over a long link")
  struct HTTP2LongLinkTests {
    private static let megabytes = 100
    /// Over twice 20 ms, 12 windows of the size that HTTP/2 begins with are under way.
    private static let bytesPerSecond = 20e6
    /// Of the link's throughput; a connection's start and a busy machine take the rest. Windows that stay as they are leave
    /// a twelfth.
    private static let least = 0.6
    private static let block = [UInt8](repeating: 0x61, count: 1 << 18)
    private static let bytes = megabytes << 20

    private func check(_ name: String, since start: Date) {
      let rate = Double(Self.bytes) / Date().timeIntervalSince(start)
      print("long link: \(name) at \(Int(rate / 1e6)) MB/s of \(Int(Self.bytesPerSecond / 1e6))")
      #expect(patience(rate) > Self.least * Self.bytesPerSecond, "\(name)")
    }

    /// Sends the whole body on a stream, as fast as it is taken.
    private static func send(_ stream: HTTP2Peer.Stream) {
      var left = bytes
      while left > 0 && !stream.peer.isEnded {
        stream.send(block)
        left -= block.count
        while stream.waiting > 8 << 20 && !stream.peer.isEnded { usleep(500) }
      }
      stream.end()
    }

    @Test("a response fills the link between an HTTP/2 backend and the router")
    func download() throws {
      let backend = HTTP2Backend { stream in
        stream.respond("HTTP/1.1 200 OK\r\nContent-Length: \(Self.bytes)\r\n\r\n")
        Self.send(stream)
      }
      let link = LongLink(to: backend.port, bytesPerSecond: Self.bytesPerSecond)
      let router = try Router(router: "client: {protocol: h2}")
      router.service("far", ports: [link.port])
      let start = Date()
      let socket = try router.connect()
      socket.send("GET / HTTP/1.1\r\nHost: far\r\n\r\n")
      #expect(socket.readHead()?.status == 200)
      #expect(socket.drop(count: Self.bytes) == Self.bytes)
      check("response", since: start)
    }

    @Test("a request fills the link between an HTTP/2 caller and the router")
    func upload() throws {
      let received = Locked(0)
      let backend = Backend { connection in
        guard connection.socket.readHead() != nil else { return }
        let count = connection.socket.drop(count: Self.bytes)
        received.withLock { $0 = count }
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        _ = connection.socket.awaitEnd()
      }
      let router = try Router(router: "client: {protocol: h1}")
      router.service("near", ports: [backend.port])
      let link = LongLink(to: router.port, bytesPerSecond: Self.bytesPerSecond)
      let caller = try HTTP2Peer(connectingTo: link.port)
      defer { caller.close() }
      let start = Date()
      let stream = caller.request("near", "POST", fields: "Content-Length: \(Self.bytes)\r\n", end: false)
      Self.send(stream)
      #expect(stream.finished(seconds: Double(patience(60))).bodyText == "ok")
      #expect(received.withLock { $0 } == Self.bytes)
      check("request", since: start)
    }

    @Test("bodies fill the link between the two routers of a mesh hop, in both directions")
    func mesh() throws {
      let backend = Backend { connection in
        while let head = connection.socket.readHead() {
          if head.startLine.hasPrefix("POST") {
            let count = connection.socket.drop(count: Self.bytes)
            connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\(count)")
          } else {
            connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.bytes)\r\n\r\n")
            for _ in 0..<(Self.bytes / Self.block.count) where !connection.socket.send(Self.block) { return }
          }
        }
      }
      let links = Locked<[LongLink]>([])
      let mesh = try Mesh { port in
        let link = LongLink(to: port, bytesPerSecond: Self.bytesPerSecond)
        links.withLock { $0.append(link) }
        return link.port
      }
      try "127.0.0.1 \(backend.port)\n".write(
        toFile: mesh.directory + "/disco/far", atomically: true, encoding: .utf8)
      var start = Date()
      let socket = try RawSocket(connectingTo: mesh.port)
      socket.send("GET / HTTP/1.1\r\nHost: far\r\n\r\n")
      #expect(socket.readHead()?.status == 200)
      #expect(socket.drop(count: Self.bytes) == Self.bytes)
      check("response between routers", since: start)
      start = Date()
      socket.send("POST / HTTP/1.1\r\nHost: far\r\nContent-Length: \(Self.bytes)\r\n\r\n")
      for _ in 0..<(Self.bytes / Self.block.count) where !socket.send(Self.block) { break }
      #expect(socket.readResponse()?.bodyText == "\(Self.bytes)")
      check("request between routers", since: start)
    }
  }
}

import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

extension LoadTests {
  @Suite("flow control over HTTP/2")
  struct HTTP2FlowTests {
    private static let block = [UInt8](repeating: 0x61, count: 1 << 20)

    @Test("100 MB go through whole and cost bounded memory", arguments: Pairing.all)
    func large(_ pairing: Pairing) throws {
      let megabytes = 100
      let backend: Backend
      switch pairing.backend {
      case .h1:
        backend = Backend { connection in
          guard connection.request() != nil else { return }
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
          for _ in 0..<megabytes where !connection.socket.send(Self.block) { return }
        }
      case .h2:
        backend =
          HTTP2Backend { stream in
            stream.respond("HTTP/1.1 200 OK\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
            for _ in 0..<megabytes {
              stream.send(Self.block)
              while stream.waiting > 4 << 20 && !stream.peer.isEnded { usleep(1_000) }
            }
            stream.end()
          }.backend
      }
      let router = pairing.router
      let name = router.service(backend)
      let before = router.residentKilobytes
      switch pairing.caller {
      case .h1:
        let socket = try router.connect()
        socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
        #expect(socket.readHead()?.status == 200)
        #expect(socket.drop(count: megabytes << 20) == megabytes << 20)
      case .h2:
        let caller = try HTTP2Peer(connectingTo: router.port)
        defer { caller.close() }
        let stream = caller.request(name)
        let message = stream.finished(seconds: Double(patience(60)))
        #expect(message.bodyBytes == megabytes << 20 && message.isComplete)
      }
      if Sanitizer.current == nil { #expect(router.residentKilobytes - before < 65_536) }
    }

    @Test("an upload of 100 MB arrives whole", arguments: WireProtocol.allCases)
    func upload(_ wire: WireProtocol) throws {
      let megabytes = 100
      let backend: Backend
      switch wire {
      case .h1:
        backend = Backend { connection in
          guard connection.socket.readHead() != nil else { return }
          let count = connection.socket.drop(count: megabytes << 20)
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\(count)")
          _ = connection.socket.awaitEnd()
        }
      case .h2:
        backend =
          HTTP2Backend { stream in
            let count = stream.finished(seconds: Double(patience(60))).bodyBytes
            stream.answer("HTTP/1.1 200 OK\r\n\r\n", "\(count)")
          }.backend
      }
      let router = Pairing(caller: .h2, backend: wire).router
      let caller = try HTTP2Peer(connectingTo: router.port)
      defer { caller.close() }
      let stream = caller.request(
        router.service(backend), "POST", fields: "Content-Length: \(megabytes << 20)\r\n", end: false)
      for _ in 0..<megabytes {
        stream.send(Self.block)
        while stream.waiting > 4 << 20 && !caller.isEnded { usleep(1_000) }
      }
      stream.end()
      #expect(stream.finished(seconds: Double(patience(60))).bodyText == "\(megabytes << 20)")
    }

    @Test("a stream that nobody reads holds its window, and its neighbours go on", arguments: WireProtocol.allCases)
    func unread(_ wire: WireProtocol) throws {
      let router = Pairing(caller: .h2, backend: wire).router
      let sent = Locked(0)
      let endless: Backend
      switch wire {
      case .h1:
        endless = Backend { connection in
          guard connection.request() != nil else { return }
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
          while connection.socket.send(Self.block) { sent.withLock { $0 += Self.block.count } }
        }
      case .h2:
        endless =
          HTTP2Backend { stream in
            stream.respond("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            while stream.current.closed == nil && !stream.peer.isEnded {
              let waiting = stream.waiting
              if waiting < 1 << 20 {
                stream.send(Self.block)
                sent.withLock { $0 += Self.block.count }
              } else {
                usleep(5_000)
              }
            }
          }.backend
      }
      let name = router.service(endless)
      let quiet = router.service(
        Backend { connection in
          while connection.request() != nil { connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        })
      let caller = try HTTP2Peer(connectingTo: router.port)
      defer { caller.close() }
      let stream = caller.request(name)
      stream.hold(true)
      usleep(500_000)
      let before = sent.withLock { $0 }
      let started = Date()
      if wire == .h1 {
        for _ in 0..<300 { #expect(caller.get(quiet).bodyText == "ok") }
      } else {
        let other = router.service(HTTP2Backend().backend)
        for _ in 0..<300 { #expect(caller.get(other).bodyText == "ok") }
      }
      #expect(Date().timeIntervalSince(started) < Double(patience(10)))
      #expect(stream.current.bodyBytes <= 65_536)
      // Nothing more is taken from the backend; what the kernel holds of an HTTP/1 connection is a few megabytes.
      #expect(sent.withLock { $0 } - before <= 1 << 20)
      #expect(sent.withLock { $0 } < 16 << 20)
      stream.hold(false)
      #expect(stream.wait { $0.bodyBytes > 4 << 20 }.bodyBytes > 4 << 20)
    }

    @Test("a thousand streams at a time share few connections to a backend that limits them")
    func thousand() throws {
      let router = Pairing(caller: .h2, backend: .h2).router
      var settings = HTTP2Settings()
      settings.maxConcurrentStreams = 200
      let open = Locked((now: 0, most: 0))
      let backend = HTTP2Backend(settings: settings) { stream in
        open.withLock {
          $0.now += 1
          $0.most = max($0.most, $0.now)
        }
        usleep(1_000_000)
        open.withLock { $0.now -= 1 }
        stream.answer("HTTP/1.1 200 OK\r\n\r\n", "ok")
      }
      let name = router.service(backend.backend)
      let caller = try HTTP2Peer(connectingTo: router.port).settled()
      defer { caller.close() }
      let streams = (0..<1_000).map { _ in caller.request(name) }
      #expect(streams.allSatisfy { $0.finished(seconds: Double(patience(60))).bodyText == "ok" })
      #expect(backend.requests.count == 1_000)
      #expect(open.withLock { $0.most } > 200)
      #expect(backend.connections.count <= 12)
    }
  }
}

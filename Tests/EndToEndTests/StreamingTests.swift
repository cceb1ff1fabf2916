import Foundation
import Testing

import class Net.Locked

extension LoadTests {
  @Suite("streaming")
  struct StreamingTests {
    static let router: Router = {
      do { return try Router() } catch { fatalError("\(error)") }
    }()

    private static let block = [UInt8](repeating: 0x61, count: 1 << 20)

    @Test("a large response that is read slowly costs bounded memory and arrives whole", arguments: [true, false])
    func slowReader(_ isChunked: Bool) throws {
      let megabytes = 192
      let backend = Backend { connection in
        guard connection.request() != nil else { return }
        let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(megabytes << 20)"
        connection.socket.send("HTTP/1.1 200 OK\r\n\(length)\r\n\r\n")
        for _ in 0..<megabytes {
          if isChunked { connection.socket.send("100000\r\n") }
          guard connection.socket.send(Self.block) else { return }
          if isChunked { connection.socket.send("\r\n") }
        }
        if isChunked { connection.socket.send("0\r\n\r\n") }
      }
      let name = Self.router.service(backend)
      let before = Self.router.residentKilobytes
      let socket = try RawSocket(connectingTo: Self.router.port, receiveBuffer: 65_536)
      socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
      #expect(socket.readHead()?.status == 200)
      for _ in 0..<10 {
        _ = socket.drop(count: 20_000)
        usleep(50_000)
      }
      #expect(Self.router.residentKilobytes - before < 16_384)
      let rest = socket.drop(count: .max)
      #expect(rest >= (megabytes << 20) - 200_000)
      #expect(socket.end == .fin)
      #expect(Self.router.residentKilobytes - before < 16_384)
    }

    @Test("a large upload to a slow backend costs bounded memory and arrives whole")
    func slowBackend() throws {
      let megabytes = 128
      let backend = Backend { connection in
        guard let head = connection.socket.readHead() else { return }
        connection.record(head)
        for _ in 0..<10 {
          _ = connection.socket.drop(count: 20_000)
          usleep(50_000)
        }
        let rest = connection.socket.drop(count: (megabytes << 20) - 200_000)
        connection.socket.send(
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(rest + 200_000 == megabytes << 20 ? "ok" : "no")")
        _ = connection.socket.awaitEnd()
      }
      let name = Self.router.service(backend)
      let before = Self.router.residentKilobytes
      let socket = try Self.router.connect()
      let peak = Locked(0)
      socket.send("POST / HTTP/1.1\r\nHost: \(name)\r\nContent-Length: \(megabytes << 20)\r\n\r\n")
      for _ in 0..<megabytes {
        socket.send(Self.block)
        peak.withLock { $0 = max($0, Self.router.residentKilobytes) }
      }
      #expect(socket.readResponse()?.bodyText == "ok")
      #expect(peak.withLock { $0 } - before < 16_384)
    }

    @Test("pipelined requests of a caller that reads nothing cost bounded memory")
    func pipelinedFlood() throws {
      let body = String(repeating: "b", count: 50_000)
      let name = Self.router.service(Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + body))
      let before = Self.router.residentKilobytes
      let socket = try RawSocket(connectingTo: Self.router.port, receiveBuffer: 8_192)
      let requests = String(repeating: "GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n", count: 1_500)
      socket.send(requests)
      usleep(700_000)
      #expect(Self.router.residentKilobytes - before < 16_384)
      for _ in 0..<1_500 { #expect(socket.readResponse()?.body.count == 50_000) }
    }

    @Test("an idle connection is closed, an idle exchange ended, a silent backend answered for")
    func timeouts() throws {
      let router = try Router(
        router: "streamIdleTimeoutMs: 2000\nclient:\n  requestAttemptTimeoutMs: 1500",
        server: "serverSession: {idleTimeMs: 1500}\nheaderTimeoutMs: 1000")
      let silent = Backend { connection in
        while let request = connection.request() {
          if request.startLine.contains("part") {
            connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
          }
        }
      }
      let name = router.service(silent)
      let idle = try router.connect()
      let waiting = try router.connect()
      waiting.send("GET /none HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      let stalled = try router.connect()
      stalled.send("GET /part HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      let uploading = try router.connect()
      uploading.send("POST /up HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 10\r\n\r\nhalf")
      let late = try #require(waiting.readResponse())
      #expect(late.status == 504)
      #expect(late.reasonWord == "outcome.attempt_timeout")
      #expect(idle.awaitEnd() == .fin)
      let half = try #require(stalled.readResponse())
      #expect(!half.isComplete)
      #expect(stalled.end == .reset)
      #expect(uploading.readResponse()?.status == 504)
    }

    @Test("a caller that resets ends the backend's exchange")
    func callerReset() throws {
      let ends = Locked<[StreamEnd]>([])
      let backend = Backend { connection in
        while connection.request() != nil {
          if connection.index % 2 == 0 { connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
          let end = connection.socket.awaitEnd()
          ends.withLock { $0.append(end) }
        }
      }
      let name = Self.router.service(backend)
      for _ in 0..<4 {
        let socket = try Self.router.connect()
        socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
        usleep(100_000)
        socket.reset()
      }
      for _ in 0..<100 where ends.withLock({ $0.count }) < 4 { usleep(20_000) }
      #expect(ends.withLock { $0.count } == 4)
      #expect(!ends.withLock { $0.contains(.timeout) })
    }

    @Test("callers that reset amid a stream of small and large chunks leave nothing to others")
    func resetsAmidChunks() throws {
      let streaming = Backend { connection in
        guard connection.request() != nil else { return }
        connection.socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        let large = "2000\r\n" + String(repeating: "L", count: 8_192) + "\r\n3\r\nabc\r\n"
        let piece = wire(String(repeating: large, count: 4))
        for _ in 0..<200 where !connection.socket.send(piece) { return }
        connection.socket.close()
      }
      let noisy = Self.router.service(streaming)
      let quiet = Self.router.service(Backend())
      let threads = Load()
      for _ in 0..<4 {
        threads.start {
          for _ in 0..<40 {
            guard let socket = try? RawSocket(connectingTo: Self.router.port, receiveBuffer: 4_096) else { continue }
            socket.send("GET / HTTP/1.1\r\nHost: \(noisy)\r\n\r\n")
            _ = socket.drop(count: 30_000)
            socket.reset()
          }
        }
      }
      let other = try Self.router.connect()
      for _ in 0..<300 {
        other.send("GET / HTTP/1.1\r\nHost: \(quiet)\r\n\r\n")
        let response = try #require(other.readResponse())
        #expect(response.startLine == "HTTP/1.1 200 OK")
        #expect(response.bodyText == "ok")
      }
      threads.wait()
      #expect(Self.router.isRunning)
    }
  }
}

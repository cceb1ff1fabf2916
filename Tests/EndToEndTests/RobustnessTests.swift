import Foundation
import TestSupport
import Testing

import class Net.Locked

extension LoadTests {
  @Suite("hostile peers and scarce means")
  struct RobustnessTests {
    static let router: Router = {
      do { return try Router(server: "headerTimeoutMs: 2000") } catch { fatalError("\(error)") }
    }()

    private func isWell(_ router: Router, _ name: String) throws {
      #expect(router.isRunning, "\(router.output.prefix(2_000))")
      #expect(try router.get(name)?.bodyText == "ok")
    }

    @Test("random bytes from callers: an answer or an end, never a crash")
    func randomRequests() throws {
      let name = Self.router.service(Backend())
      let seed = UInt64(Date().timeIntervalSince1970)
      var state = seed
      func random(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
      }
      let whole = wire(
        "POST /a?b HTTP/1.1\r\nHost: \(name)\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"
      )
      for round in 0..<400 {
        var bytes = whole
        if round % 4 == 0 {
          bytes = (0..<random(600)).map { _ in UInt8(random(256)) }
        } else {
          for _ in 0..<(1 + random(4)) {
            let place = random(bytes.count)
            switch random(4) {
            case 0: bytes[place] = UInt8(random(256))
            case 1: bytes.remove(at: place)
            case 2: bytes.insert([0, 9, 10, 13, 32, 44, 58, 59][random(8)], at: place)
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + random(20))], at: place)
            }
          }
        }
        let socket = try Self.router.connect()
        let cut = random(bytes.count + 1)
        socket.send(Array(bytes[..<cut]))
        if random(2) == 0 { usleep(500) }
        socket.send(Array(bytes[cut...]))
        switch random(3) {
        case 0: socket.reset()
        case 1:
          socket.finish()
          #expect(socket.awaitEnd() != .timeout, "seed \(seed), round \(round): \(text(bytes))")
        default: socket.close()
        }
      }
      try isWell(Self.router, name)
    }

    @Test("random bytes from backends: a whole answer, 502 or a cut one, never a crash")
    func randomResponses() throws {
      let state = Locked(UInt64(Date().timeIntervalSince1970))
      @Sendable func random(_ limit: Int) -> Int {
        state.withLock {
          $0 = $0 &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return Int($0 >> 33) % limit
        }
      }
      let whole = wire(
        "HTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"
      )
      let backend = Backend { connection in
        guard connection.request() != nil else { return }
        var bytes = whole
        for _ in 0..<(1 + random(3)) {
          let place = random(bytes.count)
          switch random(3) {
          case 0: bytes[place] = UInt8(random(256))
          case 1: bytes.remove(at: place)
          default: bytes.insert([0, 9, 10, 13, 32, 44, 58, 59][random(8)], at: place)
          }
        }
        let cut = random(bytes.count + 1)
        connection.socket.send(Array(bytes[..<cut]))
        if random(2) == 0 { usleep(2_000) }
        connection.socket.send(Array(bytes[cut...]))
        if random(2) == 0 { connection.socket.reset() } else { connection.socket.close() }
      }
      let name = Self.router.service(backend)
      for _ in 0..<300 {
        let socket = try Self.router.connect()
        socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
        #expect(socket.awaitEnd() != .timeout)
      }
      try isWell(Self.router, Self.router.service(Backend()))
    }

    @Test("two thousand callers that never finish their heads: others are served, each ends with 408")
    func slowloris() throws {
      let name = Self.router.service(Backend())
      let sockets = try (0..<2_000).map { _ in try Self.router.connect() }
      for socket in sockets { socket.send("GET / HTTP/1.1\r\nHost: ") }
      let start = Date()
      try isWell(Self.router, name)
      #expect(Date().timeIntervalSince(start) < patience(1))
      var slow = 0
      for socket in sockets where socket.readResponse()?.status == 408 { slow += 1 }
      #expect(slow == 2_000)
      try isWell(Self.router, name)
    }

    @Test("ten thousand idle connections cost little and trouble nobody")
    func idleConnections() throws {
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      let name = Self.router.service(Backend())
      try isWell(Self.router, name)
      let before = Self.router.residentKilobytes
      let count = min(10_000, Int(limit.rlim_max) / 2 - 500)
      var sockets: [RawSocket] = []
      for _ in 0..<count { sockets.append(try Self.router.connect()) }
      try isWell(Self.router, name)
      let grown = Self.router.residentKilobytes - before
      #expect(grown * 1_024 / count < 2_048, "\(grown) KiB for \(count)")
      sockets.removeAll()
      try isWell(Self.router, name)
    }

    @Test("out of descriptors: the router waits and recovers")
    func descriptors() throws {
      let router = try Router(descriptors: 64)
      let name = router.service(Backend())
      try isWell(router, name)
      var sockets: [RawSocket] = []
      for _ in 0..<120 {
        let socket = try router.connect()
        socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
        sockets.append(socket)
      }
      usleep(300_000)
      #expect(router.isRunning)
      // Those that were served with no descriptor left for the backend hear so; nobody is left hanging.
      sockets.removeAll()
      #expect(try Router.eventually { try router.get(name)?.bodyText == "ok" })
      try isWell(router, name)
    }

    @Test(
      "connections cost nothing once they are closed",
      .disabled(if: Sanitizer.current == .address, "the address sanitizer keeps freed memory back"))
    func churn() throws {
      let name = Self.router.service(Backend())
      for _ in 0..<200 { #expect(try Self.router.get(name)?.status == 200) }
      let before = Self.router.residentKilobytes
      for _ in 0..<3_000 { #expect(try Self.router.get(name)?.status == 200) }
      #expect(Self.router.residentKilobytes - before < 4_096)
    }
  }
}

extension LoadTests {
  @Suite("programs that people use")
  struct ToolTests {
    private func shell(_ line: String) throws -> String {
      let process = SpawnedProcess()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", line]
      let pipe = Pipe()
      process.standardOutput = pipe
      process.standardError = pipe
      process.standardInput = FileHandle.nullDevice
      try process.run()
      let output = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return String(decoding: output, as: UTF8.self)
    }

    private static func has(_ check: String) -> Bool {
      let process = SpawnedProcess()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", "(\(check)) > /dev/null 2>&1"]
      try? process.run()
      process.waitUntilExit()
      return process.terminationStatus == 0
    }

    @Test(
      "curl: get, upload with Expect, chunked upload, HEAD, proxy",
      .enabled(if: LoadTests.ToolTests.has("command -v curl"), "curl is not installed"))
    func curl() throws {
      let name = Router.shared.service(Backend.echo())
      let address = "http://127.0.0.1:\(Router.shared.port)"
      #expect(try shell("curl -sS -H 'Host: \(name)' \(address)/a").hasPrefix("GET /a HTTP/1.1\r\n"))
      #expect(
        try shell(
          "head -c 3000000 /dev/zero | curl -sS -H 'Host: \(name)' -H 'Expect:' --data-binary @- \(address)/ | wc -c"
        ).contains("30"))
      #expect(
        try shell(
          "echo hello | curl -sS -H 'Host: \(name)' -H 'Transfer-Encoding: chunked' --data-binary @- \(address)/"
        )
        .hasSuffix("hello\n"))
      #expect(try shell("curl -sSI -H 'Host: \(name)' \(address)/").contains("HTTP/1.1 200 OK"))
      #expect(try shell("curl -sS -x \(address) http://\(name)/via-proxy").hasPrefix("GET /via-proxy HTTP/1.1\r\n"))
      #expect(try shell("curl -sS -0 -H 'Host: \(name)' \(address)/old").hasPrefix("GET /old HTTP/1.1\r\n"))
    }

    @Test(
      "wrk: a burst without an error", .enabled(if: LoadTests.ToolTests.has("command -v wrk"), "wrk is not installed"))
    func wrk() throws {
      let name = Router.shared.service(Backend())
      let output = try shell("wrk -t2 -c16 -d3s -H 'Host: \(name)' http://127.0.0.1:\(Router.shared.port)/")
      #expect(output.contains("Requests/sec"), "\(output)")
      #expect(!output.contains("Socket errors"), "\(output)")
      #expect(!output.contains("Non-2xx"), "\(output)")
    }

    @Test(
      "WebSocket: a real client and server through the router",
      .enabled(
        if: LoadTests.ToolTests.has("python3 -c 'import websockets.sync.server, websockets.sync.client'"),
        "python3 has no websockets"))
    func webSocket() throws {
      let port = Backend.freePort()
      Router.shared.service("websocket", ports: [port])
      let script = """
        import threading, websockets.sync.server as s, websockets.sync.client as c, socket
        def serve(ws):
            for message in ws: ws.send(message)
        server = s.serve(serve, "127.0.0.1", \(port), max_size=None)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        raw = socket.create_connection(("127.0.0.1", \(Router.shared.port)))
        with c.connect("ws://websocket/", sock=raw, max_size=None) as ws:
            for size in (1, 125, 126, 65535, 65536, 1000000):
                ws.send(b"x" * size)
                assert ws.recv() == b"x" * size, size
            ws.ping().wait(5)
        print("all well")
        server.shutdown()
        """
      let file = Router.shared.directory + "/websocket.py"
      try script.write(toFile: file, atomically: true, encoding: .utf8)
      let output = try shell("timeout 30 python3 \(file)")
      #expect(output.contains("all well"), "\(output)")
    }
  }
}

import Foundation
import TestSupport
import Testing

import class Net.Locked

extension LoadTests {
  @Suite("routing")
  struct RoutingTests {
    private func answering(_ body: String) -> Backend {
      Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test("unions by weight, failover, overrides and what goes wrong with them")
    func dtabs() throws {
      let router = try Router(
        dtab: """
          /svc => /#/io.l5d.fs;
          /svc/split => 9 * /#/io.l5d.fs/a & 1 * /#/io.l5d.fs/b;
          /svc/over => /#/io.l5d.fs/missing | /#/io.l5d.fs/b;
          /svc/never => !;
          /svc/circle => /svc/circle;
          """,
        server: "clearContext: false")
      router.service("a", ports: [answering("a").port(keptBy: router)])
      router.service("b", ports: [answering("b").port(keptBy: router)])
      var counts: [String: Int] = [:]
      let socket = try router.connect()
      for _ in 0..<2_000 {
        socket.send("GET / HTTP/1.1\r\nHost: split\r\n\r\n")
        counts[try #require(socket.readResponse()).bodyText, default: 0] += 1
      }
      #expect((120...290).contains(counts["b"] ?? 0), "\(counts)")
      #expect(try router.get("over")?.bodyText == "b")
      #expect(try router.get("a", fields: "l5d-dtab: /svc/a => /svc/b\r\n")?.bodyText == "b")
      #expect(try router.get("a", fields: "l5d-ctx-dtab: /svc/a => /svc/b\r\n")?.bodyText == "b")
      #expect(
        try router.get("x", fields: "l5d-dtab: /svc/x => /svc/a\r\nl5d-dtab: /svc/x => /svc/b\r\n")?.bodyText == "b")
      #expect(try router.get("a")?.bodyText == "a")

      let cases: [(host: String, fields: String, status: Int, word: String)] = [
        ("a", "l5d-dtab: /svc =>\r\n", 400, "bind.bad_override"),
        ("a", "l5d-dtab: nonsense\r\n", 400, "bind.bad_override"),
        ("nobody", "", 502, "bind.neg"), ("never", "", 502, "bind.fail"), ("circle", "", 502, "bind.too_deep"),
      ]
      for expected in cases {
        let response = try #require(try router.get(expected.host, fields: expected.fields))
        #expect(response.status == expected.status, "\(expected)")
        #expect(response.reasonWord == expected.word, "\(response.bodyText)")
        #expect(response.bodyText.contains(expected.word))
        #expect(response["l5d-err"]?.contains("router=e2e") == true)
      }
    }

    @Test("a service's file changes while requests run: in force within 100 ms, none fails; removed: 502")
    func liveChanges() throws {
      let router = Router.shared
      let (first, second) = (answering("1"), answering("2"))
      let name = router.service(first, second)
      router.service(name, ports: [first.port])
      let failures = Locked<[String]>([])
      let served = Locked(0)
      let isDone = Locked(false)
      let load = Load()
      for _ in 0..<3 {
        load.start {
          while !isDone.withLock({ $0 }) {
            guard let socket = try? router.connect() else { continue }
            for _ in 0..<20 {
              socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
              let response = socket.readResponse()
              served.withLock { $0 += 1 }
              if response?.status != 200 { failures.withLock { $0.append(response?.bodyText ?? "no answer") } }
            }
          }
        }
      }
      var slowest = 0.0
      for turn in 0..<20 {
        let wanted = turn % 2 == 0 ? "2" : "1"
        router.service(name, ports: [turn % 2 == 0 ? second.port : first.port])
        let start = Date()
        while try router.get(name)?.bodyText != wanted, Date().timeIntervalSince(start) < patience(2) {}
        slowest = max(slowest, Date().timeIntervalSince(start))
      }
      isDone.withLock { $0 = true }
      load.wait()
      #expect(slowest < patience(0.25))
      #expect(failures.withLock { $0 }.isEmpty, "\(failures.withLock { $0.prefix(3) })")
      #expect(served.withLock { $0 } > 100 / Sanitizer.slowness)
      router.removeService(name)
      usleep(150_000)
      // What was bound stays bound, or the name is gone: never a hang.
      #expect(try router.get(name) != nil)
      let near = try #require(try router.get(name + "x"))
      #expect(near.status == 502)
      #expect(near.reasonWord == "bind.neg")
    }

    @Test("a refused endpoint is passed over; when all refuse, 502 tells what was tried; an empty set is 503")
    func refused() throws {
      let (dead, dead2) = (Backend.freePort(), Backend.freePort())
      let alive = answering("alive")
      let name = Router.shared.service(alive)
      Router.shared.service(name, ports: [dead, alive.port, dead2])
      for _ in 0..<30 { #expect(try Router.shared.get(name)?.bodyText == "alive") }
      // A request with content moves on as well: nothing of it was sent.
      for _ in 0..<10 {
        let socket = try Router.shared.connect()
        socket.send("POST / HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 3\r\n\r\nabc")
        #expect(socket.readResponse()?.bodyText == "alive")
      }
      Router.shared.service("alldead", ports: [dead, dead2])
      let response = try #require(try Router.shared.get("alldead"))
      #expect(response.status == 502)
      #expect(response.reasonWord == "connect.refused")
      // Two were tried: a router before this one is not to try all of that again.
      #expect(response["l5d-retryable"] == nil)
      #expect(response.bodyText.contains("127.0.0.1:\(dead)"))
      Router.shared.service("onedead", ports: [dead])
      #expect(try Router.shared.get("onedead")?["l5d-retryable"] == "true")
      Router.shared.service("empty", ports: [])
      let empty = try #require(try Router.shared.get("empty"))
      #expect([502, 503].contains(empty.status))
    }

    @Test("identifiers, context and two routers in one process")
    func identifiers() throws {
      let router = try Router(
        routers: """
          - protocol: http
            label: one
            dtab: /svc => /#/io.l5d.fs
            httpAccessLog: $DIR/common.log
            identifier:
            - {kind: io.l5d.header, header: l5d-name}
            - {kind: io.l5d.header.token, header: X-Service}
            - {kind: io.l5d.path, segments: 1, consume: true}
            servers:
            - {port: $PORT, clearContext: true, maxConcurrentRequests: 2, addForwardedHeader: {by: {kind: ip}, for: {kind: ip}}}
          - protocol: http
            label: two
            dtab: /svc/1.1/GET/host => /#/io.l5d.fs/two ; /svc/fixed => /#/io.l5d.fs/fixed
            httpAccessLog: $DIR/json.log
            accessLogFormat: json
            identifier:
            - {kind: io.l5d.methodAndHost}
            servers:
            - {port: \(Self.secondPort)}
          - protocol: http
            label: three
            dtab: /svc => /#/io.l5d.fs
            identifier: {kind: io.l5d.static, path: /fixed}
            servers:
            - {port: \(Self.thirdPort), ip: 127.0.0.1}
          """)
      let echo = Backend.echo()
      for name in ["web", "two", "fixed"] { router.service(name, ports: [echo.port(keptBy: router)]) }
      func seen(_ request: String, _ port: Int) throws -> String {
        let socket = try RawSocket(connectingTo: port)
        socket.send(request)
        let response = try #require(socket.readResponse())
        #expect(response.status == 200, "\(response.bodyText)")
        return response.bodyText
      }
      let byPath = try seen("GET /web/a/b?c HTTP/1.1\r\nHost: any\r\n\r\n", router.port)
      #expect(byPath.hasPrefix("GET /a/b?c HTTP/1.1\r\n"))
      #expect(byPath.contains("Forwarded: by=127.0.0.1;for=127.0.0.1;host=\"any\";proto=http\r\n"))
      #expect(try seen("GET /web HTTP/1.1\r\nHost: any\r\n\r\n", router.port).hasPrefix("GET / HTTP/1.1\r\n"))
      #expect(try seen("GET /web?q HTTP/1.1\r\nHost: any\r\n\r\n", router.port).hasPrefix("GET /?q HTTP/1.1\r\n"))
      #expect(
        try seen("GET /x HTTP/1.1\r\nHost: any\r\nX-Service: web\r\n\r\n", router.port).hasPrefix("GET /x HTTP/1.1\r\n")
      )
      let cleared = try seen(
        "GET /x HTTP/1.1\r\nHost: any\r\nX-Service: web\r\nl5d-dtab: /svc/web => /$/fail\r\nl5d-custom: 1\r\n\r\n",
        router.port)
      #expect(!cleared.contains("l5d-custom"))
      #expect(try seen("GET /m HTTP/1.1\r\nHost: HOST\r\n\r\n", Self.secondPort).hasPrefix("GET /m HTTP/1.1\r\n"))
      #expect(try seen("GET /s HTTP/1.0\r\n\r\n", Self.thirdPort).hasPrefix("GET /s HTTP/1.1\r\n"))

      // The limit on requests: a third one at once is turned away.
      let slow = Backend { connection in
        while connection.request() != nil {
          usleep(400_000)
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
      }
      router.service("slow", ports: [slow.port(keptBy: router)])
      let sockets = try (0..<3).map { _ in try router.connect() }
      for socket in sockets {
        socket.send("GET /slow HTTP/1.1\r\nHost: any\r\n\r\n")
        usleep(50_000)
      }
      let turnedAway = try #require(sockets[2].readResponse())
      #expect(turnedAway.status == 503)
      #expect(turnedAway.reasonWord == "server.max_connections")
      #expect(turnedAway["retry-after"] != nil)
      for socket in sockets[..<2] { #expect(socket.readResponse()?.status == 200) }
      sockets[2].send("GET /slow HTTP/1.1\r\nHost: any\r\n\r\n")
      #expect(sockets[2].readResponse()?.status == 200)

      // The logs have a line for each.
      usleep(200_000)
      let common = try String(contentsOfFile: router.directory + "/common.log", encoding: .utf8)
      #expect(common.contains("\"GET /web/a/b?c HTTP/1.1\" 200 "))
      #expect(common.contains("server.max_connections"))
      let json = try String(contentsOfFile: router.directory + "/json.log", encoding: .utf8)
      for line in json.split(separator: "\n") {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(object?["status"] as? Int == 200)
        #expect(object?["target"] as? String == "/m")
      }
    }

    private static let secondPort = Backend.freePort()
    private static let thirdPort = Backend.freePort()

    @Test("SIGTERM under load: every request that was accepted is answered, and the process ends by itself")
    func drain() throws {
      let router = try Router()
      let backend = Backend { connection in
        while connection.request() != nil {
          usleep(5_000)
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
      }
      router.service("web", ports: [backend.port(keptBy: router)])
      let failures = Locked<[String]>([])
      let served = Locked(0)
      let load = Load()
      for _ in 0..<8 {
        load.start {
          while let socket = try? router.connect() {
            while true {
              guard socket.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"), let response = socket.readResponse() else {
                failures.withLock { $0.append("no answer after \(served.withLock { $0 })") }
                break
              }
              served.withLock { $0 += 1 }
              if response.bodyText != "ok" { failures.withLock { $0.append(response.bodyText) } }
              if response["connection"] == "close" { break }
            }
          }
        }
      }
      usleep(400_000)
      let idle = try router.connect()
      router.signal(SIGTERM)
      #expect(idle.awaitEnd() == .fin)
      load.wait()
      // A connection that the kernel had taken when listening ended may be refused; a request in it never was accepted.
      #expect(failures.withLock { $0 }.isEmpty, "\(failures.withLock { $0.prefix(3) })")
      #expect(served.withLock { $0 } > 100 / Sanitizer.slowness)
      #expect(router.waitForExit(milliseconds: 4_000) == 0)
    }
  }
}

extension Backend {
  /// The port; the backend lives on for as long as the tests.
  func port(keptBy router: Router) -> Int {
    _ = router.service(self)
    return port
  }
}

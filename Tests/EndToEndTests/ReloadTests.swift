import Foundation
import TestSupport
import Testing

import class Net.Locked

@Suite("a changed configuration", .serialized)
struct ReloadTests {
  /// What `POST /admin/reload` says.
  private struct Answer: Decodable {
    struct Problem: Decodable {
      var key: String
      var line: Int
      var message: String
      var remedy: String?
    }
    var applied: Bool
    var problem: String?
    var added: [String: [String]]?
    var changed: [String: [String]]?
    var removed: [String: [String]]?
    var unchanged: [String: [String]]?
    var needsRestart: [String]?
    var diagnostics: [Problem]?
  }

  private func reload(_ router: Router, status: Int = 200) throws -> Answer {
    let message = try #require(try AdminPage.post(router, "/admin/reload"))
    #expect(message.status == status)
    return try JSONDecoder().decode(Answer.self, from: Data(message.body))
  }

  private func ask(_ socket: RawSocket, _ name: String) -> Message? {
    socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    return socket.readResponse()
  }

  @Test("one that is the same changes nothing and says so")
  func same() throws {
    let router = try Router()
    let answer = try reload(router)
    #expect(answer.applied && answer.added == [:] && answer.changed == [:] && answer.removed == [:])
    #expect(answer.unchanged?["routers"] == ["e2e"] && answer.unchanged?["namers"] == ["/#/io.l5d.fs"])
    #expect(answer.needsRestart == [])
  }

  @Test("one with errors changes nothing, and every problem has its key, its line and a remedy")
  func invalid() throws {
    let router = try Router()
    let name = router.service(Backend())
    let good = router.configuration
    router.configuration =
      good.replacing("protocol: http", with: "protocol: htttp")
      .replacing("/svc => /#/io.l5d.fs", with: "/svc => ((")
    let answer = try reload(router, status: 422)
    #expect(!answer.applied)
    let keys = try #require(answer.diagnostics?.map(\.key))
    #expect(keys.contains("routers[0].protocol") && keys.contains("routers[0].dtab"), "\(keys)")
    #expect(answer.diagnostics?.allSatisfy { $0.line > 1 } == true)
    #expect(answer.diagnostics?.first { $0.key == "routers[0].protocol" }?.remedy != nil)
    #expect(try router.get(name)?.status == 200)
    router.signal(SIGHUP)
    for _ in 0..<200 where router.output.components(separatedBy: "routers[0].dtab").count < 3 { usleep(20_000) }
    #expect(router.output.components(separatedBy: "routers[0].dtab").count == 3)
    #expect(try AdminPage.get(router, "/admin/server_info")?.contains("reload: nothing was changed") == true)
    router.configuration = good
    #expect(try reload(router).applied)
    #expect(try AdminPage.get(router, "/admin/server_info")?.contains("\"problems\":[]") == true)
  }

  @Test("a port that somebody else has changes nothing")
  func portTaken() throws {
    let (router, other) = (try Router(), Backend())
    let name = router.service(Backend())
    router.configuration = router.configuration.replacing(
      "  - port: \(router.port)", with: "  - port: \(router.port)\n  - port: \(other.port)"
    )
    .replacing("/svc => /#/io.l5d.fs", with: "/svc => /$/fail")
    let answer = try reload(router, status: 422)
    #expect(answer.problem?.contains("\(other.port)") == true)
    #expect(try router.get(name)?.status == 200)
  }

  @Test("meshrouter reload says what it did; with --dry-run what it would do, and nothing changes")
  func command() throws {
    let (router, other) = (try Router(), Backend())
    let name = router.service(Backend())
    let (good, extra) = (router.configuration, Backend.freePort())
    func run(_ arguments: String...) -> Tool.Result {
      Tool.run(Products.path("meshrouter"), ["reload", "--admin", "127.0.0.1:\(router.adminPort)"] + arguments)
    }
    #expect(run("--dry-run").output.contains("nothing would change\n"))
    router.configuration = good.replacing(
      "  - port: \(router.port)", with: "  - port: \(router.port)\n  - port: \(extra)"
    ).replacing("/svc => /#/io.l5d.fs", with: "/svc => /#/io.l5d.fs ; /svc/a => /svc/b")
    let plan = run("--dry-run")
    #expect(plan.status == 0, "\(plan.output)")
    #expect(plan.output.contains("added server e2e 127.0.0.1:\(extra)\nchanged dtab e2e\n"), "\(plan.output)")
    #expect(plan.output.contains("unchanged: 1 router, 1 server, 1 namer\nthis was a dry run: nothing was changed\n"))
    #expect(throws: (any Error).self) { try RawSocket(connectingTo: extra) }
    #expect(run("--dry-run", "--output", "json").output.contains("{\"applied\":false"))
    let done = run()
    #expect(done.status == 0 && done.output.contains("added server e2e 127.0.0.1:\(extra)\n"), "\(done.output)")
    _ = try RawSocket(connectingTo: extra)

    router.configuration = good.replacing("  - port: \(router.port)", with: "  - port: \(other.port)")
    let taken = run("--dry-run")
    #expect(taken.status == 1)
    #expect(taken.output.contains("nothing would be changed: 127.0.0.1:\(other.port)"), "\(taken.output)")
    router.configuration = good.replacing("protocol: http", with: "protocol: htttp")
    for arguments in [["--dry-run"], []] {
      let refused = Tool.run(
        Products.path("meshrouter"), ["reload", "--admin", "127.0.0.1:\(router.adminPort)"] + arguments)
      #expect(refused.status == 1 && refused.output.contains("error: routers[0].protocol: "), "\(refused.output)")
    }
    #expect(try router.get(name)?.status == 200)
  }

  @Test("a changed dtab holds for the next request, and connections to callers and backends stay")
  func dtab() throws {
    let router = try Router()
    let (one, two) = (Backend(), Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"))
    let (first, second) = (router.service(one), router.service(two))
    let socket = try router.connect()
    #expect(ask(socket, first).map { text($0.body) } == "ok")
    router.configuration = router.configuration.replacing(
      "/svc => /#/io.l5d.fs", with: "/svc => /#/io.l5d.fs ; /svc/moved => /#/io.l5d.fs/\(second)")
    let answer = try reload(router)
    #expect(answer.changed == ["dtabs": ["e2e"]] && answer.unchanged?["routers"] == ["e2e"])
    #expect(ask(socket, "moved").map { text($0.body) } == "two")
    #expect(ask(socket, first).map { text($0.body) } == "ok")
    #expect(one.connectionCount == 1)
  }

  @Test("a server that is added accepts at once; one that is removed ends its connections in good order")
  func servers() throws {
    let router = try Router()
    let name = router.service(Backend())
    let (old, extra) = (router.configuration, Backend.freePort())
    router.configuration = old.replacing(
      "  - port: \(router.port)", with: "  - port: \(router.port)\n  - port: \(extra)")
    let added = try reload(router)
    #expect(added.added == ["servers": ["e2e 127.0.0.1:\(extra)"]] && added.changed == [:])
    let (stays, leaves) = (try router.connect(), try RawSocket(connectingTo: extra))
    let streams = try HTTP2Peer(connectingTo: extra).settled()
    #expect(ask(leaves, name)?.status == 200 && ask(stays, name)?.status == 200)
    #expect(streams.get(name).status == 200)
    router.configuration = old
    #expect(try reload(router).removed == ["servers": ["e2e 127.0.0.1:\(extra)"]])
    let last = try #require(ask(leaves, name))
    #expect(last.status == 200 && last["connection"] == "close")
    #expect(leaves.awaitEnd() == .fin)
    #expect(streams.waitForGoaway() == .noError)
    #expect(throws: (any Error).self) { try RawSocket(connectingTo: extra) }
    let next = try #require(ask(stays, name))
    #expect(next.status == 200 && next["connection"] == nil)
  }

  @Test("a WebSocket of a server that is removed goes on, but only for drainTimeoutMs")
  func removedServersTunnel() throws {
    let router = try Router(top: "drainTimeoutMs: 2000")
    let chat = router.service(UpgradeTests.webSocketBackend())
    let (old, extra) = (router.configuration, Backend.freePort())
    router.configuration = old.replacing(
      "  - port: \(router.port)", with: "  - port: \(router.port)\n  - port: \(extra)")
    #expect(try reload(router).added?["servers"]?.count == 1)
    let leaves = try #require(try UpgradeTests.webSocket(extra, chat))
    let stays = try #require(try UpgradeTests.webSocket(router.port, chat))
    router.configuration = old
    let began = Date()
    #expect(try reload(router).removed?["servers"]?.count == 1)
    for socket in [leaves, stays] {
      socket.send("message")
      #expect(socket.read(count: 7) == wire("message"))
    }
    #expect(leaves.awaitEnd() == .fin)
    let seconds = Date().timeIntervalSince(began)
    #expect(seconds > 1.9 && seconds < patience(6), "\(seconds)")
    stays.send("message")
    #expect(stays.read(count: 7) == wire("message"))
  }

  @Test("changed client settings hold for the next request of a connection that stays, and its statistics go on")
  func client() throws {
    let router = try Router()
    let slow = Backend { connection in
      while let request = connection.request() {
        if request.startLine.contains("/slow") { usleep(700_000) }
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    let name = router.service(slow)
    let (socket, streams) = (try router.connect(), try HTTP2Peer(connectingTo: router.port).settled())
    defer { streams.close() }
    #expect(ask(socket, name)?.status == 200)
    // Under way when the configuration changes: it ends by the settings it began with.
    socket.send("GET /slow HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    let stream = streams.request(name, "GET", "/slow")
    usleep(150_000)
    router.configuration = router.configuration.replacing(
      "  label: e2e", with: "  label: e2e\n  client: {requestAttemptTimeoutMs: 200}")
    #expect(try reload(router).changed == ["routers": ["e2e"]])
    #expect(socket.readResponse()?.status == 200)
    #expect(stream.finished().status == 200)
    socket.send("GET /slow HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(socket.readResponse()?.status == 504)
    #expect(streams.get(name, "/slow").status == 504)
    #expect(ask(socket, name)?.status == 200)
    let count = try AdminPage.sum(router, "meshrouter_service_requests_total", "service=\"/svc/\(name)\"")
    #expect(count == 6)
  }

  @Test("routers and namers come and go")
  func routers() throws {
    let router = try Router()
    let name = router.service(Backend())
    let (old, port) = (router.configuration, Backend.freePort())
    let kept = try router.connect()
    #expect(ask(kept, name)?.status == 200)
    router.configuration =
      old.replacing(
        "namers:", with: "namers:\n- {kind: io.l5d.fs, prefix: /more, rootDir: \(router.directory)/more}")
      + "\n- protocol: http\n  label: second\n  dtab: /svc => /#/more\n  servers: [{port: \(port)}]\n"
    try FileManager.default.createDirectory(atPath: router.directory + "/more", withIntermediateDirectories: true)
    let more = Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore")
    try "127.0.0.1 \(more.port)\n".write(toFile: router.directory + "/more/web", atomically: true, encoding: .utf8)
    let answer = try reload(router)
    #expect(answer.added?["routers"] == ["second"] && answer.added?["namers"] == ["/#/more"])
    #expect(answer.unchanged?["routers"] == ["e2e"])
    let second = try RawSocket(connectingTo: port)
    #expect(ask(second, "web").map { text($0.body) } == "more")
    // The namer answers otherwise from another directory.
    router.configuration = router.configuration.replacing("/more}", with: "/disco}")
    #expect(try reload(router).changed == ["namers": ["/#/more"]])
    #expect(ask(second, name).map { text($0.body) } == "ok")
    #expect(ask(second, "web")?.status == 502)
    router.configuration = old
    let removed = try reload(router)
    #expect(removed.removed?["routers"] == ["second"] && removed.removed?["namers"] == ["/#/more"])
    #expect(ask(second, name).map { $0.status == 200 && $0["connection"] == "close" } == true)
    #expect(second.awaitEnd() == .fin)
    #expect(ask(kept, name)?.status == 200)
    // Back again under the same label and port.
    router.configuration +=
      "\n- protocol: http\n  label: second\n  dtab: /svc => /#/io.l5d.fs\n"
      + "  servers: [{port: \(port)}]\n"
    #expect(try reload(router).added?["routers"] == ["second"])
    #expect(ask(try RawSocket(connectingTo: port), name)?.status == 200)
  }

  @Test("what a reload puts out of force is given back, with every line of its access log")
  func givenBack() throws {
    let router = try Router(router: "httpAccessLog: /dev/null")
    let name = router.service(Backend())
    let original = router.configuration
    let socket = try router.connect()
    for round in 0..<24 {
      router.configuration = original.replacing(
        "httpAccessLog: /dev/null",
        with: "httpAccessLog: \(router.directory)/access\(round % 2)\n  bindingTimeoutMs: \(9_000 + round)")
      #expect(try reload(router).changed == ["routers": ["e2e"]])
      #expect(ask(socket, name)?.status == 200)
    }
    for _ in 0..<200 where router.threadCount("log") > 1 { usleep(20_000) }
    #expect(router.threadCount("log") == 1)
    router.configuration = original
    #expect(try reload(router).applied)
    let lines = {
      (0..<2).reduce(0) { count, log in
        let text = try? String(contentsOfFile: router.directory + "/access\(log)", encoding: .utf8)
        return count + (text ?? "").count { $0 == "\n" }
      }
    }
    for _ in 0..<200 where lines() < 24 { usleep(20_000) }
    #expect(lines() == 24)
  }

  @Test("what only a start can change is named, and the rest is applied")
  func restart() throws {
    let router = try Router()
    let name = router.service(Backend())
    router.configuration = router.configuration.replacing("workers: 2", with: "workers: 3")
      .replacing("port: \(router.adminPort)", with: "port: \(Backend.freePort())")
      .replacing("/svc => /#/io.l5d.fs", with: "/host => /#/io.l5d.fs ; /svc => /host")
    for _ in 0..<2 {
      let answer = try reload(router)
      #expect(answer.applied && answer.needsRestart == ["workers", "admin.port"])
    }
    #expect(try router.get(name)?.status == 200)
    #expect(try AdminPage.get(router, "/config.json")?.contains("/host") == true)
  }

  @Test("changed certificates are those of the next handshake")
  func certificates() throws {
    let tls = { (name: String) in
      Certificates.shared.yaml(name).split(separator: "\n").map { "  \($0)\n" }.joined()
    }
    let router = try Router(server: "tls:\n" + tls("web"))
    let subject = {
      Tool.openssl("s_client -connect 127.0.0.1:\(router.port)", input: "").output
        .components(separatedBy: "\n").first { $0.hasPrefix("subject=") }
    }
    #expect(subject()?.hasSuffix("CN = web") == true)
    router.configuration = router.configuration.replacing(
      Certificates.shared.path("web") + ".", with: Certificates.shared.path("api") + ".")
    let answer = try reload(router)
    #expect(answer.added?["certificates"] == [Certificates.shared.path("api") + ".pem"])
    #expect(answer.removed?["certificates"] == [Certificates.shared.path("web") + ".pem"])
    #expect(answer.changed?["servers"] == ["e2e 127.0.0.1:\(router.port)"])
    #expect(subject()?.hasSuffix("CN = api") == true)
    router.configuration = router.configuration.replacing("api.key", with: "web.key")
    let refused = try reload(router, status: 422)
    #expect(refused.diagnostics?.contains { $0.key.hasPrefix("routers[0].servers[0].tls") } == true)
    #expect(subject()?.hasSuffix("CN = api") == true)
  }

  @Test("five reloads a second under HTTP/1, HTTP/2 and WebSockets: nothing fails and nothing is reset")
  func underLoad() throws {
    let router = try Router()
    let name = router.service(Backend.echo(), Backend.echo())
    let chat = router.service(
      Backend { connection in
        guard connection.request() != nil else { return }
        connection.socket.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        while let bytes = connection.socket.receiveSome() { connection.socket.send(bytes) }
      })
    let failures = Locked<[String]>([])
    let served = Locked([0, 0, 0])
    let end = Date(timeIntervalSinceNow: 5)
    let load = Load()
    for _ in 0..<3 {
      load.start {
        do {
          let socket = try router.connect()
          while Date() < end {
            socket.send("POST /h1 HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 5\r\n\r\nhello")
            guard let answer = socket.readResponse(), answer.status == 200 else {
              return failures.withLock { $0.append("HTTP/1: no answer of 200") }
            }
            if answer["connection"] != nil { failures.withLock { $0.append("HTTP/1: \(answer.head)") } }
            served.withLock { $0[0] += 1 }
          }
        } catch { failures.withLock { $0.append("HTTP/1: \(error)") } }
      }
    }
    for _ in 0..<2 {
      load.start {
        do {
          let peer = try HTTP2Peer(connectingTo: router.port).settled()
          defer { peer.close() }
          while Date() < end {
            let streams = (0..<4).map { _ in peer.request(name, "GET", "/h2") }
            for stream in streams {
              let message = stream.finished()
              guard message.status == 200, message.isComplete else {
                return failures.withLock {
                  $0.append("HTTP/2: \(message.status) \(String(describing: message.closed))")
                }
              }
              served.withLock { $0[1] += 1 }
            }
          }
        } catch { failures.withLock { $0.append("HTTP/2: \(error)") } }
      }
      load.start {
        do {
          let socket = try router.connect()
          socket.send(
            "GET /chat HTTP/1.1\r\nHost: \(chat)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
          guard socket.readHead()?.status == 101 else {
            return failures.withLock { $0.append("WebSocket: no 101") }
          }
          while Date() < end {
            socket.send("message")
            guard socket.read(count: 7) == wire("message") else {
              return failures.withLock { $0.append("WebSocket: ended") }
            }
            served.withLock { $0[2] += 1 }
            usleep(2_000)
          }
        } catch { failures.withLock { $0.append("WebSocket: \(error)") } }
      }
    }
    let original = router.configuration
    let extra = Backend.freePort()
    var round = 0
    while Date() < end {
      // What changes, in turn: nothing, the table, the clients, the servers, the namers.
      var yaml = original
      if round % 5 == 1 { yaml = yaml.replacing("/svc =>", with: "/host => /$/nil ; /svc =>") }
      if round % 5 == 2 { yaml = yaml.replacing("  label: e2e", with: "  label: e2e\n  bindingTimeoutMs: 9000") }
      if round % 5 == 3 {
        yaml = yaml.replacing(
          "  - port: \(router.port)", with: "  - port: \(router.port)\n    maxConnections: 99\n  - port: \(extra)")
      }
      if round % 5 == 4 {
        yaml = yaml.replacing("namers:", with: "namers:\n- {kind: io.l5d.fs, prefix: /x, rootDir: /tmp}")
      }
      router.configuration = yaml
      router.signal(SIGHUP)
      round += 1
      usleep(200_000)
    }
    load.wait()
    let seen = failures.withLock { $0 }
    #expect(seen.isEmpty, "\(seen)")
    #expect(served.withLock { $0.allSatisfy { $0 > 100 } })
    #expect(router.output.components(separatedBy: "was read again").count > 15)
    #expect(!router.output.contains("nothing was changed"))
    #expect(router.isRunning)
  }
}

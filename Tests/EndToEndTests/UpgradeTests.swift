import Foundation
import TestSupport
import Testing

import class Net.Locked

@Suite("another process takes over", .serialized)
struct UpgradeTests {
  /// What `POST /admin/upgrade` says.
  struct Answer: Decodable {
    var upgraded: Bool
    var problem: String?
    var oldPid: pid_t?
    var newPid: pid_t?
    var connectionsLeft: Int?
    var drainMilliseconds: Int?
  }

  static func upgrade(
    _ router: Router, _ query: String = "", fields: String = "", status: Int = 200
  ) throws -> Answer {
    let message = try #require(try AdminPage.post(router, "/admin/upgrade" + query, fields: fields))
    #expect(message.status == status, "\(text(message.body))")
    let answer = try JSONDecoder().decode(Answer.self, from: Data(message.body))
    if let process = answer.newPid { router.succeeded(by: process) }
    return answer
  }

  /// Until something is so, but not for ever.
  private func wait(until isSo: () -> Bool) {
    let end = Date(timeIntervalSinceNow: patience(10))
    while !isSo(), Date() < end { usleep(20_000) }
  }

  private func ask(_ socket: RawSocket, _ name: String) -> Message? {
    socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    return socket.readResponse()
  }

  static func webSocketBackend() -> Backend {
    Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
      while let bytes = connection.socket.receiveSome() { connection.socket.send(bytes) }
      connection.socket.close()
    }
  }

  static func webSocket(_ port: Int, _ name: String) throws -> RawSocket? {
    let socket = try RawSocket(connectingTo: port)
    socket.send(
      "GET /chat HTTP/1.1\r\nHost: \(name)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    return socket.readHead()?.status == 101 ? socket : nil
  }

  @Test("it has the ports, and the one before ends its connections in good order, the last of them in its time")
  func takesOver() throws {
    let router = try Router(top: "drainTimeoutMs: 4000")
    let (name, chat) = (router.service(Backend()), router.service(Self.webSocketBackend()))
    let busy = try router.connect()
    let idle = try router.connect()
    let streams = try HTTP2Peer(connectingTo: router.port).settled()
    #expect(ask(busy, name)?.status == 200 && ask(idle, name)?.status == 200)
    #expect(streams.get(name).status == 200)
    let socket = try #require(try Self.webSocket(router.port, chat))
    let first = router.processID
    let began = Date()
    let answer = try Self.upgrade(router)
    #expect(answer.upgraded && answer.oldPid == first && answer.newPid != first)
    #expect(answer.connectionsLeft == 4 && answer.drainMilliseconds == 4_000)
    #expect(try AdminPage.get(router, "/admin/server_info")?.contains("\"pid\":\(answer.newPid ?? 0)") == true)
    #expect(try router.get(name)?.status == 200)
    // Those of the old process are served on, and told to leave.
    let last = try #require(ask(busy, name))
    #expect(last.status == 200 && last["connection"] == "close")
    #expect(busy.awaitEnd() == .fin)
    #expect(streams.waitForGoaway() == .noError)
    #expect(idle.awaitEnd() == .fin)
    #expect(Date().timeIntervalSince(began) < 3.5)
    socket.send("message")
    #expect(socket.read(count: 7) == wire("message"))
    #expect(socket.awaitEnd() == .fin)
    #expect(Date().timeIntervalSince(began) > 3.5)
    wait { router.firstHasEnded }
    #expect(router.firstHasEnded)
    #expect(Router.processes(in: router.directory) == [router.processID])
    #expect(router.output.contains("another process has taken over"))
    // And so on, by a signal.
    let second = router.processID
    router.signal(SIGUSR2)
    wait { Router.processes(in: router.directory) != [second] }
    wait { !Router.processes(in: router.directory).contains(second) }
    let third = try #require(Router.processes(in: router.directory).first)
    router.succeeded(by: third)
    #expect(third != second)
    #expect(try router.get(name)?.status == 200)
  }

  @Test("one that cannot serve changes nothing, and it is told why")
  func fails() throws {
    let router = try Router(admin: ", token: sesame", dtabStore: "{kind: io.l5d.dir, directory: $DIR/dtabs}")
    let token = "Authorization: Bearer sesame\r\n"
    let name = router.service(Backend())
    let kept = try router.connect()
    #expect(ask(kept, name)?.status == 200)
    let script = router.directory + "/hangs"
    try "#!/bin/sh\nwhile true; do sleep 0.05; done\n".write(toFile: script, atomically: true, encoding: .utf8)
    chmod(script, 0o755)
    let refused = { (query: String) in try Self.upgrade(router, query, fields: token, status: 422).problem ?? "" }
    #expect(try refused("?binary=/bin/false").contains("it ended with exit status 1"))
    #expect(try refused("?binary=/nowhere").contains("/nowhere is no program"))
    #expect(try refused("?binary=/etc/passwd").contains("/etc/passwd is no program"))
    #expect(try refused("?timeoutMs=500&binary=\(script)").contains("did not serve within 500 ms"))
    let good = router.configuration
    router.configuration = good.replacing("protocol: http", with: "protocol: htttp")
    #expect(try refused("").contains("routers[0].protocol"))
    // A port that somebody else has: found out when the store has changed hands already.
    let other = Backend()
    router.configuration = good.replacing(
      "  - port: \(router.port)", with: "  - port: \(router.port)\n  - port: \(other.port)")
    #expect(try refused("").contains("\(other.port)"))
    router.configuration = good
    #expect(Router.processes(in: router.directory) == [router.processID])
    let last = try #require(ask(kept, name))
    #expect(last.status == 200 && last["connection"] == nil)
    #expect(try put(router, "default", "/a => /b", fields: token) == 204)
    #expect(router.output.contains("upgrade: /bin/false"))
    // And with the next one all goes well, with the same store.
    #expect(try Self.upgrade(router, fields: token).upgraded)
    #expect(ask(try router.connect(), name)?.status == 200)
    #expect(try put(router, "default", "/a => /c", fields: token) == 204)
  }

  @Test("only one at a time, and which program runs is for the owner to say")
  func refusals() throws {
    let router = try Router(admin: ", token: sesame")
    let token = "Authorization: Bearer sesame\r\n"
    let script = router.directory + "/hangs"
    try "#!/bin/sh\nwhile true; do sleep 0.05; done\n".write(toFile: script, atomically: true, encoding: .utf8)
    chmod(script, 0o755)
    let load = Load()
    load.start { _ = try? Self.upgrade(router, "?timeoutMs=2000&binary=\(script)", fields: token, status: 422) }
    wait { Router.processes(in: router.directory).count > 1 }
    let second = try Self.upgrade(router, fields: token, status: 409)
    #expect(second.problem?.contains("an upgrade is under way") == true)
    // A reload waits for the end of it.
    router.signal(SIGHUP)
    load.wait()
    wait { router.output.contains("was read again") }
    #expect(router.output.contains("was read again"))
    // In the clear, whoever reaches the port may have it started anew, but not choose the program.
    let open = try Router()
    #expect(try AdminPage.post(open, "/admin/upgrade?binary=/bin/false")?.status == 403)
    #expect(try AdminPage.post(open, "/admin/upgrade?timeoutMs=0")?.status == 400)
  }

  private func put(_ router: Router, _ namespace: String, _ dtab: String, fields: String = "") throws -> Int? {
    let socket = try RawSocket(connectingTo: router.adminPort)
    socket.send(
      "PUT /api/1/dtabs/\(namespace) HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Type: application/dtab\r\n"
        + "Connection: close\r\nContent-Length: \(dtab.utf8.count)\r\n\r\n\(dtab)")
    return socket.readResponse()?.status
  }

  @Test(
    "an edit is refused with 503 or it is there, whichever process it was sent to",
    arguments: ["{kind: io.l5d.dir, directory: $DIR/dtabs}", "{kind: io.l5d.inMemory}"])
  func edits(store: String) throws {
    let router = try Router(dtabStore: store)
    let isOver = Locked(false)
    let accepted = Locked<[String]>([])
    let strange = Locked<[String]>([])
    let load = Load()
    load.start {
      var number = 0
      while !isOver.withLock({ $0 }) {
        number += 1
        let dtab = "/a => /$/inet/127.1/\(number)"
        do {
          switch try put(router, "edits", dtab) {
          case 204: accepted.withLock { $0.append(dtab) }
          case 503: usleep(5_000)
          case let status: strange.withLock { $0.append("\(status.map(String.init) ?? "no answer") for \(number)") }
          }
        } catch { strange.withLock { $0.append("\(error)") } }
      }
    }
    for _ in 0..<3 {
      usleep(200_000)
      #expect(try Self.upgrade(router).upgraded)
    }
    usleep(200_000)
    isOver.withLock { $0 = true }
    load.wait()
    #expect(strange.withLock { $0 } == [])
    struct Entry: Decodable { var version: Int, dtab: String }
    let page = try #require(try AdminPage.get(router, "/api/1/dtabs/edits/history?limit=1000"))
    let history = try JSONDecoder().decode([Entry].self, from: Data(page.utf8))
    let all = accepted.withLock { $0 }
    #expect(all.count > 20)
    #expect(history.first?.version == all.count)
    #expect(history.map(\.dtab) == all.suffix(history.count).reversed())
  }

  @Test("what only a start can change is changed: workers, the admin server; nobody who waits in a queue is lost")
  func otherConfiguration() throws {
    let router = try Router()
    let name = router.service(Backend())
    let original = router.configuration
    for workers in [1, 5, 2] {
      router.configuration = original.replacing("workers: 2", with: "workers: \(workers)")
      let isOver = Locked(false)
      let failures = Locked<[String]>([])
      let load = Load()
      for _ in 0..<4 {
        load.start {
          while !isOver.withLock({ $0 }) {
            let answer = try? router.get(name)
            if answer?.status != 200 { failures.withLock { $0.append("\(answer?.status ?? 0)") } }
          }
        }
      }
      usleep(200_000)
      #expect(try Self.upgrade(router).upgraded)
      usleep(300_000)
      isOver.withLock { $0 = true }
      load.wait()
      #expect(failures.withLock { $0 } == [])
      #expect((0..<6).count { router.threadCount("worker-\($0)") == 1 } == workers)
    }
  }

  @Test("names in use are known before callers are taken: nobody waits for a name server that takes its time")
  func namesInUse() throws {
    let (server, backend) = (DnsServer(), Backend())
    server.set("web.test", .aaaa, .nothing)
    server.set("web.test", .a, .addresses(["127.0.0.1"], ttl: 60))
    let router = try Router(
      dtab: "/svc/slow => /$/inet/web.test/\(backend.port)",
      top: "dns: {servers: [\"\(server.address)\"], timeoutMs: 300}")
    #expect(try router.get("slow")?.status == 200)
    for kind in [DnsServer.Kind.a, .aaaa] { server.set("web.test", kind, .silence) }
    let isOver = Locked(false)
    let longest = Locked(0.0)
    let failed = Locked<[String]>([])
    let load = Load()
    load.start {
      while !isOver.withLock({ $0 }) {
        let began = Date()
        let answer = try? router.get("slow")
        if answer?.status != 200 { failed.withLock { $0.append("\(answer?.head ?? "none")") } }
        let seconds = Date().timeIntervalSince(began)
        longest.withLock { $0 = max($0, seconds) }
      }
    }
    load.start {
      usleep(500_000)
      server.set("web.test", .aaaa, .nothing)
      server.set("web.test", .a, .addresses(["127.0.0.1"], ttl: 60))
    }
    let began = Date()
    #expect(try Self.upgrade(router).upgraded)
    #expect(Date().timeIntervalSince(began) > 0.5)
    usleep(500_000)
    isOver.withLock { $0 = true }
    load.wait()
    #expect(failed.withLock { $0.first } == nil)
    #expect(longest.withLock { $0 } < patience(0.8))
    withExtendedLifetime(backend) {}
  }

  @Test("SIGTERM to the one that drains gives its connections shutdownGraceMs, a second one no time at all")
  func ends() throws {
    let router = try Router(dtabStore: "{kind: io.l5d.dir, directory: $DIR/dtabs}")
    let chat = router.service(Self.webSocketBackend())
    router.configuration = router.configuration.replacing("shutdownGraceMs: 5000", with: "shutdownGraceMs: 1000")
    for count in 1...2 {
      let old = router.processID
      #expect(try Self.upgrade(router).upgraded)
      let socket = try #require(try Self.webSocket(router.port, chat))
      let next = router.processID
      #expect(try Self.upgrade(router).upgraded)
      let began = Date()
      for _ in 0..<count {
        kill(next, SIGTERM)
        usleep(200_000)
      }
      let end = socket.awaitEnd()
      let seconds = Date().timeIntervalSince(began)
      #expect(end != .timeout)
      #expect(count == 1 ? seconds > 0.9 && seconds < patience(4) : seconds < 0.9, "\(seconds)")
      wait { !Router.processes(in: router.directory).contains { [next, old].contains($0) } }
      #expect(Router.processes(in: router.directory) == [router.processID])
    }
  }

  @Test("who connects once an upgrade is said to be done comes to the new process")
  func accepts() throws {
    let router = try Router()
    router.service("web", ports: [AnyBackend(.h1).port])
    for _ in 0..<10 {
      let old = router.processID
      #expect(try Self.upgrade(router).upgraded)
      let sockets = try (0..<20).map { _ in try router.connect() }
      kill(old, SIGKILL)
      for socket in sockets {
        socket.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        #expect(socket.readResponse()?.status == 200)
      }
    }
  }

  @Test("TLS sessions are resumed by tickets of the process before")
  func tickets() throws {
    let tls = Certificates.shared.yaml("web").split(separator: "\n").map { "  \($0)\n" }.joined()
    let router = try Router(server: "tls:\n" + tls)
    let connect = "s_client -tls1_3 -connect 127.0.0.1:\(router.port) -ign_eof"
    let ticket = router.directory + "/ticket"
    let request = "GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n"
    #expect(Tool.openssl("\(connect) -sess_out \(ticket)", input: request).output.contains("New, "))
    for _ in 0..<2 {
      #expect(try Self.upgrade(router).upgraded)
      let again = Tool.openssl("\(connect) -sess_in \(ticket)", input: request).output
      #expect(again.contains("Reused, "), "\(again)")
    }
  }

  @Test("upgrades under HTTP/1, HTTP/2 and WebSockets: nothing fails and nothing is reset")
  func underLoad() throws {
    let router = try Router(top: "drainTimeoutMs: 20000")
    let name = router.service(Backend.echo(), Backend.echo())
    let chat = router.service(Self.webSocketBackend(), Self.webSocketBackend())
    let failures = Locked<[String]>([])
    let served = Locked([0, 0, 0])
    let end = Date(timeIntervalSinceNow: 8)
    let load = Load()
    for _ in 0..<3 {
      load.start {
        do {
          while Date() < end {
            let socket = try router.connect()
            while Date() < end {
              socket.send("POST /h1 HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 5\r\n\r\nhello")
              guard let answer = socket.readResponse(), answer.status == 200 else {
                return failures.withLock { $0.append("HTTP/1: no answer of 200") }
              }
              served.withLock { $0[0] += 1 }
              if answer["connection"] == "close" { break }
            }
          }
        } catch { failures.withLock { $0.append("HTTP/1: \(error)") } }
      }
    }
    for _ in 0..<2 {
      load.start {
        do {
          while Date() < end {
            let peer = try HTTP2Peer(connectingTo: router.port).settled()
            defer { peer.close() }
            while Date() < end, peer.goawayReceived == nil {
              for stream in (0..<4).compactMap({ _ in peer.open("GET /h2 HTTP/1.1\r\nHost: \(name)\r\n\r\n") }) {
                let message = stream.finished()
                guard message.status == 200, message.isComplete else {
                  return failures.withLock {
                    $0.append("HTTP/2: \(message.status) \(String(describing: message.closed))")
                  }
                }
                served.withLock { $0[1] += 1 }
              }
            }
          }
        } catch { failures.withLock { $0.append("HTTP/2: \(error)") } }
      }
      load.start {
        do {
          while Date() < end {
            guard let socket = try Self.webSocket(router.port, chat) else {
              return failures.withLock { $0.append("WebSocket: no 101") }
            }
            let leaves = min(end, Date(timeIntervalSinceNow: 3))
            while Date() < leaves {
              socket.send("message")
              guard socket.read(count: 7) == wire("message") else {
                return failures.withLock { $0.append("WebSocket: ended") }
              }
              served.withLock { $0[2] += 1 }
              usleep(2_000)
            }
          }
        } catch { failures.withLock { $0.append("WebSocket: \(error)") } }
      }
    }
    var count = 0
    while Date() < end.addingTimeInterval(-1) {
      usleep(400_000)
      router.signal(SIGHUP)
      usleep(400_000)
      #expect(try Self.upgrade(router).upgraded)
      count += 1
    }
    load.wait()
    let seen = failures.withLock { $0 }
    #expect(seen.isEmpty, "\(seen)")
    #expect(served.withLock { $0.allSatisfy { $0 > 100 } })
    #expect(count >= 4)
    #expect(router.isRunning)
    wait { Router.processes(in: router.directory).count == 1 }
    #expect(Router.processes(in: router.directory) == [router.processID])
  }
}

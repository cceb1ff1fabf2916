import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

/// Streams and connections that turn into something else, and how connections end.
@Suite("tunnels, upgrades and ends of HTTP/2 connections")
struct HTTP2TunnelTests {
  private static let webSocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
  /// RFC 6455 §1.3.
  private static let key = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

  /// Agrees to each upgrade and sends back what comes, with a mark.
  private func echo(_ wire: WireProtocol) -> Backend {
    switch wire {
    case .h1:
      return Backend { connection in
        guard let request = connection.request() else { return }
        guard request["sec-websocket-key"] != nil, request["upgrade"] == "websocket" else { return }
        connection.socket.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(Self.key.1)\r\n\r\n")
        while let bytes = connection.socket.receiveSome() { connection.socket.send([0x3e] + bytes) }
        connection.socket.finish()
      }
    case .h2:
      return HTTP2Backend { stream in
        guard stream.extendedProtocol else { return stream.answer("HTTP/1.1 400 Bad\r\n\r\n", "no") }
        stream.respond("HTTP/1.1 200 OK\r\n\r\n")
        var done = 0
        while true {
          let now = stream.wait { $0.bodyBytes > done || $0.hasEnded }
          if now.bodyBytes > done { stream.send([0x3e] + now.body[done...]) }
          done = now.bodyBytes
          if now.hasEnded || now.closed != nil { break }
        }
        stream.end()
      }.backend
    }
  }

  @Test("a WebSocket goes through every pairing", arguments: Pairing.all)
  func webSocket(_ pairing: Pairing) throws {
    let name = pairing.router.service(echo(pairing.backend))
    switch pairing.caller {
    case .h1:
      let socket = try pairing.router.connect()
      socket.send("GET /chat HTTP/1.1\r\nHost: \(name)\r\n\(Self.webSocket)Sec-WebSocket-Key: \(Self.key.0)\r\n\r\n")
      let answer = try #require(socket.readHead())
      #expect(answer.status == 101 && answer["upgrade"] == "websocket")
      #expect(answer["sec-websocket-accept"] == Self.key.1)
      socket.send("hello")
      #expect(socket.read(count: 6) == wire(">hello"))
      socket.finish()
      #expect(socket.awaitEnd() == .fin)
    case .h2:
      let caller = try HTTP2Peer(connectingTo: pairing.router.port).settled()
      defer { caller.close() }
      #expect(caller.takesExtendedConnect)
      let stream = caller.request(name, "GET", "/chat", fields: Self.webSocket, end: false, extended: true)
      #expect(stream.wait { $0.hasHead }.status == 200)
      #expect(stream.current["sec-websocket-accept"] == nil && stream.current["upgrade"] == nil)
      stream.send("hello")
      #expect(stream.wait { $0.bodyBytes == 6 }.bodyText == ">hello")
      stream.end()
      #expect(stream.finished().hasEnded)
    }
  }

  @Test("bytes behind an extended CONNECT wait for the backend's consent")
  func earlyBytes() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let seen = Locked("")
    let refusing = Backend { connection in
      while let request = connection.request() {
        seen.withLock { $0 += request.startLine + "\n" }
        usleep(100_000)
        connection.socket.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
      }
    }
    let name = router.service(refusing)
    let caller = try HTTP2Peer(connectingTo: router.port).settled()
    defer { caller.close() }
    let stream = caller.request(name, "GET", "/", fields: Self.webSocket, end: false, extended: true)
    stream.send("GET /smuggled HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(stream.gone().status == 403)
    #expect(caller.get(name, "/next").status == 403)
    #expect(!seen.withLock { $0 }.contains("smuggled"))
    // Where it agrees they go first.
    let second = caller.request(
      router.service(echo(.h1)), "GET", "/", fields: Self.webSocket, end: false, extended: true)
    second.send("early")
    #expect(second.wait { $0.bodyBytes == 6 }.bodyText == ">early")
  }

  @Test("an endpoint that takes no extended CONNECT is an error that says so, and costs no place on its connection")
  func notTaken() throws {
    let router = Pairing(caller: .h1, backend: .h2).router
    var settings = HTTP2Settings()
    settings.enableConnectProtocol = false
    let backend = HTTP2Backend(settings: settings) { $0.answer("HTTP/1.1 200 OK\r\n\r\n", "ok") }
    let name = router.service(backend.backend)
    for _ in 0..<150 {
      let socket = try router.connect()
      socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\(Self.webSocket)Sec-WebSocket-Key: \(Self.key.0)\r\n\r\n")
      let answer = try #require(socket.readResponse())
      #expect(answer.status == 502 && answer.reasonWord == "connect.no_tunnel")
    }
    #expect(try router.get(name)?.bodyText == "ok")
    #expect(backend.connections.count <= 2)
  }

  @Test("with client.protocol auto, an endpoint that takes no extended CONNECT is spoken to by HTTP/1 for a WebSocket")
  func fallsBack() throws {
    let router = try Router(router: "client: {protocol: auto}", server: "clearContext: false")
    var settings = HTTP2Settings()
    settings.enableConnectProtocol = false
    let settled = settings
    // Speaks what its caller does.
    let backend = Backend { connection in
      var first = [UInt8](repeating: 0, count: 3)
      recv(connection.socket.descriptor, &first, 3, Int32(MSG_PEEK | MSG_WAITALL))
      if first == Array("PRI".utf8) {
        let peer = HTTP2Peer(connection.socket, .server, settled) { $0.answer("HTTP/1.1 200 OK\r\n\r\n", "ok") }
        _ = peer.waitForEnd(seconds: 600)
      } else if let request = connection.request(), request["upgrade"] == "websocket" {
        connection.socket.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(Self.key.1)\r\n\r\n")
        while let bytes = connection.socket.receiveSome() { connection.socket.send([0x3e] + bytes) }
        connection.socket.finish()
      }
    }
    let name = router.service(backend)
    let caller = try HTTP2Peer(connectingTo: router.port).settled()
    defer { caller.close() }
    #expect(caller.get(name).bodyText == "ok")
    for _ in 0..<3 {
      let stream = caller.request(name, "GET", "/chat", fields: Self.webSocket, end: false, extended: true)
      #expect(stream.wait { $0.hasHead }.status == 200)
      stream.send("hello")
      #expect(stream.wait { $0.bodyBytes == 6 }.bodyText == ">hello")
      stream.end()
      #expect(stream.finished().hasEnded)
    }
    #expect(caller.get(name).bodyText == "ok")
  }

  @Test("CONNECT over HTTP/2 is a tunnel, for bytes that come at once as well")
  func connect() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let backend = Backend { connection in
      while let bytes = connection.socket.receiveSome() { connection.socket.send([0x3e] + bytes) }
      connection.socket.close()
    }
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    router.service("h2tunnel:443", ports: [backend.port])
    let stream = try #require(caller.open("CONNECT h2tunnel:443 HTTP/1.1\r\n\r\n", end: false))
    stream.send("early")
    #expect(stream.wait { $0.bodyBytes == 6 }.bodyText == ">early")
    #expect(stream.current.status == 200)
    stream.end()
    #expect(stream.finished().hasEnded)
  }

  // MARK: Upgrade: h2c

  @Test("Upgrade: h2c becomes HTTP/2 with the request as stream 1")
  func upgrade() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let name = router.service(Backend())
    let socket = try router.connect()
    socket.send(
      "GET / HTTP/1.1\r\nHost: \(name)\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    #expect(socket.readHead()?.startLine == "HTTP/1.1 101 Switching Protocols")
    let caller = HTTP2RawCaller(socket)
    let head = try #require(caller.next { $0.type == 1 })
    #expect(head.stream == 1)
    #expect(try #require(caller.next { $0.type == 0 }).payload == wire("ok"))
    caller.request(stream: 3, name)
    #expect(caller.next { $0.type == 1 }?.stream == 3)
  }

  @Test("a request with a body is served as HTTP/1.1 and not upgraded")
  func upgradeWithBody() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let socket = try router.connect()
    socket.send(
      "POST / HTTP/1.1\r\nHost: \(router.service(Backend()))\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 1\r\n\r\nx")
    #expect(socket.readResponse()?.startLine == "HTTP/1.1 200 OK")
  }

  // MARK: Ends

  @Test("on SIGTERM callers are told by GOAWAY, and their streams are served to the end")
  func drain() throws {
    let router = try Router()
    let go = Locked(false)
    let backend = Backend { connection in
      while connection.request() != nil {
        while !go.withLock({ $0 }) { usleep(10_000) }
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    let name = router.service(backend)
    let caller = try HTTP2Peer(connectingTo: router.port)
    let idle = try HTTP2Peer(connectingTo: router.port).settled()
    let streams = (0..<5).map { _ in caller.request(name) }
    usleep(200_000)
    router.signal(SIGTERM)
    #expect(caller.waitForGoaway() == .noError)
    #expect(idle.waitForEnd() && idle.goawayReceived?.code == .noError)
    go.withLock { $0 = true }
    #expect(streams.allSatisfy { $0.finished().bodyText == "ok" })
    #expect(caller.waitForEnd())
    #expect(router.waitForExit(milliseconds: patience(5_000)) == 0)
  }

  @Test("idle connections end on both sides: callers' with GOAWAY")
  func idle() throws {
    let router = try Router(
      router: "client: {protocol: h2, clientSession: {idleTimeMs: 500}}", server: "serverSession: {idleTimeMs: 500}")
    let backend = HTTP2Backend()
    let caller = try HTTP2Peer(connectingTo: router.port)
    #expect(caller.get(router.service(backend.backend)).bodyText == "ok")
    #expect(caller.waitForEnd(seconds: patience(5)) && caller.goawayReceived?.code == .noError)
    #expect(backend.connections.first?.waitForEnd(seconds: patience(5)) == true)
  }

  @Test("an endpoint that answers no PING is given up, and what may be sent again goes to a new connection")
  func keepAlive() throws {
    let router = try Router(
      router: "client: {protocol: h2, clientSession: {keepAliveMs: 300, keepAliveTimeoutMs: 300}}")
    // The first connection says nothing but its settings.
    let backend = Backend { connection in
      if connection.index == 0 {
        connection.socket.send(HTTP2RawCaller.frame(4))
        _ = connection.socket.awaitEnd()
        return
      }
      let caller = HTTP2RawCaller(connection.socket, preface: false)
      connection.socket.send(HTTP2RawCaller.frame(4))
      guard connection.socket.read(count: 24).count == 24 else { return }
      while let frame = caller.next() {
        if frame.type == 1 { caller.send(1, 0x5, frame.stream, payload: [0x88]) }
        if frame.type == 6 && frame.flags == 0 { caller.send(6, 1, payload: frame.payload) }
      }
    }
    #expect(try router.get(router.service(backend))?.status == 200)
    #expect(backend.connectionCount == 2)
    #expect(try AdminPage.sum(router, "meshrouter_client_dead_connections_total") == 1)
  }

  @Test("what was counted adds up, and nothing is left over")
  func statistics() throws {
    let router = try Router(
      router: "client: {protocol: h2}\nhttpAccessLog: \(NSTemporaryDirectory())h2-access-\(getpid())")
    let backend = HTTP2Backend { stream in
      stream.finished()
      if stream.id % 8 == 3 { return stream.reset(.internalError) }
      if stream.id % 8 == 5 { return }
      stream.answer("HTTP/1.1 200 OK\r\n\r\n", "ok")
    }
    let name = router.service(backend.backend)
    let caller = try HTTP2Peer(connectingTo: router.port)
    let streams = (0..<60).map { _ in caller.request(name) }
    _ = caller.get("nowhere")
    usleep(300_000)
    caller.close()
    _ = caller.waitForEnd()
    var pending = -1
    for _ in 0..<patience(100) where pending != 0 {
      usleep(50_000)
      pending =
        try AdminPage.sum(router, "meshrouter_server_in_flight") + AdminPage.sum(router, "meshrouter_client_in_flight")
        + AdminPage.sum(router, "meshrouter_server_streams") + AdminPage.sum(router, "meshrouter_client_streams")
        + AdminPage.sum(router, "meshrouter_server_connections")
    }
    #expect(pending == 0)
    let all = try AdminPage.sum(router, "meshrouter_server_requests_total")
    #expect(all == streams.count + 1)
    let good = streams.count { $0.current.status == 200 }
    #expect(try AdminPage.sum(router, "meshrouter_server_requests_total", "status=\"2xx\"") == good)
    #expect(try AdminPage.sum(router, "meshrouter_server_requests_total", "relay.reset_by_client") > 0)
    #expect(
      try AdminPage.sum(router, "meshrouter_client_stream_resets_total", "by=\"endpoint\",code=\"INTERNAL_ERROR\"") > 0)
    #expect(try AdminPage.sum(router, "meshrouter_client_stream_resets_total", "by=\"router\",code=\"CANCEL\"") > 0)
    let path = "\(NSTemporaryDirectory())h2-access-\(getpid())"
    defer { unlink(path) }
    let log = try String(contentsOfFile: path, encoding: .utf8)
    #expect(log.contains("\"GET / HTTP/2.0\" 200 "))
  }
}

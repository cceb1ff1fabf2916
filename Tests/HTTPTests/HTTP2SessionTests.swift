import HTTP
import MeshBase
import Testing

@Suite("HTTP/2 sessions")
struct HTTP2SessionTests {
  static let get = "GET /a?b HTTP/1.1\r\nHost: web\r\nAccept: */*\r\n\r\n"
  static let post = "POST /p HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"
  static let ok = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"

  @Test("a request without body and its answer cross as HTTP/1 text")
  func exchange() {
    var pair = HTTP2Pair()
    let asked = pair.client.request(Self.get)
    pair.settle()
    let got = pair.server.streams[0]
    #expect(got.head == "GET /a?b HTTP/1.1\r\nHost: web\r\naccept: */*\r\n\r\n")
    #expect(got.hasEnded && got.remoteEnded && got.id == 1)
    #expect(ParsedRequest(got.head).result == .complete)
    pair.server.respond(got, "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")
    pair.settle()
    #expect(asked.head == "HTTP/1.1 204 \r\nx-a: b\r\n\r\n")
    #expect(asked.hasEnded)
    #expect(asked.closedWith == [.noError] && got.closedWith == [.noError])
    #expect(pair.client.session.streamCount == 0 && pair.server.session.streamCount == 0)
    #expect(pair.client.failure == nil && pair.server.failure == nil)
    #expect(pair.server.session.prefaceReceived && pair.client.settingsCount == 1)
    #expect(pair.client.session.peerMaxConcurrentStreams == 1_000 && pair.client.session.peerTakesExtendedConnect)
  }

  @Test("lines that concern an HTTP/1 connection stay behind, TE only as trailers")
  func hopByHop() {
    var pair = HTTP2Pair()
    _ = pair.client.request(
      "GET / HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, Upgrade\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n"
        + "Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nTE: gzip, trailers\r\nX-Kept: 1\r\n\r\n")
    _ = pair.client.request("GET / HTTP/1.1\r\nHost: web\r\nTE: gzip\r\n\r\n")
    pair.settle()
    #expect(pair.server.streams[0].head == "GET / HTTP/1.1\r\nHost: web\r\nte: trailers\r\nx-kept: 1\r\n\r\n")
    #expect(pair.server.streams[1].head == "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
  }

  @Test("Content-Length is kept, its lack shows as chunked")
  func framing() {
    var pair = HTTP2Pair()
    let asked = pair.client.request("POST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\n", end: false)
    pair.client.send(asked, bytes("abc"))
    pair.client.end(asked)
    let chunked = pair.client.request(Self.post, end: false)
    pair.settle()
    #expect(ParsedRequest(pair.server.streams[0].head).head.framing == .length(3))
    #expect(pair.server.streams[0].body == bytes("abc") && pair.server.streams[0].hasEnded)
    #expect(ParsedRequest(pair.server.streams[1].head).head.framing == .chunked)
    #expect(!pair.server.streams[1].hasEnded)
    pair.server.respond(pair.server.streams[0], Self.ok, end: false)
    pair.server.respond(pair.server.streams[1], "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", end: false)
    pair.settle()
    #expect(ParsedResponse(asked.head).head.framing == .chunked)
    #expect(ParsedResponse(chunked.head).head.framing == .length(1))
  }

  @Test("bodies, informational heads and trailers cross both ways, whatever the pieces", arguments: 0..<24)
  func bodies(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var pair = HTTP2Pair()
    let pieces = [1, 7, 100, 5_000, 70_000][seed % 5]
    let count = 1 + Int(random.next() % 4)
    var bodies: [[UInt8]] = []
    var streams: [RecordedStream] = []
    for index in 0..<count {
      let size = [0, 1, 100, 16_384, 70_000, 150_000][Int(random.next() % (pieces < 100 ? 3 : 6))]
      let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) }
      bodies.append(body)
      let stream = pair.client.request(Self.post, end: false)
      streams.append(stream)
      pair.client.send(stream, body)
      pair.client.end(stream, trailers: index % 2 == 0 ? "X-Sum: \(size)\r\nConnection: x\r\n" : nil)
    }
    pair.server.onHead = { [server = pair.server] stream in
      let early = bytes("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
      #expect(early.withUnsafeBytes { server.session.submitInformational(stream, head: $0) })
    }
    pair.server.onEnd = { [server = pair.server] stream in
      server.respond(stream, Self.ok, end: false)
      server.send(stream, stream.body)
      server.end(stream, trailers: "grpc-status: 0\r\n")
    }
    pair.settle(&random, pieces: pieces)
    for (index, stream) in streams.enumerated() {
      let got = pair.server.streams[index]
      #expect(got.body == bodies[index], "seed \(seed)")
      #expect(got.trailers == (index % 2 == 0 ? "x-sum: \(bodies[index].count)\r\n" : nil), "seed \(seed)")
      #expect(stream.body == bodies[index], "seed \(seed)")
      #expect(stream.trailers == "grpc-status: 0\r\n", "seed \(seed)")
      #expect(stream.informational == ["HTTP/1.1 103 \r\nlink: </a>\r\n\r\n"], "seed \(seed)")
      #expect(stream.closedWith == [.noError] && got.closedWith == [.noError], "seed \(seed)")
    }
    #expect(pair.client.buffersOut == 0 && pair.server.buffersOut == 0, "seed \(seed)")
    #expect(pair.server.session.unconsumedBytes == 0 && pair.client.session.unconsumedBytes == 0, "seed \(seed)")
    #expect(pair.client.failure == nil && pair.server.failure == nil, "seed \(seed)")
  }

  @Test("cookies are split on the way and joined at the far end")
  func cookies() {
    var pair = HTTP2Pair()
    let cookie = "session=0123456789abcdef0123; theme=dark; a=b; c"
    _ = pair.client.request("GET / HTTP/1.1\r\nHost: web\r\nCookie: \(cookie)\r\nX-After: 1\r\n\r\n")
    _ = pair.client.request("GET / HTTP/1.1\r\nHost: web\r\nCookie: a=1; b=2\r\nCookie: ;; x;y;  z; \r\n\r\n")
    pair.settle()
    #expect(pair.server.streams[0].head == "GET / HTTP/1.1\r\nHost: web\r\nx-after: 1\r\nCookie: \(cookie)\r\n\r\n")
    #expect(
      pair.server.streams[1].head == "GET / HTTP/1.1\r\nHost: web\r\nCookie: a=1; b=2; ;; x;y;  z;\r\n\r\n")
  }

  @Test("CONNECT, extended CONNECT and OPTIONS * keep their form")
  func targets() {
    var pair = HTTP2Pair()
    pair.settle()
    let tunnel = pair.client.request("CONNECT web:443 HTTP/1.1\r\nHost: web:443\r\n\r\n", end: false)
    let socket = pair.client.request(
      "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\n\r\n", end: false, extended: true)
    _ = pair.client.request("OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n")
    pair.settle()
    let seen = pair.server.streams
    #expect(seen[0].head == "CONNECT web:443 HTTP/1.1\r\nHost: web:443\r\n\r\n")
    #expect(ParsedRequest(seen[0].head).result == .complete)
    #expect(
      seen[1].head
        == "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "sec-websocket-version: 13\r\n\r\n")
    #expect(seen[1].extendedProtocol && !seen[0].extendedProtocol)
    #expect(ParsedRequest(seen[1].head).head.wantsUpgrade)
    #expect(seen[2].head == "OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n")
    for (index, stream) in [tunnel, socket].enumerated() {
      pair.server.respond(seen[index], Self.ok, end: false)
      pair.client.send(stream, bytes("up"))
      pair.server.send(seen[index], bytes("down"))
      pair.settle()
      #expect(seen[index].body == bytes("up") && stream.body == bytes("down"))
    }
  }

  @Test("a reset reaches the other side with its code and closes once on both")
  func resets() {
    var pair = HTTP2Pair()
    let first = pair.client.request(Self.post, end: false)
    let second = pair.client.request(Self.post, end: false)
    pair.client.send(first, bytes("abc"))
    pair.settle()
    pair.server.session.reset(pair.server.streams[0], code: .refusedStream)
    pair.client.session.reset(second, code: .cancel)
    pair.client.send(second, bytes("never"))
    pair.settle()
    #expect(first.closedWith == [.refusedStream] && second.closedWith == [.cancel])
    #expect(pair.server.streams[0].closedWith == [.refusedStream])
    #expect(pair.server.streams[1].closedWith == [.cancel] && pair.server.streams[1].body.isEmpty)
    #expect(!first.isOpen)
    // Late calls do nothing.
    pair.client.send(first, bytes("late"))
    pair.client.end(first)
    pair.client.session.reset(first, code: .cancel)
    pair.settle()
    #expect(first.closedWith.count == 1 && pair.client.failure == nil && pair.server.failure == nil)
  }

  @Test("a stream object serves again after its close")
  func reuse() {
    var pair = HTTP2Pair()
    let stream = pair.client.request(Self.get)
    pair.client.session.reset(stream, code: .cancel)
    pair.settle()
    #expect(stream.closedWith == [.cancel])
    let refusal = bytes(Self.get).withUnsafeBytes {
      pair.client.session.submitRequest(stream, head: $0, isHTTPS: true, end: true)
    }
    #expect(refusal == nil && stream.id == 3 && !stream.isReset)
    pair.settle()
    #expect(pair.server.streams.last?.schemeIsHTTPS == true)
  }

  @Test("a stream that nobody reads holds its window, its neighbour goes on")
  func unreadStream() {
    var pair = HTTP2Pair()
    pair.server.consumes = false
    pair.server.onData = { [server = pair.server] stream in
      if stream.id != 1 { server.session.consumed(stream, stream.unconsumedBytes) }
    }
    let stuck = pair.client.request(Self.post, end: false)
    let free = pair.client.request(Self.post, end: false)
    let body = [UInt8](repeating: 1, count: 8 << 20)
    pair.client.send(stuck, body)
    pair.client.end(stuck)
    pair.client.send(free, body)
    pair.client.end(free)
    pair.settle()
    #expect(pair.server.streams[0].body.count == 65_536 && !pair.server.streams[0].hasEnded)
    #expect(pair.server.streams[1].body.count == body.count && pair.server.streams[1].hasEnded)
    #expect(stuck.queuedBytes == body.count - 65_536)
    pair.server.session.consumed(pair.server.streams[0], 40_000)
    pair.settle()
    #expect(pair.server.streams[0].body.count == 65_536 + 40_000)
  }

  @Test("beyond its budget of unread bytes a connection gives no more credit until some are taken")
  func connectionBudget() {
    var settings = HTTP2Settings()
    settings.receiveBufferBytesMax = 200_000
    settings.connectionWindowBytes = 100_000
    var pair = HTTP2Pair(server: settings)
    pair.server.consumes = false
    let body = [UInt8](repeating: 1, count: 65_536)
    for _ in 0..<10 { pair.client.send(pair.client.request(Self.post, end: false), body) }
    pair.settle()
    let held = pair.server.session.unconsumedBytes
    #expect(held >= 200_000 && held <= 300_000)
    for stream in pair.server.streams { pair.server.session.consumed(stream, stream.unconsumedBytes) }
    pair.settle()
    for stream in pair.server.streams { pair.server.session.consumed(stream, stream.unconsumedBytes) }
    pair.settle()
    #expect(pair.server.streams.allSatisfy { $0.body.count == 65_536 })
    // A stream that closes gives up what it held.
    pair.server.session.reset(pair.server.streams[0], code: .cancel)
    pair.settle()
    for stream in pair.server.streams where stream.isOpen {
      pair.server.session.consumed(stream, stream.unconsumedBytes)
    }
    #expect(pair.server.session.unconsumedBytes == 0)
  }

  @Test("an owner hears once that its queue has fallen")
  func drained() {
    var pair = HTTP2Pair()
    let stream = pair.client.request(Self.post, end: false)
    pair.client.send(stream, bytes("few"))
    pair.settle()
    #expect(stream.drained == 0)
    pair.client.send(stream, [UInt8](repeating: 1, count: 50_000))
    pair.settle()
    #expect(stream.drained == 1 && stream.queuedBytes == 0 && pair.client.buffersOut == 0)
    var left = 20
    pair.client.onDrained = { [client = pair.client] stream in
      left -= 1
      if left > 0 { client.send(stream, [UInt8](repeating: 2, count: 30_000)) } else { client.end(stream) }
    }
    pair.client.send(stream, [UInt8](repeating: 2, count: 30_000))
    pair.settle()
    #expect(left == 0 && pair.server.streams[0].body.count == 3 + 50_000 + 20 * 30_000)
    #expect(pair.server.streams[0].hasEnded)
  }

  @Test("no more streams than the peer allows, and none after its GOAWAY")
  func slots() {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = 2
    var pair = HTTP2Pair(server: settings)
    pair.settle()
    let first = pair.client.request(Self.get)
    _ = pair.client.request(Self.get)
    let third = RecordedStream()
    func submit() -> HTTP2Refusal? {
      bytes(Self.get).withUnsafeBytes {
        pair.client.session.submitRequest(third, head: $0, isHTTPS: false, end: true)
      }
    }
    #expect(submit() == .noSlot && !pair.client.session.canOpenStream)
    pair.settle()
    pair.server.respond(pair.server.streams[0], Self.ok)
    pair.settle()
    #expect(first.closedWith == [.noError] && submit() == nil)
    pair.server.session.shutdownNotice()
    pair.settle()
    #expect(pair.client.goaways.map(\.last) == [Int32.max])
    #expect(submit2(pair.client) == .goingAway)
    pair.server.session.goaway(code: .noError)
    pair.settle()
    #expect(pair.client.goaways.map(\.last) == [Int32.max, 5])
    for stream in pair.server.streams where stream.isOpen { pair.server.respond(stream, Self.ok) }
    pair.settle()
    #expect(third.closedWith == [.noError])
    #expect(pair.client.session.isFinished && pair.server.session.isFinished)
  }

  private func submit2(_ end: HTTP2End) -> HTTP2Refusal? {
    bytes(Self.get).withUnsafeBytes {
      end.session.submitRequest(RecordedStream(), head: $0, isHTTPS: false, end: true)
    }
  }

  @Test("streams that a GOAWAY leaves out close as refused, before or after their head went out")
  func goawayLeavesOut() {
    var pair = HTTP2Pair()
    pair.settle()
    let sent = pair.client.request(Self.post, end: false)
    let first = pair.client.output()
    pair.server.session.goaway(code: .noError)
    let unsent = pair.client.request(Self.get)
    pair.client.receive(pair.server.output())
    #expect(sent.closedWith == [.refusedStream])
    _ = pair.client.output()
    #expect(unsent.closedWith == [.refusedStream])
    #expect(pair.client.session.streamCount == 0 && !first.isEmpty)
  }

  @Test("a PING comes back with its payload")
  func ping() {
    var pair = HTTP2Pair()
    pair.client.session.ping(0x0102_0304_0506_0708)
    pair.server.session.ping(7)
    pair.settle()
    #expect(pair.client.pings == [0x0102_0304_0506_0708] && pair.server.pings == [7])
  }

  @Test("what is open when the connection goes is closed once")
  func abandoned() {
    var pair = HTTP2Pair()
    let first = pair.client.request(Self.post, end: false)
    let second = pair.client.request(Self.get)
    pair.settle()
    pair.client.send(first, bytes("abc"))
    pair.client.session.abandon(code: .cancel)
    #expect(first.closedWith == [.cancel] && second.closedWith == [.cancel] && pair.client.buffersOut == 0)
    #expect(pair.client.session.isFinished && submit2(pair.client) == .goingAway)
    pair.client.session.reset(first, code: .cancel)
    #expect(pair.client.output().isEmpty)
  }

  @Test("a client that is none is told so")
  func badPreface() {
    let server = HTTP2End(.server)
    server.receive(bytes("GET / HTTP/1.1\r\nHost: web\r\n\r\n"))
    #expect(server.failure?.code == .protocolError)
    let output = server.output()
    #expect(output.suffix(17).prefix(9).elementsEqual([0, 0, 8, 7, 0, 0, 0, 0, 0]), "GOAWAY ends \(output)")
    #expect(server.session.isFinished && !server.session.prefaceReceived)
  }

  @Test("heads that are not well-formed are not sent")
  func badHeads() {
    var pair = HTTP2Pair()
    let stream = RecordedStream()
    let heads = [
      "", "GET", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\r\n", "GET / HTTP/1.1\r\nA: b\nc: d\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n",
      "GET / HTTP/1.1\r\nA\r\n\r\n", "GET / HTTP/1.1\r\nA: b\u{0}\r\n\r\n",
    ]
    for head in heads {
      let refusal = bytes(head).withUnsafeBytes {
        pair.client.session.submitRequest(stream, head: $0, isHTTPS: false, end: true)
      }
      #expect(refusal == .badHead, "\(head)")
    }
    let asked = pair.client.request(Self.get)
    pair.settle()
    let got = pair.server.streams[0]
    for head in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 \r\n\r\n", "HTTP/1.1 xyz \r\n\r\n"] {
      #expect(!pair.server.respond(got, head), "\(head)")
    }
    pair.server.respond(got, Self.ok, end: false)
    #expect(!pair.server.end(got, trailers: "bad line\r\n"))
    pair.settle()
    #expect(asked.closedWith == [.internalError])
  }
}

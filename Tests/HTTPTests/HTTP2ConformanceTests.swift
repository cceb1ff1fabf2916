import HTTP
import HTTP2Cases
import Testing

/// What RFC 9113 and RFC 7541 ask of a server for frames that a client should not send, case by case.
@Suite("HTTP/2 conformance")
struct HTTP2ConformanceTests {
  typealias Answer = HTTP2Conformance.Answer
  typealias Case = HTTP2Conformance.Case
  static let get = HTTP2Conformance.get
  static func with(_ fields: [(String, String)]) -> [UInt8] { HTTP2Conformance.with(fields) }

  @Test("the answer is the RFC's", arguments: HTTP2Conformance.all)
  func answer(_ item: Case) {
    for pieces in [Int.max, 1] {
      let client = RawClient()
      let all = item.frames.flatMap(\.bytes)
      if pieces == 1 { for byte in all { client.send(bytes: [byte]) } } else { client.send(bytes: all) }
      let bad = client.frames.filter { $0.type == 3 || $0.type == 7 }
      if item.answers == [.fine] {
        #expect(bad.isEmpty)
        client.send(headers(101, Self.get))
        #expect(client.server.streams.last?.id == 101 && client.server.failure == nil)
        continue
      }
      let given = bad.map { frame -> Answer in
        frame.type == 7 ? .connection(frame.code ?? .noError) : .stream(frame.stream, frame.code ?? .noError)
      }
      #expect(given.contains { item.answers.contains($0) }, "got \(given)")
      if case .connection(let code)? = given.first(where: { item.answers.contains($0) }) {
        #expect(client.server.session.failure?.code == code)
        #expect(!client.server.session.wantsRead)
      }
    }
  }

  @Test(
    "a malformed request never reaches the owner", arguments: HTTP2Conformance.messages.filter { $0.answers != [.fine] }
  )
  func unseen(_ item: Case) {
    if item.frames.count > 1 { return }
    #expect(RawClient().send(item.frames).heads.isEmpty)
  }

  @Test("what passes as a request parses as HTTP/1 to the same request")
  func parses() {
    let client = RawClient()
    client.send(
      headers(1, block([(":method", "GET"), (":path", "/a?b=c"), (":scheme", "https"), (":authority", "web:8443")])),
      headers(
        3, block(postFields + [("content-length", "4"), ("expect", "100-continue"), ("te", "trailers")]), end: false),
      headers(5, block([(":method", "CONNECT"), (":authority", "web:443")]), end: false),
      headers(7, block([(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), ("host", "web")])))
    let parsed = client.heads.map { ParsedRequest($0) }
    #expect(parsed.allSatisfy { $0.result == .complete })
    #expect(parsed[0].text(parsed[0].head.target) == "/a?b=c" && parsed[0].text(parsed[0].head.host) == "web:8443")
    #expect(client.server.streams[0].schemeIsHTTPS && !client.server.streams[1].schemeIsHTTPS)
    #expect(parsed[1].head.framing == .length(4) && parsed[1].head.expectsContinue && parsed[1].head.acceptsTrailers)
    #expect(parsed[2].head.method == .connect && parsed[2].head.framing == .none)
    #expect(parsed[3].head.targetForm == .asterisk)
  }

  @Test("cookie crumbs become one line")
  func crumbs() {
    let client = RawClient()
    client.send(headers(1, Self.with([("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])))
    #expect(client.heads == ["GET / HTTP/1.1\r\nHost: web\r\nx: y\r\nCookie: a=1; b=2\r\n\r\n"])
  }

  @Test("a PING is answered with its payload, SETTINGS with an acknowledgement")
  func answers() {
    let client = RawClient()
    client.send(RawFrame(type: 6, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
    #expect(client.frames == [RawFrame(type: 6, flags: 1, payload: [1, 2, 3, 4, 5, 6, 7, 8])])
    client.server.receive(settingsFrame((4, 100)).bytes)
    #expect(RawFrame.all(client.server.output()) == [RawFrame(type: 4, flags: 1)])
  }

  @Test("a changed initial window moves open streams, below zero too (RFC 9113 §6.9.2)")
  func windowsFollowSettings() {
    let client = RawClient()
    client.send(settingsFrame((4, 3)), headers(1, Self.get))
    client.server.respond(client.server.streams[0], "HTTP/1.1 200 \r\n\r\n", end: false)
    client.server.send(client.server.streams[0], bytes("abcdefgh"))
    client.server.end(client.server.streams[0])
    func sent() -> [UInt8] { client.frames.filter { $0.type == 0 }.flatMap(\.payload) }
    client.send()
    #expect(sent() == bytes("abc"))
    client.send(settingsFrame((4, 2)))
    client.send(windowUpdate(1, 1))
    #expect(sent() == bytes("abc"))
    client.send(windowUpdate(1, 1))
    #expect(sent() == bytes("abcd"))
    client.send(settingsFrame((4, 100)))
    #expect(sent() == bytes("abcdefgh") && client.frames.last?.flags == 1)
  }

  @Test("a server's first frame announces what it takes")
  func announced() {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = 77
    settings.headerTableBytes = 8_192
    settings.maxFrameBytes = 32_768
    settings.maxHeaderListBytes = 10_000
    let client = RawClient(settings, handshake: false)
    let frames = RawFrame.all(client.server.output())
    #expect(
      frames[0]
        == settingsFrame((3, 77), (8, 1), (4, 65_536), (5, 32_768), (1, 8_192), (6, 10_000), (9, 1)))
    #expect(frames[1] == windowUpdate(0, UInt32(settings.connectionWindowBytes) - 65_535))
  }

  @Test("h2c by Upgrade makes the request stream 1")
  func upgrade() {
    let client = RawClient(handshake: false)
    let stream = RecordedStream()
    #expect(!bytes("AAM").withUnsafeBytes { client.server.session.upgrade(stream, settings: $0, isHead: false) })
    #expect(!bytes("AA*A").withUnsafeBytes { client.server.session.upgrade(stream, settings: $0, isHead: false) })
    // MAX_CONCURRENT_STREAMS 100.
    #expect(bytes("AAMAAABk").withUnsafeBytes { client.server.session.upgrade(stream, settings: $0, isHead: false) })
    client.server.respond(stream, "HTTP/1.1 200 \r\n\r\n")
    client.send(bytes: RawClient.preface + settingsFrame().bytes)
    #expect(client.frames.contains { $0.type == 1 && $0.stream == 1 && $0.flags == 5 })
    #expect(stream.closedWith == [.noError])
  }
}

import MeshBase
import Testing

@testable import HTTP

@Suite("Parked HTTP/2 sessions")
struct HTTP2ParkingTests {
  private static let canPark = HTTP2Library.hasArenas
  private static let head = "GET /a HTTP/1.1\r\nHost: web\r\nX-Tag: 0123456789-0123456789-0123456789\r\n\r\n"

  /// A client and a server that have exchanged a request and its answer.
  private func usedPair() -> HTTP2Pair {
    var pair = HTTP2Pair()
    exchange(&pair)
    return pair
  }

  private func exchange(_ pair: inout HTTP2Pair) {
    let asked = pair.client.request(Self.head)
    pair.settle()
    let got = pair.server.streams[pair.server.streams.count - 1]
    #expect(got.head.hasPrefix("GET /a HTTP/1.1\r\nHost: web\r\nx-tag: 0123456789"))
    pair.server.respond(got, HTTP2SessionTests.ok, end: false)
    pair.server.send(got, [UInt8](repeating: 0x61, count: 3_000))
    pair.server.end(got)
    pair.settle()
    #expect(asked.head == "HTTP/1.1 200 \r\nserver: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    #expect(asked.body.count == 3_000 && asked.closedWith == [.noError])
  }

  private func isParked(_ pair: HTTP2Pair) -> [Bool] { [pair.client.session.isParked, pair.server.session.isParked] }

  @Test("a session that was not used between two looks is parked, and goes on where it was")
  func goesOn() {
    var pair = usedPair()
    for _ in 0..<5 {
      pair.client.look()
      #expect(!pair.client.session.isParked)
      pair.client.rest()
      pair.server.rest()
      #expect(isParked(pair) == [Self.canPark, Self.canPark])
      pair.client.rest()
      exchange(&pair)
      #expect(isParked(pair) == [false, false])
    }
    #expect(pair.client.failure == nil && pair.server.failure == nil)
    #expect(pair.server.session.wantsRead && !pair.server.session.wantsWrite)
  }

  @Test("what was said before still compresses what is said after")
  func compression() {
    var pair = HTTP2Pair()
    _ = pair.client.request(Self.head)
    let first = pair.client.output()
    pair.server.receive(first)
    pair.settle()
    pair.client.rest()
    pair.server.rest()
    _ = pair.client.request(Self.head)
    let second = pair.client.output()
    #expect(second.count < 20 && first.count > 50)
    pair.server.receive(second)
    #expect(pair.server.streams[1].head == pair.server.streams[0].head)
  }

  @Test("open streams, a frame that came in half, and windows outlast it")
  func openStreams() {
    var pair = usedPair()
    let asked = pair.client.request(HTTP2SessionTests.post, end: false)
    pair.settle()
    let got = pair.server.streams[1]
    pair.client.send(asked, bytes("first second"))
    let frame = pair.client.output()
    for (index, byte) in frame.enumerated() {
      pair.server.rest()
      pair.server.receive([byte], at: UInt64(index))
    }
    pair.client.rest()
    pair.server.rest()
    #expect(isParked(pair) == [Self.canPark, Self.canPark])
    #expect(got.body == bytes("first second"))
    pair.client.end(asked)
    pair.settle()
    #expect(got.remoteEnded && got.closedWith.isEmpty)
    pair.client.rest()
    pair.client.session.reset(asked, code: .cancel)
    pair.settle()
    #expect(got.closedWith == [.cancel] && asked.closedWith == [.cancel])
  }

  @Test("a session with something to say, or that has failed, is not parked")
  func notParked() {
    let pair = usedPair()
    _ = pair.client.request(Self.head)
    pair.client.rest()
    #expect(!pair.client.session.isParked)
    // Half of a large head has been written.
    let long = HTTP2End(.client)
    _ = long.output()
    _ = long.request("GET /a HTTP/1.1\r\nHost: web\r\nX-Long: \(String(repeating: "~", count: 40_000))\r\n\r\n")
    let buffer = ByteBuffer()
    #expect(long.session.takeOutput(into: buffer, upTo: 1))
    long.rest()
    #expect(!long.session.isParked)
    while long.session.takeOutput(into: buffer, upTo: buffer.count + 1) { long.rest() }
    #expect(buffer.count > 40_000)
    long.rest()
    #expect(long.session.isParked == Self.canPark)
    pair.server.receive([0, 0, 1, 6, 0, 0, 0, 0, 0, 0])
    pair.server.rest()
    #expect(!pair.server.session.isParked)
    _ = pair.server.output()
    pair.server.rest()
    #expect(!pair.server.session.isParked && pair.server.session.failure != nil)
  }

  @Test("tables that have outgrown the arena come along")
  func large() {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = 1_000
    var pair = HTTP2Pair(server: settings)
    pair.settle()
    let asked = (0..<900).map { pair.client.request("GET /\($0) HTTP/1.1\r\nHost: web\r\n\r\n") }
    pair.settle()
    for round in 0..<3 {
      pair.client.rest()
      pair.server.rest()
      #expect(isParked(pair) == [Self.canPark, Self.canPark])
      for index in stride(from: round, to: 900, by: 3) {
        pair.server.respond(pair.server.streams[index], "HTTP/1.1 200 OK\r\nX-Index: \(index)\r\n\r\n")
      }
      pair.settle()
    }
    for (index, stream) in asked.enumerated() {
      #expect(stream.head == "HTTP/1.1 200 \r\nx-index: \(index)\r\n\r\n" && stream.closedWith == [.noError])
    }
  }

  @Test("sessions go while they are parked, and others take their places")
  func churn() {
    var random = SeededRandom(seed: 7)
    var pairs: [HTTP2Pair] = []
    for _ in 0..<200 {
      if pairs.count > 20 { pairs.remove(at: Int(random.next() % UInt64(pairs.count))) }
      pairs.append(usedPair())
      let index = Int(random.next() % UInt64(pairs.count))
      pairs[index].client.rest()
      pairs[index].server.rest()
      exchange(&pairs[Int(random.next() % UInt64(pairs.count))])
    }
  }
}

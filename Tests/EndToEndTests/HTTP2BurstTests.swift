import Foundation
import HTTP
import Testing

@Suite("bursts of requests over HTTP/2")
struct HTTP2BurstTests {
  /// A caller that has sent so many requests in one write.
  private func burst(_ router: Router, _ name: String, _ count: Int, reset: Bool = false) throws -> HTTP2RawCaller {
    let caller = HTTP2RawCaller(try router.connect())
    var bytes: [UInt8] = []
    for n in 0..<count {
      bytes += HTTP2RawCaller.frame(1, 0x5, 2 * n + 1, payload: HTTP2RawCaller.head(name))
      if reset { bytes += HTTP2RawCaller.frame(3, 0, 2 * n + 1, payload: HTTP2RawCaller.number(8, 4)) }
    }
    caller.socket.send(bytes)
    return caller
  }

  /// How many of them were answered with 200, and with something else.
  private func answers(_ caller: HTTP2RawCaller, _ count: Int) -> (good: Int, other: Int) {
    var (good, other) = (0, 0)
    while good + other < count, let frame = caller.next({ $0.type == 1 || $0.type == 3 }) {
      // `:status: 200` is one byte of HPACK.
      if frame.type == 1 && frame.payload.first == 0x88 { good += 1 } else { other += 1 }
    }
    return (good, other)
  }

  /// Answers each request so much later, and takes so many at once.
  private func backend(streams: Int, microseconds: UInt32) -> HTTP2Backend {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = streams
    return HTTP2Backend(settings: settings) { stream in
      stream.finished()
      usleep(microseconds)
      stream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "ok")
    }
  }

  @Test("requests that come at once wait for the first connection, more than may wait for a full pool")
  func connecting() throws {
    let router = try Router(router: "client:\n  protocol: h2\n  hostConnectionPool: {maxWaiters: 10}")
    let backend = backend(streams: 100, microseconds: 50_000)
    let (good, other) = answers(try burst(router, router.service(backend.backend), 300), 300)
    #expect(good == 300 && other == 0)
  }

  @Test("a pool that may open no more lets as many wait as it is told")
  func full() throws {
    let router = try Router(router: "client:\n  protocol: h2\n  hostConnectionPool: {maxSize: 1, maxWaiters: 10}")
    let backend = backend(streams: 5, microseconds: 200_000)
    let name = router.service(backend.backend)
    let first = try HTTP2Peer(connectingTo: router.port)
    defer { first.close() }
    #expect(first.get(name).status == 200)
    let (good, other) = answers(try burst(router, name, 40), 40)
    // The burst may be cut into two reads, between which some are answered.
    #expect(good >= 15 && other > 0 && good + other == 40)
  }

  @Test("requests whose reset comes along with them never reach an endpoint")
  func resetAtOnce() throws {
    let router = try Router()
    let backend = Backend()
    let caller = try burst(router, router.service(backend), 50, reset: true)
    caller.send(6, payload: Array(repeating: 1, count: 8))
    #expect(caller.next { $0.type == 6 } != nil)
    usleep(200_000)
    // One of them may stand at the end of a read.
    #expect(backend.connectionCount <= 1)
  }
}

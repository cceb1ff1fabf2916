import Foundation
import HTTP
import Testing

/// One kind of hostile connection, as frames that it sends until it is ended.
struct HostileCase: Sendable, CustomTestStringConvertible {
  var title: String
  /// The label of the metric.
  var abuse: String
  /// Of the GOAWAY.
  var code: Int
  /// Sends the frames of round `n`; false once the router does not take them any more.
  var round: @Sendable (HTTP2RawCaller, _ n: Int, _ service: String) -> Bool
  var testDescription: String { title }
}

private typealias Raw = HTTP2RawCaller

private let calm = 0xb

private let cases: [HostileCase] = [
  HostileCase(title: "rapid reset", abuse: "rapid_reset", code: calm) { caller, n, name in
    caller.request(stream: 2 * n + 1, name)
    return caller.send(3, 0, 2 * n + 1, payload: Raw.number(8, 4))
  },
  HostileCase(title: "resets provoked by frames", abuse: "provoked_resets", code: calm) { caller, n, name in
    // The body is said to be longer than it is: an error of the stream.
    caller.request(stream: 2 * n + 1, name, fields: [("content-length", "5")])
    return caller.send(6, payload: Array(repeating: 1, count: 8))
  },
  HostileCase(title: "CONTINUATION flood", abuse: "continuation_flood", code: calm) { caller, n, name in
    if n == 0 { return caller.send(1, 0x1, 1, payload: Raw.head(name)) }
    return caller.send(9, 0, 1, payload: Raw.field("x-\(n)", "v"))
  },
  HostileCase(title: "SETTINGS flood", abuse: "settings_flood", code: calm) { caller, _, _ in caller.send(4) },
  HostileCase(title: "PING flood", abuse: "ping_flood", code: calm) { caller, _, _ in
    caller.send(6, payload: Array(repeating: 1, count: 8))
  },
  HostileCase(title: "empty DATA", abuse: "empty_frames", code: calm) { caller, n, name in
    if n == 0 { caller.send(1, 0x4, 1, payload: Raw.head(name, "POST")) }
    return caller.send(0, 0, 1)
  },
  HostileCase(title: "WINDOW_UPDATE flood", abuse: "window_update_flood", code: calm) { caller, _, _ in
    caller.send(8, payload: Raw.number(1, 4))
  },
  HostileCase(title: "credit beyond 2^31-1", abuse: "window_overflow", code: 0x3) { caller, _, _ in
    caller.send(8, payload: Raw.number(0x7fff_ffff, 4))
  },
  HostileCase(title: "PRIORITY flood", abuse: "priority_flood", code: calm) { caller, n, _ in
    caller.send(2, 0, 2 * n + 1, payload: Raw.number(0, 4) + [16])
  },
  HostileCase(title: "unknown frames", abuse: "unknown_frames", code: calm) { caller, _, _ in caller.send(0x77) },
  HostileCase(title: "padding", abuse: "padding_waste", code: calm) { caller, n, name in
    let stream = 2 * (n / 100) + 1
    if n % 100 == 0 { caller.send(1, 0x4, stream, payload: Raw.head(name, "POST")) }
    return caller.send(0, 0x8, stream, payload: [200, 0x61] + Array(repeating: 0, count: 200))
  },
  HostileCase(title: "HPACK bomb", abuse: "header_bomb", code: calm) { caller, n, name in
    if n > 0 { return caller.send(6, payload: Array(repeating: 1, count: 8)) }
    // One long field into the table, then thousands of references to it, one byte each.
    let long = [0x40, 3] + wire("x-l") + [0x7f, 0xa1, 0x1e] + Array(repeating: UInt8(ascii: "v"), count: 4_000)
    return caller.send(1, 0x5, 1, payload: Raw.head(name) + long + Array(repeating: 0xbe, count: 8_000))
  },
]

@Suite("hostile HTTP/2")
struct HTTP2HostileTests {
  private static let router: Router = {
    do {
      return try Router(
        router: "streamIdleTimeoutMs: 1000", server: "headerTimeoutMs: 1000\nmaxConcurrentStreamsPerConnection: 100")
    } catch {
      fatalError("\(error)")
    }
  }()

  @Test(
    "the connection ends with the right code, the abuse is counted and logged, and others are served", arguments: cases)
  func floods(_ row: HostileCase) throws {
    let router = Self.router
    let name = router.service(Backend())
    let good = try HTTP2Peer(connectingTo: router.port)
    defer { good.close() }
    #expect(good.get(name).status == 200)
    let before = try AdminPage.sum(router, "meshrouter_server_http2_abuse_total", "abuse=\"\(row.abuse)\"")
    let caller = HTTP2RawCaller(try router.connect())
    var rounds = 0
    while rounds < 100_000, row.round(caller, rounds, name) { rounds += 1 }
    #expect(caller.goawayCode() == row.code)
    let after = try AdminPage.sum(router, "meshrouter_server_http2_abuse_total", "abuse=\"\(row.abuse)\"")
    #expect(after == before + 1)
    #expect(good.get(name).status == 200)
    #expect(router.isRunning)
    #expect(router.output.contains("an HTTP/2 caller overdid it"))
  }

  @Test("a preface that does not come ends the connection in time")
  func slowPreface() throws {
    let socket = try Self.router.connect()
    // The preface, and no SETTINGS behind it.
    let caller = HTTP2RawCaller(socket, preface: false)
    socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    #expect(caller.goawayCode() == calm)
    #expect(try AdminPage.sum(Self.router, "meshrouter_server_http2_abuse_total", "abuse=\"slow_preface\"") == 1)
  }

  @Test("answers that the caller's window does not let out are reset in time")
  func zeroWindow() throws {
    let name = Self.router.service(Backend())
    let caller = HTTP2RawCaller(try Self.router.connect(), settings: [(4, 0)])
    caller.request(stream: 1, name)
    let reset = try #require(caller.next { $0.type == 3 })
    #expect(reset.stream == 1 && reset.errorCode == 8)
    #expect(try AdminPage.sum(Self.router, "meshrouter_server_http2_abuse_total", "abuse=\"zero_window\"") >= 1)
  }

  @Test("streams beyond the limit are refused, and the others served")
  func tooManyStreams() throws {
    let backend = Backend { connection in
      while connection.request() != nil {
        usleep(500_000)
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    let name = Self.router.service(backend)
    let caller = HTTP2RawCaller(try Self.router.connect())
    for n in 0..<110 { caller.request(stream: 2 * n + 1, name) }
    var refused = 0
    var served = 0
    while refused + served < 110, let frame = caller.next() {
      if frame.type == 3 {
        #expect(frame.errorCode == 7)
        refused += 1
      }
      if frame.type == 1 { served += 1 }
    }
    #expect(refused == 10 && served == 100)
  }
}

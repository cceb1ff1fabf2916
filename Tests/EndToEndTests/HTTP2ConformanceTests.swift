import Foundation
import HTTP
import HTTP2Cases
import Testing

/// The router's ports against the letter of RFC 9113 and RFC 7541: generic, frame-level and HPACK cases as raw frames,
/// in cleartext by prior knowledge and over TLS by ALPN.
@Suite("HTTP/2 conformance over sockets")
struct HTTP2ConformanceTests {
  enum Port: String, CaseIterable, Sendable { case cleartext, tls }

  /// The answer of the backend, long enough to be stopped in the middle by a window.
  private static let body = "conformance"

  private static let router: (router: Router, securePort: Int) = {
    do {
      let second = Backend.freePort()
      let tls = Certificates.shared.yaml("web").replacing("\n", with: ", ")
      let router = try Router(
        routers: """
          - protocol: http
            dtab: /svc => /#/io.l5d.fs
            identifier: {kind: io.l5d.static, path: /web}
            servers:
            - port: $PORT
            - port: \(second)
              tls: {\(tls)}
          """)
      router.service("web", ports: [backend.port])
      return (router, second)
    } catch {
      fatalError("the router does not start: \(error)")
    }
  }()

  private static let backend = Backend { connection in
    while let request = connection.request() {
      let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
      connection.socket.send(request.startLine.hasPrefix("HEAD ") ? head : head + body)
    }
  }

  /// A connection without anything sent yet.
  private static func connect(_ port: Port) throws -> RawSocket {
    switch port {
    case .cleartext: try RawSocket(connectingTo: router.router.port)
    case .tls: try RawSocket(securelyTo: router.securePort, application: "h2")
    }
  }

  private static let preface = wire("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
  private static let acknowledgement = RawFrame(type: 4, flags: 1)

  /// A connection whose preface goes out together with `frames`, so that nothing is answered in between.
  private func caller(_ port: Port, settings: RawFrame = settingsFrame(), _ frames: [RawFrame]) throws -> Caller {
    let caller = Caller(try Self.connect(port))
    caller.socket.send(Self.preface + ([settings, Self.acknowledgement] + frames).flatMap(\.bytes))
    return caller
  }

  /// Frames as they come, but for the router's settings.
  private final class Caller {
    let socket: RawSocket
    private(set) var settings: [RawFrame] = []

    init(_ socket: RawSocket) { self.socket = socket }

    func send(_ frames: RawFrame...) { socket.send(frames.flatMap(\.bytes)) }

    func next() -> RawFrame? {
      while true {
        let head = socket.read(count: 9)
        guard head.count == 9 else { return nil }
        let payload = socket.read(count: Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2]))
        guard let frame = RawFrame.all(head + payload).first else { return nil }
        if frame.type != 4 { return frame }
        settings.append(frame)
      }
    }

    func next(_ isWanted: (RawFrame) -> Bool) -> RawFrame? {
      while let frame = next() { if isWanted(frame) { return frame } }
      return nil
    }

    /// What comes before the answer to a PING, which tells that the connection lives; nil if it does not.
    func beforePong() -> [RawFrame]? {
      let payload = wire("alive?!?")
      send(RawFrame(type: 6, payload: payload))
      var frames: [RawFrame] = []
      while let frame = next() {
        if frame == RawFrame(type: 6, flags: 1, payload: payload) { return frames }
        frames.append(frame)
      }
      return nil
    }

    /// The body of the answer on `stream`; nil if it is not a whole 200.
    func body(_ stream: UInt32) -> String? {
      // `:status: 200` is one byte of HPACK.
      guard let head = next({ $0.stream == stream }), head.type == 1, head.payload.first == 0x88 else { return nil }
      var bytes: [UInt8] = []
      var isOver = head.flags & 1 != 0
      while !isOver {
        guard let frame = next({ $0.stream == stream }), frame.type == 0 else { return nil }
        bytes += frame.payload
        isOver = frame.flags & 1 != 0
      }
      return text(bytes)
    }
  }

  @Test("what is wrong is answered as the RFC says", arguments: HTTP2Conformance.all, Port.allCases)
  func wrong(_ item: HTTP2Conformance.Case, _ port: Port) throws {
    let caller = try caller(port, item.frames)
    if item.answers == [.fine] {
      caller.send(headers(101, HTTP2Conformance.get))
      let answer = caller.next { $0.stream == 101 || $0.type == 7 }
      #expect(answer?.type == 1 && answer?.payload.first == 0x88, "\(String(describing: answer))")
      return
    }
    guard let bad = caller.next({ $0.type == 3 || $0.type == 7 }), let code = bad.code else {
      Issue.record("neither RST_STREAM nor GOAWAY, the connection: \(String(describing: caller.socket.end))")
      return
    }
    let answer: HTTP2Conformance.Answer = bad.type == 7 ? .connection(code) : .stream(bad.stream, code)
    #expect(item.answers.contains(answer), "\(answer)")
    if bad.type == 7 {
      #expect(caller.socket.awaitEnd() != .timeout, "the connection goes on after GOAWAY")
    } else {
      let rest = caller.beforePong()
      #expect(rest != nil, "the connection ends with the stream")
      #expect(rest?.contains { $0.type == 7 } == false, "\(String(describing: rest))")
      caller.send(headers(101, HTTP2Conformance.get))
      #expect(caller.body(101) == Self.body)
    }
  }

  /// Requests which are all right, on stream 1, in ways that callers seldom use.
  private struct Request: Sendable, CustomTestStringConvertible {
    var section: String
    var what: String
    var frames: [RawFrame]
    var isHead = false
    var testDescription: String { "\(section) \(what)" }

    init(_ section: String, _ what: String, isHead: Bool = false, _ frames: RawFrame...) {
      (self.section, self.what, self.frames, self.isHead) = (section, what, frames, isHead)
    }
  }

  private static let get = HTTP2Conformance.get
  private static let post = HTTP2Conformance.post
  /// `:method: GET`, `:scheme: http` and `:path: /` out of the static table, `:authority: web` as a literal.
  private static let indexed: [UInt8] = [0x82, 0x86, 0x84, 0x01, 3] + wire("web")
  private static func padded(_ type: UInt8, _ flags: UInt8, _ payload: [UInt8], _ padding: Int) -> RawFrame {
    RawFrame(
      type: type, flags: flags | 8, stream: 1,
      payload: [UInt8(padding)] + payload + Array(repeating: 0, count: padding))
  }

  private static let requests: [Request] = [
    Request("8.3.1", "GET", headers(1, get)),
    Request("8.3.1", "HEAD", isHead: true, headers(1, block([(":method", "HEAD")] + getFields.dropFirst()))),
    Request("8.1", "POST", headers(1, post, end: false), data(1, wire("test"), end: true)),
    Request(
      "8.1", "POST with trailers", headers(1, post, end: false), data(1, wire("test")),
      headers(1, block([("x-test", "ok")]))),
    Request("8.1", "DATA without bytes at the end", headers(1, post, end: false), data(1, [1]), data(1, end: true)),
    Request(
      "6.1", "many DATA frames", headers(1, post, end: false), data(1, [1]), data(1, [2]), data(1, [3], end: true)),
    Request("6.1", "padded DATA", headers(1, post, end: false), padded(0, 1, wire("test"), 6)),
    Request("6.1", "DATA that is all padding", headers(1, post, end: false), padded(0, 1, [], 255)),
    Request("6.2", "padded HEADERS", padded(1, 5, get, 6)),
    Request("6.2", "HEADERS with priority", RawFrame(type: 1, flags: 0x25, stream: 1, payload: word(0) + [255] + get)),
    Request(
      "6.2", "padded HEADERS with priority",
      RawFrame(type: 1, flags: 0x2d, stream: 1, payload: [2] + word(0) + [255] + get + [0, 0])),
    Request("6.3", "PRIORITY ahead of the stream", priority(1, on: 0), headers(1, get)),
    Request("6.3", "PRIORITY of a stream that never comes", priority(9, on: 1), headers(1, get)),
    Request("6.4", "RST_STREAM of another stream", headers(1, get), headers(3, post, end: false), rst(3)),
    Request("6.5", "SETTINGS without entries", settingsFrame(), settingsFrame(), headers(1, get)),
    Request(
      "6.5.2", "SETTINGS of many kinds",
      settingsFrame((2, 0), (3, 100), (4, 65_535), (5, 16_384), (6, 100_000)), headers(1, get)),
    Request("6.5.3", "the last of several values holds", settingsFrame((4, 0), (4, 100)), headers(1, get)),
    Request("6.9", "WINDOW_UPDATE of connection and stream", headers(1, get), windowUpdate(0, 1), windowUpdate(1, 1)),
    Request("6.9.1", "windows as large as may be", windowUpdate(0, 0x7fff_0000), headers(1, get)),
    Request(
      "6.9.2", "a window of 0 that is opened later", settingsFrame((4, 0)), headers(1, get), windowUpdate(1, 1),
      settingsFrame((4, 11))),
    Request(
      "6.10", "HEADERS and CONTINUATION", headers(1, Array(get.prefix(1)), endHeaders: false),
      continuation(1, Array(get.dropFirst()))),
    Request(
      "6.10", "HEADERS without a byte", headers(1, [], endHeaders: false), continuation(1, [], endHeaders: false),
      continuation(1, get)),
    Request(
      "6.10", "trailers in CONTINUATION", headers(1, post, end: false), data(1, [1]),
      headers(1, [], endHeaders: false), continuation(1, block([("x", "y")]))),
    Request(
      "7", "unknown error code in RST_STREAM", headers(3, post, end: false), rst(3, 0xff), headers(5, get), rst(5)),
    Request("7541 6.1", "fields of the static table", headers(1, indexed)),
    Request(
      "7541 6.2.1", "literal that is indexed, and used again",
      headers(1, [0x82, 0x86, 0x84, 0x41, 3] + wire("web") + [0x40, 1] + wire("x") + [1] + wire("y") + [0xbe])),
    Request(
      "7541 6.2.1", "indexed field of an earlier block",
      headers(3, [0x82, 0x86, 0x84, 0x41, 3] + wire("web")), headers(5, [0x82, 0x86, 0x84, 0xbe])),
    Request(
      "7541 6.2.2", "literal that is not indexed, with an indexed name", headers(1, indexed + [0x0f, 0x04, 1, 0x61])),
    Request("7541 6.2.3", "literal never indexed", headers(1, indexed + [0x1f, 0x04, 1, 0x61])),
    Request(
      "7541 6.2.3", "literal never indexed, with a new name", headers(1, indexed + [0x10, 1] + wire("x") + [1, 0x61])),
    Request(
      "7541 5.2", "Huffman in names and values",
      // www.example.com of RFC 7541 §C.4.1, custom-key and custom-value of §C.4.3.
      headers(
        1,
        [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]
          + [0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f]
          + [0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf])),
    Request("7541 6.3", "table size at the start of a block", headers(1, [0x20] + indexed)),
    Request("7541 4.2", "two table sizes", headers(1, [0x20, 0x3f, 0xe1, 0x1f] + indexed)),
    Request("7541 4.4", "a field larger than the table empties it", headers(1, [0x3f, 0x01] + indexed + large)),
    Request(
      "4.1", "flags and reserved bits that mean nothing", RawFrame(type: 1, flags: 0xd7, stream: 1, payload: get)),
    Request("5.5", "frames of unknown types between others", RawFrame(type: 0xfe, stream: 1), headers(1, get)),
  ]

  /// A literal that is to be indexed, of 100 bytes.
  private static let large: [UInt8] = [0x40, 1] + wire("x") + [99] + Array(repeating: UInt8(ascii: "v"), count: 99)

  @Test("what is unusual and right is served", arguments: requests, Port.allCases)
  private func right(_ request: Request, _ port: Port) throws {
    let caller = try caller(port, request.frames)
    // Cases whose point are two requests use other streams.
    let stream: UInt32 = request.frames.contains { $0.stream == 1 && $0.type == 1 } ? 1 : 5
    if request.what.hasPrefix("unknown error code") {
      #expect(caller.beforePong() != nil)
      caller.send(headers(7, Self.get))
      #expect(caller.body(7) == Self.body)
      return
    }
    #expect(caller.body(stream) == (request.isHead ? "" : Self.body))
    #expect(caller.beforePong()?.contains { $0.type == 3 || $0.type == 7 } == false)
  }

  @Test("the router's first frame is SETTINGS, and it acknowledges those of the caller", arguments: Port.allCases)
  func settings(_ port: Port) throws {
    let caller = try caller(port, [])
    #expect(caller.beforePong() != nil)
    #expect(caller.settings.first?.flags == 0)
    #expect(caller.settings.filter { $0.flags == 1 } == [Self.acknowledgement])
  }

  @Test("what is no preface ends the connection", arguments: Port.allCases)
  func noPreface(_ port: Port) throws {
    let socket = try Self.connect(port)
    socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx" + String(repeating: "x", count: 32))
    #expect(socket.awaitEnd() != .timeout)
    // A first frame other than SETTINGS (§3.4).
    let caller = Caller(try Self.connect(port))
    caller.socket.send(Self.preface + RawFrame(type: 6, payload: wire("12345678")).bytes)
    #expect(caller.next { $0.type == 7 }?.code == .protocolError)
    #expect(caller.socket.awaitEnd() != .timeout)
  }

  @Test("DATA keeps within the caller's windows, which change while streams are open", arguments: Port.allCases)
  func windows(_ port: Port) throws {
    let caller = try caller(port, settings: settingsFrame((4, 3)), [headers(1, Self.get)])
    func sent() -> String? {
      let frame = caller.next { $0.stream == 1 }
      return frame?.type == 0 ? text(frame?.payload ?? []) : nil
    }
    #expect(caller.next { $0.stream == 1 }?.type == 1)
    #expect(sent() == "con")
    // §6.9.2: the window goes below zero and must come above it again.
    caller.send(settingsFrame((4, 1)), windowUpdate(1, 2))
    #expect(caller.beforePong() == [])
    caller.send(windowUpdate(1, 1))
    #expect(sent() == "f")
    caller.send(settingsFrame((4, 100)))
    #expect(sent() == "ormance")
  }

  @Test("a caller that says GOAWAY gets its answers, then the connection ends", arguments: Port.allCases)
  func goaway(_ port: Port) throws {
    let caller = try caller(
      port, [headers(1, Self.get), RawFrame(type: 7, payload: word(0) + word(0xff))])
    #expect(caller.body(1) == Self.body)
    #expect(caller.socket.awaitEnd() != .timeout)
  }
}

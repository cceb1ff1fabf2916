import HTTP

/// What RFC 9113 and RFC 7541 ask of a server for frames that a client should not send, case by case: for the codec
/// alone, and for the router's ports.
public enum HTTP2Conformance {
  public enum Answer: Equatable, Sendable, CustomStringConvertible {
    /// GOAWAY.
    case connection(HTTP2ErrorCode)
    /// RST_STREAM of this stream.
    case stream(UInt32, HTTP2ErrorCode)
    /// Nothing wrong: the connection answers a request that comes after.
    case fine

    public var description: String {
      switch self {
      case .connection(let code): "GOAWAY \(code)"
      case .stream(let id, let code): "RST_STREAM \(id) \(code)"
      case .fine: "fine"
      }
    }
  }

  public struct Case: CustomStringConvertible, Sendable {
    public let section: String
    public let what: String
    public let frames: [RawFrame]
    public let answers: [Answer]

    public init(_ section: String, _ what: String, _ frames: [RawFrame], _ answers: Answer...) {
      self.section = section
      self.what = what
      self.frames = frames
      self.answers = answers
    }

    public var description: String { "\(section) \(what)" }
  }

  public static let get = block(getFields)
  public static let post = block(postFields)
  public static func with(_ fields: [(String, String)]) -> [UInt8] { block(getFields + fields) }

  public static let framing: [Case] = [
    Case("4.1", "unknown frame type", [RawFrame(type: 0x16, stream: 0, payload: [1, 2, 3])], .fine),
    Case("4.1", "unknown flags", [RawFrame(type: 6, flags: 0x16, payload: Array(repeating: 0, count: 8))], .fine),
    Case(
      "4.1", "reserved bit", [RawFrame(type: 6, stream: 0x8000_0000, payload: Array(repeating: 0, count: 8))], .fine),
    Case(
      "4.2", "DATA beyond the frame size", [headers(1, post, end: false), data(1, Array(repeating: 0, count: 16_385))],
      .connection(.frameSizeError), .stream(1, .frameSizeError)),
    Case(
      "4.2", "HEADERS beyond the frame size", [headers(1, Array(repeating: 0, count: 16_385))],
      .connection(.frameSizeError)),
    Case("4.3", "bad field block", [headers(1, [0x40])], .connection(.compressionError)),
    Case(
      "4.3", "PRIORITY within a field block", [headers(1, get, endHeaders: false), priority(1, on: 0)],
      .connection(.protocolError)),
    Case(
      "4.3", "another stream's HEADERS within a field block", [headers(1, get, endHeaders: false), headers(3, get)],
      .connection(.protocolError)),
    Case("5.1", "idle: DATA", [data(1, [1])], .connection(.protocolError)),
    Case("5.1", "idle: RST_STREAM", [rst(1)], .connection(.protocolError)),
    Case("5.1", "idle: WINDOW_UPDATE", [windowUpdate(1, 100)], .connection(.protocolError)),
    Case("5.1", "idle: CONTINUATION", [continuation(1, get)], .connection(.protocolError)),
    Case(
      "5.1", "half-closed: DATA", [headers(1, get), data(1, [1])], .stream(1, .streamClosed),
      .connection(.streamClosed)),
    Case(
      "5.1", "half-closed: HEADERS", [headers(1, get), headers(1, get)], .stream(1, .streamClosed),
      .connection(.streamClosed)),
    Case(
      "5.1", "half-closed: CONTINUATION", [headers(1, get), continuation(1, get)], .connection(.protocolError),
      .connection(.streamClosed)),
    Case(
      "5.1", "reset: DATA", [headers(1, post, end: false), rst(1), data(1, [1])], .stream(1, .streamClosed),
      .connection(.streamClosed)),
    Case(
      "5.1", "reset: HEADERS", [headers(1, post, end: false), rst(1), headers(1, get)], .stream(1, .streamClosed),
      .connection(.streamClosed)),
    Case(
      "5.1", "reset: CONTINUATION", [headers(1, post, end: false), rst(1), continuation(1, get)],
      .connection(.protocolError), .connection(.streamClosed)),
    Case(
      "5.1", "half-closed: WINDOW_UPDATE and PRIORITY", [headers(1, get), windowUpdate(1, 1), priority(1, on: 0)], .fine
    ),
    Case("5.1", "reset: PRIORITY", [headers(1, get), rst(1), priority(1, on: 0)], .fine),
    Case("5.1.1", "even stream", [headers(2, get)], .connection(.protocolError)),
    Case("5.1.1", "stream 0", [headers(0, get)], .connection(.protocolError)),
    Case(
      "5.1.1", "smaller stream", [headers(5, get), headers(3, get)], .connection(.protocolError),
      .connection(.streamClosed)),
    Case(
      "5.3.1", "HEADERS depends on itself",
      [
        RawFrame(type: 1, flags: 0x25, stream: 1, payload: word(1) + [255] + get)
      ], .stream(1, .protocolError), .connection(.protocolError)),
    Case(
      "5.3.1", "PRIORITY depends on itself", [priority(2, on: 2)], .stream(2, .protocolError),
      .connection(.protocolError)),
    Case(
      "5.5", "unknown frame within a field block",
      [
        headers(1, get, endHeaders: false), RawFrame(type: 0x16, stream: 0, payload: [0]),
      ], .connection(.protocolError)),
  ]

  public static let frames: [Case] = [
    Case("6.1", "DATA on stream 0", [data(0, [1])], .connection(.protocolError)),
    Case(
      "6.1", "DATA with too much padding",
      [
        headers(1, post, end: false), RawFrame(type: 0, flags: 9, stream: 1, payload: [6, 0, 0, 0, 0]),
      ], .connection(.protocolError)),
    Case(
      "6.2", "HEADERS with too much padding",
      [
        RawFrame(type: 1, flags: 0xd, stream: 1, payload: [UInt8(get.count + 1)] + get)
      ], .connection(.protocolError)),
    Case("6.3", "PRIORITY on stream 0", [priority(0, on: 1)], .connection(.protocolError)),
    Case(
      "6.3", "PRIORITY of four bytes", [RawFrame(type: 2, stream: 1, payload: word(0))], .stream(1, .frameSizeError),
      .connection(.frameSizeError)),
    Case("6.4", "RST_STREAM on stream 0", [rst(0)], .connection(.protocolError)),
    Case(
      "6.4", "RST_STREAM of three bytes",
      [
        headers(1, post, end: false), RawFrame(type: 3, stream: 1, payload: [0, 0, 0]),
      ], .connection(.frameSizeError)),
    Case(
      "6.5", "SETTINGS acknowledgement with payload", [RawFrame(type: 4, flags: 1, payload: [0])],
      .connection(.frameSizeError)),
    Case("6.5", "SETTINGS on a stream", [RawFrame(type: 4, stream: 1)], .connection(.protocolError)),
    Case("6.5", "SETTINGS of three bytes", [RawFrame(type: 4, payload: [0, 3, 0])], .connection(.frameSizeError)),
    Case("6.5.2", "ENABLE_PUSH 2", [settingsFrame((2, 2))], .connection(.protocolError)),
    Case("6.5.2", "INITIAL_WINDOW_SIZE 2^31", [settingsFrame((4, 0x8000_0000))], .connection(.flowControlError)),
    Case("6.5.2", "MAX_FRAME_SIZE 16383", [settingsFrame((5, 16_383))], .connection(.protocolError)),
    Case("6.5.2", "MAX_FRAME_SIZE 2^24", [settingsFrame((5, 1 << 24))], .connection(.protocolError)),
    Case("6.5.2", "unknown setting", [settingsFrame((0xff, 1))], .fine),
    Case("8441 3", "ENABLE_CONNECT_PROTOCOL 2", [settingsFrame((8, 2))], .connection(.protocolError)),
    Case("9218 2.1", "NO_RFC7540_PRIORITIES 2", [settingsFrame((9, 2))], .connection(.protocolError)),
    Case(
      "6.6", "PUSH_PROMISE from a client",
      [
        headers(1, post, end: false), RawFrame(type: 5, flags: 4, stream: 1, payload: word(2) + get),
      ], .connection(.protocolError)),
    Case(
      "6.7", "PING on a stream", [RawFrame(type: 6, stream: 1, payload: Array(repeating: 0, count: 8))],
      .connection(.protocolError)),
    Case(
      "6.7", "PING of six bytes", [RawFrame(type: 6, payload: Array(repeating: 0, count: 6))],
      .connection(.frameSizeError)),
    Case(
      "6.7", "PING acknowledgement nobody asked for",
      [RawFrame(type: 6, flags: 1, payload: Array(repeating: 0, count: 8))], .fine),
    Case(
      "6.8", "GOAWAY on a stream", [RawFrame(type: 7, stream: 1, payload: word(0) + word(0))],
      .connection(.protocolError)),
    Case("6.9", "WINDOW_UPDATE of 0", [windowUpdate(0, 0)], .connection(.protocolError)),
    Case(
      "6.9", "WINDOW_UPDATE of 0 on a stream", [headers(1, post, end: false), windowUpdate(1, 0)],
      .stream(1, .protocolError), .connection(.protocolError)),
    Case("6.9", "WINDOW_UPDATE of three bytes", [RawFrame(type: 8, payload: [0, 0, 1])], .connection(.frameSizeError)),
    Case(
      "6.9.1", "connection window overflows", [windowUpdate(0, 0x7fff_ffff), windowUpdate(0, 1)],
      .connection(.flowControlError)),
    Case(
      "6.9.1", "stream window overflows",
      [
        headers(1, post, end: false), windowUpdate(1, 0x7fff_ffff), windowUpdate(1, 1),
      ], .stream(1, .flowControlError)),
    Case(
      "6.9.2", "stream window overflows by settings",
      [
        headers(1, post, end: false), windowUpdate(1, 0x7fff_ffff - 65_535), settingsFrame((4, 65_536)),
      ], .connection(.flowControlError), .stream(1, .flowControlError)),
    Case(
      "6.10", "CONTINUATIONs without end",
      [
        headers(1, Array(get.prefix(5)), endHeaders: false),
        continuation(1, Array(get.dropFirst(5).prefix(9)), endHeaders: false),
        continuation(1, Array(get.dropFirst(14))),
      ], .fine),
    Case(
      "6.10", "DATA after CONTINUATION without end",
      [
        headers(1, post, end: false, endHeaders: false), continuation(1, [], endHeaders: false), data(1, [1]),
      ], .connection(.protocolError)),
    Case(
      "6.10", "CONTINUATION on stream 0", [headers(1, get, endHeaders: false), continuation(0, [])],
      .connection(.protocolError)),
    Case(
      "6.10", "CONTINUATION after the end", [headers(1, post, end: false), continuation(1, get)],
      .connection(.protocolError)),
    Case(
      "6.10", "CONTINUATION after DATA", [headers(1, post, end: false), data(1, [1]), continuation(1, get)],
      .connection(.protocolError)),
  ]

  public static func malformed(_ section: String, _ what: String, _ fields: [(String, String)], end: Bool = true)
    -> Case
  {
    Case(section, what, [headers(1, block(fields), end: end)], .stream(1, .protocolError))
  }

  public static let messages: [Case] = [
    malformed("8.2", "upper-case name", getFields + [("X-Test", "ok")]),
    malformed("8.2.1", "name with a blank", getFields + [("x test", "ok")]),
    malformed("8.2.1", "name with a colon", getFields + [("x:test", "ok")]),
    malformed("8.2.1", "empty name", getFields + [("", "ok")]),
    malformed("8.2.1", "value with a line end", getFields + [("x", "a\r\nb: c")]),
    malformed("8.2.1", "value with LF", getFields + [("x", "a\nb")]),
    malformed("8.2.1", "value with NUL", getFields + [("x", "a\u{0}b")]),
    malformed("8.2.1", "value with leading blank", getFields + [("x", " a")]),
    malformed("8.2.1", "value with trailing tab", getFields + [("x", "a\t")]),
    malformed("8.2.2", "connection", getFields + [("connection", "keep-alive")]),
    malformed("8.2.2", "keep-alive", getFields + [("keep-alive", "1")]),
    malformed("8.2.2", "proxy-connection", getFields + [("proxy-connection", "x")]),
    malformed("8.2.2", "transfer-encoding", getFields + [("transfer-encoding", "chunked")]),
    malformed("8.2.2", "upgrade", getFields + [("upgrade", "h2c")]),
    malformed("8.2.2", "te other than trailers", getFields + [("te", "trailers, deflate")]),
    malformed("8.3", "unknown pseudo-header field", getFields + [(":test", "ok")]),
    malformed("8.3", "response's pseudo-header field", getFields + [(":status", "200")]),
    malformed("8.3", "pseudo-header field after others", [("x", "y")] + getFields),
    malformed("8.3.1", "empty path", [(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "web")]),
    malformed("8.3.1", "no method", Array(getFields.dropFirst())),
    malformed("8.3.1", "no scheme", [(":method", "GET"), (":path", "/"), (":authority", "web")]),
    malformed("8.3.1", "no path", [(":method", "GET"), (":scheme", "http"), (":authority", "web")]),
    malformed("8.3.1", "method twice", [(":method", "GET")] + getFields),
    malformed("8.3.1", "scheme twice", [(":scheme", "http")] + getFields),
    malformed("8.3.1", "path twice", [(":path", "/")] + getFields),
    malformed("8.3.1", "authority twice", getFields + [(":authority", "web")]),
    malformed(
      "8.3.1", "path without slash", [(":method", "GET"), (":scheme", "http"), (":path", "a"), (":authority", "w")]),
    malformed(
      "8.3.1", "absolute path of a foreign scheme",
      [
        (":method", "GET"), (":scheme", "x"), (":path", "http://evil/"), (":authority", "web"),
      ]),
    malformed(
      "8.3.1", "path with a blank",
      [
        (":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1\r\nx: y"), (":authority", "web"),
      ]),
    malformed(
      "8.3.1", "method with a blank",
      [
        (":method", "GET /x"), (":scheme", "http"), (":path", "/"), (":authority", "web"),
      ]),
    malformed(
      "8.3.1", "authority with a line end",
      [
        (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "web\r\nx: y"),
      ]),
    malformed(
      "8.3.1", "asterisk of another method",
      [
        (":method", "GET"), (":scheme", "http"), (":path", "*"), (":authority", "web"),
      ]),
    malformed("8.3.1", "Host differs from authority", getFields + [("host", "other")]),
    malformed("8.3.1", "Host twice", Array(getFields.prefix(3)) + [("host", "a"), ("host", "a")]),
    malformed("8.5", "CONNECT with path", [(":method", "CONNECT"), (":path", "/"), (":authority", "web:1")]),
    malformed("8.5", "CONNECT without authority", [(":method", "CONNECT")]),
    malformed("8441 4", "protocol of another method", getFields + [(":protocol", "websocket")]),
    malformed(
      "8441 4", "protocol that is no token",
      [
        (":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "web"), (":protocol", "a b"),
      ]),
    Case(
      "8.1", "pseudo-header field in trailers",
      [
        headers(1, post, end: false), data(1, [1]), headers(1, block([(":path", "/")])),
      ], .stream(1, .protocolError)),
    Case(
      "8.1", "trailers without END_STREAM",
      [
        headers(1, post, end: false), data(1, [1]), headers(1, block([("x", "y")]), end: false),
      ], .stream(1, .protocolError)),
    Case(
      "8.1.1", "content-length larger than DATA",
      [
        headers(1, block(postFields + [("content-length", "2")]), end: false), data(1, [1], end: true),
      ], .stream(1, .protocolError)),
    Case(
      "8.1.1", "content-length smaller than DATA",
      [
        headers(1, block(postFields + [("content-length", "1")]), end: false), data(1, [1]), data(1, [1], end: true),
      ], .stream(1, .protocolError)),
    malformed("8.1.1", "content-length without DATA", postFields + [("content-length", "1")]),
    malformed("8.1.1", "content-length twice", postFields + [("content-length", "0"), ("content-length", "0")]),
    malformed("8.1.1", "content-length that is no number", postFields + [("content-length", "1x")]),
    Case(
      "8.3.1", "Host instead of authority", [headers(1, block(Array(getFields.prefix(3)) + [("host", "web")]))], .fine),
    Case("8.3.1", "Host equal to authority", [headers(1, with([("host", "web")]))], .fine),
    Case("8.2.1", "empty value", [headers(1, with([("x", "")]))], .fine),
    Case("8.2.1", "value with tab and obs-text", [headers(1, with([("x", "a\tb é")]))], .fine),
  ]

  public static let hpack: [Case] = [
    Case("7541 2.3.3", "index beyond the tables", [headers(1, get + [0xc6])], .connection(.compressionError)),
    Case("7541 6.1", "index 0", [headers(1, get + [0x80])], .connection(.compressionError)),
    Case(
      "7541 2.3.3", "name index beyond the tables", [headers(1, get + [0x7f, 0x07, 0x01, 0x61])],
      .connection(.compressionError)),
    Case("7541 4.2", "table size at the end of a block", [headers(1, get + [0x20])], .connection(.compressionError)),
    Case(
      "7541 6.3", "table size beyond the limit", [headers(1, [0x3f, 0xe2, 0x1f] + get)], .connection(.compressionError)),
    Case("7541 6.3", "table size within the limit", [headers(1, [0x20, 0x3f, 0xe1, 0x1f] + get)], .fine),
    Case(
      "7541 5.2", "Huffman padding longer than seven bits",
      [
        headers(1, get + [0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff])
      ], .connection(.compressionError)),
    Case(
      "7541 5.2", "Huffman padding of zeros",
      [
        headers(1, get + [0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x87, 0xff, 0x83, 0x49, 0x50, 0x90])
      ], .connection(.compressionError)),
    Case(
      "7541 5.2", "Huffman with EOS",
      [
        headers(1, get + [0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
      ], .connection(.compressionError)),
    Case(
      "7541 5.1", "integer without end",
      [
        headers(1, get + [0x7f] + Array(repeating: 0xff, count: 20))
      ], .connection(.compressionError)),
  ]

  public static let all = framing + frames + messages + hpack
}

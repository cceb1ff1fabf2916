import Foundation
import Testing

/// What a backend does with a request, and what the caller must see.
struct ResponseCase: Sendable, CustomTestStringConvertible {
  enum Ending: Sendable { case open, fin, reset }

  enum Seen: Sendable {
    /// A whole response with this status and body.
    case whole(Int, String)
    /// 502 with `relay.bad_response` or `relay.reset_by_server`.
    case bad(String)
    /// A response that the caller can tell is cut.
    case cut
  }

  var title: String
  var method: String
  var pieces: [String]
  var ending: Ending
  var seen: Seen
  var holds: [String] = []
  var lacks: [String] = []
  /// Whether a second request may come on the same connection to the backend.
  var reuses: Bool
  var version = "1.1"

  var testDescription: String { title }
  var isCut: Bool { if case .cut = seen { true } else { false } }
}

private func whole(
  _ title: String, _ pieces: String..., to method: String = "GET", then ending: ResponseCase.Ending = .open,
  status: Int = 200, body: String = "", holds: [String] = [], lacks: [String] = [], reuses: Bool = true,
  version: String = "1.1"
) -> ResponseCase {
  ResponseCase(
    title: title, method: method, pieces: pieces, ending: ending, seen: .whole(status, body), holds: holds,
    lacks: lacks, reuses: reuses && ending == .open, version: version)
}

private func bad(
  _ title: String, _ pieces: String..., to method: String = "GET", then ending: ResponseCase.Ending = .open
) -> ResponseCase {
  ResponseCase(
    title: title, method: method, pieces: pieces, ending: ending, seen: .bad("relay.bad_response"), reuses: false)
}

private func lost(
  _ title: String, _ pieces: String..., to method: String = "GET", then ending: ResponseCase.Ending = .fin
) -> ResponseCase {
  ResponseCase(
    title: title, method: method, pieces: pieces, ending: ending, seen: .bad("relay.reset_by_server"), reuses: false)
}

private func cut(_ title: String, _ pieces: String..., then ending: ResponseCase.Ending = .fin) -> ResponseCase {
  ResponseCase(title: title, method: "GET", pieces: pieces, ending: ending, seen: .cut, reuses: false)
}

private let ok = "HTTP/1.1 200 OK\r\n"
private let chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"

private let wholeCases: [ResponseCase] = [
  whole(
    "a length", ok + "Content-Length: 5\r\n\r\nhello", body: "hello",
    holds: ["HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n"], lacks: ["hunked"]),
  whole("length zero", ok + "Content-Length: 0\r\n\r\n"),
  whole("body after the head", ok + "Content-Length: 5\r\n\r\n", "hello", body: "hello"),
  whole("head in two pieces", "HTTP/1.1 200 ", "OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello"),
  whole("line end in two pieces", "HTTP/1.1 200 OK\r", "\nContent-Length: 5\r\n\r", "\nhello", body: "hello"),
  whole(
    "chunks", chunked + "5\r\nhello\r\n0\r\n\r\n", body: "hello", holds: ["Transfer-Encoding: chunked\r\n"],
    lacks: ["Content-Length"]),
  whole("chunks in pieces", chunked, "5\r", "\nhel", "lo\r\n0", "\r\n\r", "\n", body: "hello"),
  whole("no chunk", chunked + "0\r\n\r\n"),
  whole("chunk extensions go", chunked + "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n", body: "hello"),
  whole("trailers stay", chunked + "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", body: "helloX-Sum: 1\r\n"),
  whole(
    "trailers that frame are dropped", chunked + "0\r\nContent-Length: 1\r\nX-Sum: 1\r\n\r\n", body: "X-Sum: 1\r\n"),
  whole("close-delimited", ok + "\r\nhello", then: .fin, body: "hello", holds: ["Transfer-Encoding: chunked\r\n"]),
  whole("close-delimited and empty", ok + "\r\n", then: .fin),
  whole(
    "HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: .fin, body: "hello",
    holds: ["HTTP/1.1 200 OK\r\n", "Via: 1.0 meshrouter"]),
  whole(
    "HTTP/1.0 left open without keep-alive", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello",
    reuses: false),
  whole(
    "HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    body: "hello"),
  whole(
    "Connection: close", ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", body: "hello", lacks: ["close"],
    reuses: false),
  whole("HEAD", ok + "Content-Length: 5\r\n\r\n", to: "HEAD", holds: ["Content-Length: 5\r\n"]),
  whole("HEAD of chunks", chunked, to: "HEAD"),
  whole("HEAD without length", ok + "\r\n", to: "HEAD"),
  whole("HEAD with 404", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n", to: "HEAD", status: 404),
  whole("HEAD with body", ok + "Content-Length: 5\r\n\r\nhello", to: "HEAD", reuses: false),
  whole("204", "HTTP/1.1 204 No Content\r\n\r\n", status: 204, lacks: ["ontent-Length", "hunked"]),
  whole(
    "204 with length zero", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", status: 204,
    lacks: ["ontent-Length"]),
  whole(
    "204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", status: 204,
    lacks: ["ontent-Length"], reuses: false),
  whole(
    "204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 204,
    lacks: ["hunked"], reuses: false),
  whole("304", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", status: 304),
  whole(
    "304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304,
    holds: ["Content-Length: 5\r\n"]),
  whole("304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", status: 304, reuses: false),
  whole("no phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", holds: ["HTTP/1.1 200 \r\n"]),
  whole("no phrase and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", holds: ["HTTP/1.1 200 \r\n"]),
  whole(
    "odd phrase", "HTTP/1.1 200 It is \u{fc} ok\t!\r\nContent-Length: 0\r\n\r\n",
    holds: ["HTTP/1.1 200 It is \u{fc} ok\t!\r\n"]),
  whole("unknown status", "HTTP/1.1 299 X\r\nContent-Length: 0\r\n\r\n", status: 299),
  whole("500 passes", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno", status: 500, body: "no", lacks: ["l5d-err"]),
  whole(
    "503 passes", "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", status: 503,
    holds: ["Retry-After: 9\r\n"]),
  whole(
    "fields stay as they are", ok + "X-b: 1\r\nx-A:2\r\nX-B:  3 \r\nContent-Length: 0\r\n\r\n",
    holds: ["X-b: 1\r\nx-A:2\r\nX-B:  3 \r\n"]),
  whole("obs-text stays", ok + "X: \u{fc}\u{80}\r\nContent-Length: 0\r\n\r\n", holds: ["X: \u{fc}\u{80}\r\n"]),
  whole(
    "Set-Cookie lines stay apart", ok + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    holds: ["Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"]),
  whole(
    "Date stays", ok + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
    holds: ["Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"]),
  whole("Date is added", ok + "Content-Length: 0\r\n\r\n", holds: ["\r\nDate: "]),
  whole(
    "Via is appended", ok + "Via: 1.0 a\r\nContent-Length: 0\r\n\r\n",
    holds: ["Via: 1.0 a\r\n", "Via: 1.1 meshrouter\r\n"]),
  whole(
    "hop-by-hop fields go",
    ok
      + "Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
    lacks: ["Hop", "Keep", "onnection", "pgrade"]),
  whole(
    "Content-Length cannot be named by Connection", ok + "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
    body: "hello"),
  whole(
    "bytes after the response", ok + "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    body: "hello", lacks: ["evil"], reuses: false),
  whole("bytes after chunks", chunked + "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", reuses: false),
  whole("CRLF after the response", ok + "Content-Length: 0\r\n\r\n\r\n", reuses: false),
  whole(
    "bytes a moment after the response", ok + "Content-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", body: "hello", reuses: false),
  whole("chunked in capitals", ok + "TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n"),
  whole(
    "a large head", ok + "X: " + String(repeating: "a", count: 7_000) + "\r\nContent-Length: 0\r\n\r\n",
    holds: [String(repeating: "a", count: 7_000)]),
  whole(
    "100 to a request without Expect", "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", body: "ok"),
  whole(
    "103 is passed on", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", ok + "Content-Length: 2\r\n\r\nok", body: "ok"
  ),
  whole(
    "three 1xx", "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 199 X\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"
  ),
  whole(
    "HTTP/1.0 caller: chunks", chunked + "5\r\nhello\r\n0\r\nX: y\r\n\r\n", body: "hello",
    holds: ["Connection: close\r\n"], lacks: ["hunked"], version: "1.0"),
  whole(
    "HTTP/1.0 caller: close-delimited", ok + "\r\nhello", then: .fin, body: "hello", holds: ["Connection: close\r\n"],
    version: "1.0"),
  whole(
    "HTTP/1.0 caller: 1xx are dropped", "HTTP/1.1 103 E\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", body: "ok",
    version: "1.0"),
]

private let badCases: [ResponseCase] = [
  bad("no HTTP", "hello\r\n\r\n"), bad("HTTP/0.9 body", "<html>hello</html>\r\n\r\n"),
  bad("version 2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("version 1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("lower-case version", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("ICY", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n"), bad("no status", "HTTP/1.1 \r\nContent-Length: 0\r\n\r\n"),
  bad("two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("letters", "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"),
  bad("negative status", "HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("status 099", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("two spaces", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("tab for a space", "HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("space before the line", " HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("empty line before the line", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
  bad("NUL in the phrase", "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"),
  bad("bare LF after the line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
  bad("bare CR in the phrase", "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"),
  bad("endless line", "HTTP/1.1 200 " + String(repeating: "a", count: 20_000)),
  bad("obs-fold", ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
  bad("space before the colon", ok + "A : b\r\nContent-Length: 0\r\n\r\n"),
  bad("bare LF after a field", ok + "A: b\nContent-Length: 0\r\n\r\n"),
  bad("bare CR in a value", ok + "A: b\rc\r\nContent-Length: 0\r\n\r\n"),
  bad("NUL in a value", ok + "A: \0\r\nContent-Length: 0\r\n\r\n"),
  bad("no colon", ok + "A\r\nContent-Length: 0\r\n\r\n"), bad("no name", ok + ": a\r\nContent-Length: 0\r\n\r\n"),
  bad("bad name", ok + "A[]: a\r\nContent-Length: 0\r\n\r\n"),
  bad("too many fields", ok + (0..<300).map { "X\($0): y\r\n" }.joined() + "\r\n"),
  bad("head without end", ok + "X: " + String(repeating: "y", count: 30_000)),
  bad("two lengths", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
  bad("two equal lengths", ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
  bad("list of lengths", ok + "Content-Length: 5, 5\r\n\r\nhello"),
  bad("negative length", ok + "Content-Length: -5\r\n\r\nhello"),
  bad("length with plus", ok + "Content-Length: +5\r\n\r\nhello"),
  bad("hex length", ok + "Content-Length: 0x5\r\n\r\nhello"), bad("empty length", ok + "Content-Length:\r\n\r\nhello"),
  bad("length of 2^64", ok + "Content-Length: 18446744073709551616\r\n\r\nhello"),
  bad("length of letters", ok + "Content-Length: five\r\n\r\nhello"),
  bad("length and chunks", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
  bad("unknown coding", ok + "Transfer-Encoding: xchunked\r\n\r\nhello"),
  bad("gzip, chunked", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
  bad("chunked twice", ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
  bad("chunked not last", ok + "Transfer-Encoding: chunked, identity\r\n\r\nhello"),
  bad("empty coding", ok + "Transfer-Encoding:\r\n\r\nhello"),
  bad("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  bad("faulty 204", "HTTP/1.1 204 No\r\nContent-Length: 5, 6\r\n\r\n"),
  bad("faulty length to HEAD", ok + "Content-Length: x\r\n\r\n", to: "HEAD"),
  bad("faulty 1xx", "HTTP/1.1 100 C\r\nA : b\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"),
  bad("1xx flood", String(repeating: "HTTP/1.1 100 C\r\n\r\n", count: 1_000)),
  bad("unasked 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nevil"),
  bad("bad Connection", ok + "Connection: a b\r\nContent-Length: 0\r\n\r\n"),
  bad("TLS alert", "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}"),
  lost("close before any byte"), lost("reset before any byte", then: .reset),
  lost("close in the status line", "HTTP/1.1 20"), lost("close in the fields", ok + "Content-Length: 5\r\n"),
  lost("reset in the fields", ok + "Content-Le", then: .reset),
  lost("close after 100", "HTTP/1.1 100 Continue\r\n\r\n"), lost("close to POST", to: "POST"),
]

private let cutCases: [ResponseCase] = [
  cut("short length", ok + "Content-Length: 10\r\n\r\nhello"),
  cut("short length later", ok + "Content-Length: 10\r\n\r\n", "hello"),
  cut("short length and reset", ok + "Content-Length: 10\r\n\r\n", "hello", then: .reset),
  cut("no body at all", ok + "Content-Length: 10\r\n\r\n"),
  cut("no last chunk", chunked + "5\r\nhello\r\n"),
  cut("no last chunk, reset", chunked, "5\r\nhello\r\n", then: .reset), cut("close in a chunk", chunked + "9\r\nhello"),
  cut("close in a size", chunked + "5"), cut("close before the last line end", chunked + "5\r\nhello\r\n0\r\n"),
  cut("close in a trailer", chunked + "0\r\nX: y\r\n"),
  cut("bad size", chunked, "5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n", then: .open),
  cut("bad size in one piece", chunked + "zz\r\nhello\r\n0\r\n\r\n", then: .open),
  cut("negative size", chunked, "-5\r\nhello\r\n0\r\n\r\n", then: .open),
  cut("size of 2^64", chunked, "10000000000000000\r\nhello", then: .open),
  cut("0x size", chunked, "0x5\r\nhello\r\n0\r\n\r\n", then: .open),
  cut("bare LF after size", chunked, "5\nhello\r\n0\r\n\r\n", then: .open),
  cut("junk after data", chunked, "5\r\nhelloXX0\r\n\r\n", then: .open),
  cut("bad trailer", chunked, "5\r\nhello\r\n0\r\nA : b\r\n\r\n", then: .open),
  cut("endless extension", chunked, "5;" + String(repeating: "x", count: 5_000), then: .open),
  cut("reset amid close-delimited", ok + "\r\nhello", then: .reset),
]

@Suite("responses of backends")
struct ResponseTests {
  /// Asks twice on one connection of the caller's; the second request is answered properly by the backend.
  func check(_ served: ResponseCase) throws {
    let backend = Backend { connection in
      while let request = connection.request() {
        if request.startLine.contains("/second") {
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
          continue
        }
        connection.socket.send(pieces: served.pieces)
        switch served.ending {
        case .open: continue
        case .fin:
          connection.socket.finish()
          _ = connection.socket.awaitEnd()
          connection.socket.close()
          return
        case .reset:
          usleep(30_000)
          return connection.socket.reset()
        }
      }
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    let content = served.method == "POST" ? "Content-Length: 2\r\n\r\nhi" : "\r\n"
    socket.send("\(served.method) /first HTTP/\(served.version)\r\nHost: \(name)\r\n\(content)")
    let isHead = served.method == "HEAD"
    var response = try #require(
      served.isCut ? socket.readResponse() ?? Message() : socket.readResponse(toHead: isHead), "no answer")
    var informational: [Message] = []
    while (100..<200).contains(response.status) {
      informational.append(response)
      guard let next = socket.readResponse(toHead: isHead) else { break }
      response = next
    }
    switch served.seen {
    case .whole(let status, let body):
      #expect(response.status == status, "\(response.head)\(response.bodyText)")
      #expect(response.bodyText + response.trailers == body)
      #expect(response.isComplete)
      for part in served.holds { #expect(response.head.contains(part), "lacks \(part) in \(response.head)") }
      for part in served.lacks {
        #expect(!(response.head + response.bodyText).contains(part), "has \(part): \(response.head)")
      }
      #expect(response["date"] != nil)
      #expect(served.version == "1.1" || informational.isEmpty)
    case .bad(let word):
      #expect(response.status == 502, "\(response.head)\(response.bodyText)")
      #expect(response.reasonWord == word, "\(response.head)\(response.bodyText)")
      #expect(response.isComplete)
    case .cut:
      #expect(!response.isComplete, "\(response.head)\(response.bodyText)")
      #expect(socket.end != .timeout)
      #expect(response.status == 0 || response.status == 200)
    }
    usleep(served.pieces.count > 1 ? 40_000 : 5_000)

    // A second request, on the same connection where that goes on: its answer is its own.
    let second = response.isComplete && response["connection"] != "close" && served.version == "1.1"
    let next = second ? socket : try Router.shared.connect()
    next.send("GET /second HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    let answer = try #require(next.readResponse())
    #expect(answer.bodyText == "second", "\(answer.head)\(answer.bodyText)")
    if case .whole = served.seen {} else { #expect(backend.connectionsUsed.last! > 0) }
    if !served.reuses, let used = backend.connectionsUsed.last { #expect(used > 0, "the connection was used again") }
    if served.method == "POST" { #expect(backend.requests.filter { $0.startLine.hasPrefix("POST") }.count == 1) }
  }

  @Test("whole ones arrive whole", arguments: wholeCases)
  func wholes(_ served: ResponseCase) throws { try check(served) }

  @Test("malformed and lost ones become 502", arguments: badCases)
  func bads(_ served: ResponseCase) throws { try check(served) }

  @Test("truncated ones are never shown as whole", arguments: cutCases)
  func cuts(_ served: ResponseCase) throws { try check(served) }

  @Test(
    "a HEAD response is followed by the next one at once",
    arguments: ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", ""])
  func head(_ framing: String) throws {
    let backend = Backend { connection in
      while let request = connection.request() {
        connection.socket.send(
          request.startLine.hasPrefix("HEAD") ? ok + framing + "\r\n" : ok + "Content-Length: 5\r\n\r\nhello")
      }
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("HEAD / HTTP/1.1\r\nHost: \(name)\r\n\r\nGET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(socket.readResponse(toHead: true)?.status == 200)
    #expect(socket.readResponse()?.bodyText == "hello")
  }

  @Test("103 reaches the caller before the response, with its fields but no length")
  func earlyHints() throws {
    let backend = Backend(
      answering: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\n"
        + ok + "Content-Length: 2\r\n\r\nok")
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    let hints = try #require(socket.readResponse())
    #expect(hints.status == 103)
    #expect(hints["link"] == "</a>")
    #expect(hints["x-hop"] == nil)
    #expect(hints["content-length"] == nil)
    #expect(socket.readResponse()?.bodyText == "ok")
  }

  @Test(
    "a pooled connection that the backend has closed: GET is sent again, POST is not",
    arguments: ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
  func stale(_ method: String) throws {
    // Answers once per connection; the second request on it is read and then met with a reset.
    let backend = Backend { connection in
      var count = 0
      while let request = connection.request() {
        count += 1
        if connection.index == 0, count == 2 { return connection.socket.reset() }
        connection.socket.send(ok + "Content-Length: 2\r\n\r\n" + (request.startLine.hasPrefix("HEAD") ? "" : "ok"))
      }
    }
    let name = Router.shared.service(backend)
    #expect(try Router.shared.get(name)?.status == 200)
    // The workers pool apart: ask until the pooled connection is the one that is used.
    var statuses: [Int] = []
    for _ in 0..<40 where backend.connectionsUsed.filter({ $0 == 0 }).count < 2 {
      let socket = try Router.shared.connect()
      socket.send(
        "\(method) /x HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n"
          + (method.hasPrefix("P") ? "Content-Length: 0\r\n\r\n" : "\r\n"))
      statuses.append(socket.readResponse(toHead: method == "HEAD")?.status ?? 0)
    }
    let isIdempotent = !["POST", "PATCH"].contains(method)
    #expect(statuses.last == (isIdempotent ? 200 : 502))
    #expect(statuses.dropLast().allSatisfy { $0 == 200 })
    // Nothing was sent more often than asked, but for the one repetition.
    #expect(backend.requests.filter { $0.startLine.contains("/x") }.count == statuses.count + (isIdempotent ? 1 : 0))
  }

  @Test("bytes on an idle pooled connection are never the next caller's answer")
  func poisoned() throws {
    let backend = Backend { connection in
      while let request = connection.request() {
        connection.socket.send(ok + "Content-Length: 2\r\n\r\nok")
        if request.startLine.contains("/first") {
          usleep(10_000)
          connection.socket.send(ok + "Content-Length: 4\r\n\r\nevil")
        }
      }
    }
    let name = Router.shared.service(backend)
    for _ in 0..<20 {
      #expect(try Router.shared.get(name, "/first")?.bodyText == "ok")
      usleep(30_000)
      #expect(try Router.shared.get(name, "/second")?.bodyText == "ok")
    }
  }

  @Test(
    "an answer before the end of the request reaches the caller, and the connection ends",
    arguments: ["417 No", "413 Too Large", "200 OK"])
  func early(_ status: String) throws {
    let backend = Backend { connection in
      guard let head = connection.socket.readHead() else { return }
      connection.record(head)
      connection.socket.send("HTTP/1.1 \(status)\r\nContent-Length: 5\r\n\r\nearly")
      _ = connection.socket.awaitEnd()
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("POST / HTTP/1.1\r\nHost: \(name)\r\nContent-Length: 20000000\r\n\r\n")
    let block = [UInt8](repeating: 0x61, count: 100_000)
    for _ in 0..<100 where !socket.send(block) { break }
    let response = try #require(socket.readResponse())
    #expect(response.status == Int(status.prefix(3)))
    #expect(response.bodyText == "early")
    #expect(response["connection"] == "close")
  }

  @Test("Expect: 100-continue: the backend's 100 comes first, then the response")
  func expectContinue() throws {
    let backend = Backend { connection in
      while var request = connection.socket.readHead() {
        #expect(request["expect"] == "100-continue")
        connection.socket.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.body = connection.socket.read(count: 5)
        connection.record(request)
        connection.socket.send(ok + "Content-Length: 2\r\n\r\nok")
      }
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("POST / HTTP/1.1\r\nHost: \(name)\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(socket.readResponse()?.status == 100)
    socket.send("hello")
    #expect(socket.readResponse()?.bodyText == "ok")
    #expect(backend.requests.first?.bodyText == "hello")

    // One that does not wait is served as well.
    let hasty = try Router.shared.connect()
    hasty.send("POST / HTTP/1.1\r\nHost: \(name)\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    #expect(hasty.readResponse()?.status == 100)
    #expect(hasty.readResponse()?.bodyText == "ok")
  }

  @Test("Expect: 100-continue answered by 417: the content that never comes is not waited for, nor taken for a request")
  func expectRefused() throws {
    let backend = Backend { connection in
      guard let head = connection.socket.readHead() else { return }
      connection.record(head)
      connection.socket.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
      _ = connection.socket.awaitEnd()
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("POST / HTTP/1.1\r\nHost: \(name)\r\nExpect: 100-continue\r\nContent-Length: 35\r\n\r\n")
    let response = try #require(socket.readResponse())
    #expect(response.status == 417)
    #expect(response["connection"] == "close")
    socket.send("GET /evil HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(socket.readToEnd().isEmpty)
  }

  @Test("Upgrade: a tunnel both ways, with what comes right behind the 101", arguments: [true, false])
  func upgrade(_ backendEndsFirst: Bool) throws {
    let backend = Backend { connection in
      guard let request = connection.request() else { return }
      #expect(request["upgrade"] == "websocket")
      #expect(request["connection"]?.lowercased() == "upgrade")
      connection.socket.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nbehind"
      )
      if backendEndsFirst {
        connection.socket.finish()
        connection.record(Message(body: connection.socket.readToEnd()))
      } else {
        connection.socket.send(connection.socket.readToEnd().reversed())
        connection.socket.finish()
      }
      _ = connection.socket.awaitEnd()
    }
    let name = Router.shared.service(backend)
    let socket = try Router.shared.connect()
    socket.send("GET /chat HTTP/1.1\r\nHost: \(name)\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
    let head = try #require(socket.readHead())
    #expect(head.status == 101)
    #expect(head["upgrade"] == "websocket")
    #expect(head["connection"]?.lowercased() == "upgrade")
    #expect(head["sec-websocket-accept"] == "x")
    #expect(head["content-length"] == nil)
    #expect(text(socket.read(count: 6)) == "behind")
    let large = String(repeating: "abcdefghij", count: 50_000)
    if backendEndsFirst {
      #expect(socket.readToEnd().isEmpty)
      #expect(socket.end == .fin)
      socket.send(large)
      socket.finish()
      for _ in 0..<200 where backend.requests.count < 2 { usleep(10_000) }
      #expect(backend.requests.last?.body.count == large.utf8.count)
    } else {
      socket.send(large)
      socket.finish()
      // Slowly at first, so that much of it waits in the router when the backend has finished.
      usleep(100_000)
      #expect(socket.readToEnd() == wire(large).reversed())
      #expect(socket.end == .fin)
    }
  }

  @Test("an upgrade that the backend declines is an ordinary response")
  func upgradeDeclined() throws {
    let name = Router.shared.service(Backend())
    let socket = try Router.shared.connect()
    for _ in 0..<2 {
      socket.send("GET / HTTP/1.1\r\nHost: \(name)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      #expect(socket.readResponse()?.bodyText == "ok")
    }
  }
}

import Foundation
import Testing

/// A request that must be refused: with which status, and by which word.
struct RefusedCase: Sendable, CustomTestStringConvertible {
  var title: String
  var bytes: String
  var statuses: [Int]
  var word: String

  init(_ title: String, _ bytes: String, _ statuses: Int..., word: String) {
    self.title = title
    self.bytes = bytes
    self.statuses = statuses
    self.word = word
  }

  var testDescription: String { title }
}

private let get = "GET / HTTP/1.1\r\nHost: echo\r\n"
private let post = "POST / HTTP/1.1\r\nHost: echo\r\n"
private let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
private let malformed = "decode.malformed"
private let framing = "decode.framing_conflict"
private let unsupported = "decode.unsupported"
private let tooLarge = "decode.too_large"

private func line(_ title: String, _ requestLine: String, _ status: Int, word: String = malformed) -> RefusedCase {
  RefusedCase(title, requestLine + "\r\nHost: echo\r\n\r\n", status, word: word)
}

private func field(_ title: String, _ lines: String, _ status: Int = 400, word: String = malformed) -> RefusedCase {
  RefusedCase(title, get + lines + "\r\n\r\n", status, word: word)
}

private func length(_ title: String, _ lines: String) -> RefusedCase {
  RefusedCase(title, post + lines + "\r\n\r\nhello", 400, word: framing)
}

private func coding(_ title: String, _ lines: String, _ status: Int = 400, word: String = framing) -> RefusedCase {
  RefusedCase(title, post + lines + "\r\n\r\n5\r\nhello\r\n0\r\n\r\n", status, word: word)
}

private func chunk(_ title: String, _ body: String, _ status: Int = 400, word: String = framing) -> RefusedCase {
  RefusedCase(title, chunked + body, status, word: word)
}

private func host(_ title: String, _ lines: String, target: String = "/") -> RefusedCase {
  RefusedCase(title, "GET \(target) HTTP/1.1\r\n" + lines + "\r\n\r\n", 400, word: malformed)
}

private let lineCases: [RefusedCase] = [
  line("HTTP/0.9", "GET /", 400), line("version 1.2", "GET / HTTP/1.2", 505, word: unsupported),
  line("version 1.9", "GET / HTTP/1.9", 505, word: unsupported),
  line("version 2.0", "GET / HTTP/2.0", 505, word: unsupported),
  line("version 3.0", "GET / HTTP/3.0", 505, word: unsupported),
  line("version 0.9", "GET / HTTP/0.9", 505, word: unsupported),
  line("version in lower case", "GET / http/1.1", 400), line("version with two digits", "GET / HTTP/1.10", 400),
  line("version without minor", "GET / HTTP/1", 400), line("version with a sign", "GET / HTTP/+1.1", 400),
  line("version with a comma", "GET / HTTP/1,1", 400), line("other protocol", "GET / HTTPS/1.1", 400),
  line("other protocol of four letters", "GET / ICAP/1.0", 400),
  line("two spaces after the method", "GET  / HTTP/1.1", 400),
  line("two spaces after the target", "GET /  HTTP/1.1", 400),
  line("tab for a space", "GET\t/ HTTP/1.1", 400), line("tab after the target", "GET /\tHTTP/1.1", 400),
  line("space before the method", " GET / HTTP/1.1", 400), line("space after the version", "GET / HTTP/1.1 ", 400),
  line("space in the target", "GET /a b HTTP/1.1", 400), line("no target", "GET HTTP/1.1", 400),
  line("method alone", "GET", 400), line("empty method", " / HTTP/1.1", 400),
  line("brackets in the method", "G[E]T / HTTP/1.1", 400), line("colon in the method", "GET: / HTTP/1.1", 400),
  line("method with obs-text", "G\u{e9}T / HTTP/1.1", 400), line("NUL in the method", "G\0T / HTTP/1.1", 400),
  line("NUL in the target", "GET /\0 HTTP/1.1", 400), line("DEL in the target", "GET /\u{7f} HTTP/1.1", 400),
  line("obs-text in the target", "GET /\u{fc} HTTP/1.1", 400), line("fragment in the target", "GET /a#b HTTP/1.1", 400),
  line("escape in the target", "GET /\u{1b}[2J HTTP/1.1", 400),
  line("vertical tab in the target", "GET /\u{b} HTTP/1.1", 400),
  line("relative target", "GET index.html HTTP/1.1", 400), line("query alone", "GET ?a=b HTTP/1.1", 400),
  line("asterisk with GET", "GET * HTTP/1.1", 400), line("asterisk with more", "OPTIONS *a HTTP/1.1", 400),
  line("authority with GET", "GET echo:80 HTTP/1.1", 400), line("authority with POST", "POST echo:80 HTTP/1.1", 400),
  line("other scheme", "GET ftp://echo/ HTTP/1.1", 400), line("empty authority", "GET http:/// HTTP/1.1", 400),
  line("no authority", "GET http:// HTTP/1.1", 400), line("scheme without slashes", "GET http:/a HTTP/1.1", 400),
  line("user information", "GET http://me@echo/ HTTP/1.1", 400),
  line("user information with password", "GET http://me:pw@echo/ HTTP/1.1", 400),
  line("port too large", "GET http://echo:65536/ HTTP/1.1", 400),
  line("port no number", "GET http://echo:8o/ HTTP/1.1", 400),
  line("port negative", "GET http://echo:-1/ HTTP/1.1", 400), line("two ports", "GET http://echo:80:80/ HTTP/1.1", 400),
  line("authority with bracket", "GET http://[::1/ HTTP/1.1", 400),
  line("authority with bad address", "GET http://[::g]/ HTTP/1.1", 400),
  line("authority with backslash", "GET http://echo\\@evil/ HTTP/1.1", 400),
  line("CONNECT without port", "CONNECT echo HTTP/1.1", 400), line("CONNECT with a path", "CONNECT / HTTP/1.1", 400),
  line("CONNECT with a URI", "CONNECT http://echo:80/ HTTP/1.1", 400),
  line("CONNECT with port 0", "CONNECT echo:0 HTTP/1.1", 400),
  line("CONNECT with an empty port", "CONNECT echo: HTTP/1.1", 400),
  RefusedCase("bare LF after the request line", "GET / HTTP/1.1\nHost: echo\r\n\r\n", 400, word: malformed),
  RefusedCase("all lines with bare LF", "GET / HTTP/1.1\nHost: echo\n\n", 400, word: malformed),
  RefusedCase("bare CR after the request line", "GET / HTTP/1.1\rHost: echo\r\n\r\n", 400, word: malformed),
  RefusedCase("two CR", "GET / HTTP/1.1\r\r\nHost: echo\r\n\r\n", 400, word: malformed),
  RefusedCase("bare LF before the request line", "\nGET / HTTP/1.1\r\nHost: echo\r\n\r\n", 400, word: malformed),
  RefusedCase("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n", 400, word: malformed),
  RefusedCase(
    "line too long", "GET /" + String(repeating: "a", count: 9_000) + " HTTP/1.1\r\nHost: echo\r\n\r\n", 414,
    word: tooLarge),
  RefusedCase("line too long and endless", "GET /" + String(repeating: "a", count: 20_000), 414, word: tooLarge),
  RefusedCase(
    "method too long", String(repeating: "A", count: 9_000) + " / HTTP/1.1\r\nHost: echo\r\n\r\n", 414, word: tooLarge),
]

private let fieldCases: [RefusedCase] = [
  field("obs-fold with space", "A: b\r\n c"), field("obs-fold with tab", "A: b\r\n\tc"),
  field("obs-fold of Host", "A: b\r\nX:\r\n y"), field("obs-fold of an empty line", "A: b\r\n \r\nB: c"),
  RefusedCase(
    "obs-fold of Transfer-Encoding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400, word: malformed),
  RefusedCase("space before the first field", "GET / HTTP/1.1\r\n Host: echo\r\n\r\n", 400, word: malformed),
  RefusedCase("tab before the first field", "GET / HTTP/1.1\r\n\tX: y\r\nHost: echo\r\n\r\n", 400, word: malformed),
  field("bare LF after a field", "A: b\nC: d"), field("bare CR in a value", "A: b\rC: d"),
  field("CR CR LF", "A: b\r\r\nC: d"), field("bare CR before the end", "A: b\r"),
  field("NUL in a value", "A: b\0c"), field("NUL in a name", "A\0: b"), field("NUL as a value", "A: \0"),
  field("escape in a value", "A: \u{1b}"), field("DEL in a value", "A: \u{7f}"), field("bell in a value", "A: \u{7}"),
  field("vertical tab in a value", "A: \u{b}b"), field("form feed in a value", "A: b\u{c}"),
  field("space before the colon", "A : b"), field("tab before the colon", "A\t: b"), field("space in a name", "A B: c"),
  RefusedCase("space before Content-Length's colon", post + "Content-Length : 5\r\n\r\nhello", 400, word: malformed),
  RefusedCase(
    "space before Transfer-Encoding's colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400,
    word: malformed),
  field("no name", ": b"), field("no colon", "A"), field("no colon with value", "A b"),
  field("colon and space", " : b"),
  field("brackets in a name", "A[b]: c"), field("obs-text in a name", "\u{e9}: c"),
  field("quote in a name", "\"A\": c"),
  field("slash in a name", "A/b: c"), field("comma in a name", "A,b: c"), field("brace in a name", "{a}: c"),
  field("equals in a name", "A=b: c"), field("at in a name", "@: c"), field("DEL in a name", "A\u{7f}: c"),
  field("too many fields", (0..<200).map { "X\($0): y" }.joined(separator: "\r\n"), 431, word: tooLarge),
  field("head too long", "X: " + String(repeating: "y", count: 20_000), 431, word: tooLarge),
  field(
    "head too long over several fields",
    (0..<40).map { "X\($0): " + String(repeating: "y", count: 1_000) }.joined(separator: "\r\n"), 431, word: tooLarge),
  field("name too long", String(repeating: "n", count: 20_000) + ": y", 431, word: tooLarge),
  field("Connection not a token", "Connection: a b"), field("Connection with a quote", "Connection: \"close\""),
  field("endless Connection", "Connection: " + (0..<60).map { "a\($0)" }.joined(separator: ","), 431, word: tooLarge),
]

private let hostCases: [RefusedCase] = [
  host("no Host", "X: y"), host("two Hosts", "Host: echo\r\nHost: echo"),
  host("two different Hosts", "Host: echo\r\nHost: other"),
  host("two Hosts apart", "Host: echo\r\nX: y\r\nhOST: other"), host("Host with a space", "Host: echo echo"),
  host("Host with a comma", "Host: echo, other"), host("Host with user information", "Host: me@echo"),
  host("Host with a path", "Host: echo/x"), host("Host with a scheme", "Host: http://echo"),
  host("Host with a query", "Host: echo?x"), host("Host with a fragment", "Host: echo#x"),
  host("Host with a letter in the port", "Host: echo:8o"), host("Host with a negative port", "Host: echo:-1"),
  host("Host with a large port", "Host: echo:65536"), host("Host with a huge port", "Host: echo:99999999999999999999"),
  host("Host with two ports", "Host: echo:80:80"), host("Host of a port alone", "Host: :80"),
  host("Host with a tab", "Host: ec\tho"), host("Host with obs-text", "Host: \u{e9}cho"),
  host("Host with open bracket", "Host: [::1"), host("Host with empty brackets", "Host: []"),
  host("Host with junk after brackets", "Host: [::1]x"), host("Host with bad IPv6", "Host: [1:2:3]"),
  host("Host with zone", "Host: [fe80::1%25eth0]"), host("IPv6 without brackets", "Host: ::1"),
  host("Host with bad percent", "Host: %zz"), host("Host with half percent", "Host: a%2"),
  host("Host with backslash", "Host: a\\b"),
  host("Host with quote", "Host: \"echo\""), host("Host with angle bracket", "Host: <echo>"),
  host("Host with a pipe", "Host: a|b"),
  host("absolute form without Host", "X: y", target: "http://echo/"),
  host("absolute form with two Hosts", "Host: a\r\nHost: a", target: "http://echo/"),
  host("absolute form with bad Host", "Host: a b", target: "http://echo/"),
  RefusedCase("HTTP/1.0 without Host names nobody", "GET / HTTP/1.0\r\n\r\n", 400, word: "identify.none"),
  RefusedCase(
    "empty Host names nobody", "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 400, word: "identify.none"),
]

private let lengthCases: [RefusedCase] = [
  length("two equal Content-Lengths", "Content-Length: 5\r\nContent-Length: 5"),
  length("two different Content-Lengths", "Content-Length: 5\r\nContent-Length: 6"),
  length("zero and five", "Content-Length: 0\r\nContent-Length: 5"),
  length("list of equal lengths", "Content-Length: 5, 5"), length("list of different lengths", "Content-Length: 5,6"),
  length("list with an empty member", "Content-Length: 5,"), length("plus", "Content-Length: +5"),
  length("minus", "Content-Length: -5"), length("minus zero", "Content-Length: -0"),
  length("hexadecimal", "Content-Length: 0x5"),
  length("letters", "Content-Length: five"), length("digits and letters", "Content-Length: 5a"),
  length("space within", "Content-Length: 1 0"), length("tab within", "Content-Length: 1\t0"),
  length("fraction", "Content-Length: 5.0"),
  length("exponent", "Content-Length: 5e0"), length("empty", "Content-Length:"),
  length("spaces alone", "Content-Length:   "),
  length("underscore", "Content-Length: 1_0"), length("quoted", "Content-Length: \"5\""),
  length("semicolon", "Content-Length: 5;"),
  length("2^63", "Content-Length: 9223372036854775808"), length("2^64", "Content-Length: 18446744073709551616"),
  length("2^64 + 5", "Content-Length: 18446744073709551621"),
  length("2^32 digits", "Content-Length: " + String(repeating: "9", count: 40)),
  length("full-width digits", "Content-Length: \u{ef}\u{bc}\u{95}"),
  length("length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
  length("coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
  length("zero length and coding", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
  length("length and identity", "Content-Length: 5\r\nTransfer-Encoding: identity"),
  length("length and unknown coding", "Content-Length: 5\r\nTransfer-Encoding: xchunked"),
  length("length and empty coding", "Content-Length: 5\r\nTransfer-Encoding:"),
  RefusedCase("two lengths of a GET", get + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, word: framing),
  RefusedCase(
    "CONNECT with a length", "CONNECT echo:80 HTTP/1.1\r\nHost: echo:80\r\nContent-Length: 5\r\n\r\nhello", 400,
    word: framing),
]

private let codingCases: [RefusedCase] = [
  coding("chunked twice", "Transfer-Encoding: chunked, chunked"),
  coding("chunked on two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
  coding("chunked not last", "Transfer-Encoding: chunked, gzip"),
  coding("chunked then identity", "Transfer-Encoding: chunked, identity"),
  coding("chunked then identity on two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
  coding("gzip, chunked", "Transfer-Encoding: gzip, chunked", 501, word: unsupported),
  coding("gzip alone", "Transfer-Encoding: gzip", 501, word: unsupported),
  coding("identity", "Transfer-Encoding: identity", 501, word: unsupported),
  coding("identity, chunked", "Transfer-Encoding: identity, chunked", 501, word: unsupported),
  coding("xchunked", "Transfer-Encoding: xchunked", 501, word: unsupported),
  coding("chunkedx", "Transfer-Encoding: chunkedx", 501, word: unsupported),
  coding("chunked with parameter", "Transfer-Encoding: chunked;q=1"),
  coding("quoted", "Transfer-Encoding: \"chunked\""),
  coding("empty", "Transfer-Encoding:"), coding("comma before", "Transfer-Encoding: , chunked"),
  coding("comma after", "Transfer-Encoding: chunked,"),
  coding("space within", "Transfer-Encoding: chun ked"),
  coding("vertical tab before", "Transfer-Encoding: \u{b}chunked", word: malformed),
  coding("NUL after", "Transfer-Encoding: chunked\0", word: malformed), coding("slash", "Transfer-Encoding: chunked/1"),
  RefusedCase(
    "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: echo\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    word: framing),
  RefusedCase(
    "chunked in HTTP/1.0 with keep-alive",
    "POST / HTTP/1.0\r\nHost: echo\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    word: framing),
  RefusedCase("GET with an unknown coding", get + "Transfer-Encoding: br\r\n\r\n", 501, word: unsupported),
  RefusedCase(
    "CONNECT with chunks", "CONNECT echo:80 HTTP/1.1\r\nHost: echo:80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400, word: framing),
]

private let chunkCases: [RefusedCase] = [
  chunk("empty size", "\r\nhello\r\n0\r\n\r\n"), chunk("no hex", "g\r\nhello\r\n0\r\n\r\n"),
  chunk("0x", "0x5\r\nhello\r\n0\r\n\r\n"),
  chunk("plus", "+5\r\nhello\r\n0\r\n\r\n"), chunk("minus", "-5\r\nhello\r\n0\r\n\r\n"),
  chunk("leading space", " 5\r\nhello\r\n0\r\n\r\n"),
  chunk("underscore", "0_5\r\nhello\r\n0\r\n\r\n"), chunk("16 digits that overflow", "ffffffffffffffff\r\nhello"),
  chunk("17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"), chunk("2^63", "8000000000000000\r\nhello"),
  chunk("2^64 + 5 with zeros", "000010000000000000005\r\nhello\r\n0\r\n\r\n"),
  chunk("bare LF after the size", "5\nhello\r\n0\r\n\r\n"),
  chunk("bare CR after the size", "5\rhello\r\n0\r\n\r\n"), chunk("no CRLF after the data", "5\r\nhello0\r\n\r\n"),
  chunk("bare LF after the data", "5\r\nhello\n0\r\n\r\n"), chunk("data too long", "5\r\nhello!\r\n0\r\n\r\n"),
  chunk("data too short", "6\r\nhello\r\n0\r\n\r\n"), chunk("junk for CRLF", "5\r\nhelloXX0\r\n\r\n"),
  chunk("size with a comma", "5,5\r\nhello\r\n0\r\n\r\n"),
  chunk("size with text", "5 bytes\r\nhello\r\n0\r\n\r\n"),
  chunk("space after an extension", "5;a \r\nhello\r\n0\r\n\r\n"),
  chunk("extension without name", "5;\r\nhello\r\n0\r\n\r\n"),
  chunk("extension with bare LF", "5;a\nhello\r\n0\r\n\r\n"),
  chunk("extension with bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
  chunk("extension with NUL", "5;a\0\r\nhello\r\n0\r\n\r\n"),
  chunk("extension with an open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n"),
  chunk("extension with LF in a quote", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
  chunk("extension of bad bytes", "5;a=(b)\r\nhello\r\n0\r\n\r\n"),
  chunk("extension without end", "5;" + String(repeating: "a", count: 5_000)),
  chunk("zeros without end", String(repeating: "0", count: 5_000)),
  chunk("trailer without colon", "0\r\nA\r\n\r\n", word: malformed),
  chunk("trailer with space before the colon", "0\r\nA : b\r\n\r\n", word: malformed),
  chunk("trailer with fold", "0\r\nA: b\r\n c\r\n\r\n", word: malformed),
  chunk("trailer with NUL", "0\r\nA: \0\r\n\r\n", word: malformed),
  chunk("trailer with bare LF", "0\r\nA: b\n\r\n", word: malformed),
  chunk("trailer with bare CR", "0\r\nA: b\rc\r\n\r\n", word: malformed),
  chunk("trailer section ends in bare LF", "0\r\nA: b\r\n\n", word: malformed),
  chunk("last chunk with bare LF", "0\n\r\n"),
  chunk("junk after the last chunk", "0\r\nX\r\n\r\n", word: malformed),
  chunk(
    "trailers without end", "0\r\n" + (0..<2_000).map { "X\($0): yyyyyyyyyyyyyyyy\r\n" }.joined(), 431, word: tooLarge),
  chunk("second chunk bad", "5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n"),
]

@Suite("requests that are refused")
struct RefusedRequestTests {
  /// Nothing reaches it: what is refused goes nowhere.
  static let echo: Backend = {
    let echo = Backend.echo()
    _ = Router.shared.service(echo)
    Router.shared.service("echo", ports: [echo.port])
    return echo
  }()

  /// The answer is readable to its end, the connection closes, and what follows the refused request is not served.
  func check(_ refused: RefusedCase, followedBy smuggled: String) throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    socket.send(refused.bytes + smuggled)
    let response = try #require(socket.readResponse(), "no answer")
    #expect(refused.statuses.contains(response.status), "\(response.startLine)")
    #expect(response.isComplete)
    #expect(response.reasonWord == refused.word, "\(response.head)\(response.bodyText)")
    #expect(response["connection"] == "close")
    #expect(response["date"] != nil)
    let rest = socket.readToEnd()
    #expect(rest.isEmpty, "\(text(rest))")
    #expect(socket.end == .fin)
  }

  @Test("bad request lines", arguments: lineCases)
  func requestLine(_ refused: RefusedCase) throws { try check(refused, followedBy: "") }

  @Test("bad fields", arguments: fieldCases)
  func fields(_ refused: RefusedCase) throws { try check(refused, followedBy: "") }

  @Test("bad Host", arguments: hostCases)
  func hosts(_ refused: RefusedCase) throws {
    if refused.word == "identify.none" {
      let socket = try Router.shared.connect()
      socket.send(refused.bytes)
      #expect(socket.readResponse()?.reasonWord == "identify.none")
    } else {
      try check(refused, followedBy: "")
    }
  }

  @Test("bad Content-Length", arguments: lengthCases)
  func lengths(_ refused: RefusedCase) throws {
    try check(refused, followedBy: "GET /smuggled HTTP/1.1\r\nHost: echo\r\n\r\n")
  }

  @Test("bad Transfer-Encoding", arguments: codingCases)
  func codings(_ refused: RefusedCase) throws {
    try check(refused, followedBy: "GET /smuggled HTTP/1.1\r\nHost: echo\r\n\r\n")
  }

  @Test("bad chunks", arguments: chunkCases)
  func chunks(_ refused: RefusedCase) throws {
    try check(refused, followedBy: "")
    #expect(!Self.echo.requests.contains { $0.isComplete && $0.startLine.hasPrefix("POST /chunks") })
  }

  @Test(
    "what follows a bad chunk is not served",
    arguments: chunkCases.filter { !$0.bytes.hasSuffix("a") && !$0.title.contains("too short") })
  func afterChunks(_ refused: RefusedCase) throws {
    try check(refused, followedBy: "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: echo\r\n\r\n")
  }

  @Test("a fault is found however the bytes are cut", arguments: [1, 2, 3, 7, 16])
  func cut(_ size: Int) throws {
    _ = Self.echo
    for refused in [fieldCases[0], fieldCases[7], lengthCases[1], codingCases[0], chunkCases[1], chunkCases[13]] {
      let socket = try Router.shared.connect()
      let bytes = wire(refused.bytes)
      for start in stride(from: 0, to: bytes.count, by: size) {
        guard socket.send(Array(bytes[start..<min(start + size, bytes.count)])) else { break }
        if start % 8 == 0 { usleep(300) }
      }
      #expect(socket.readResponse()?.reasonWord == refused.word, "\(refused.title)")
      #expect(socket.awaitEnd() == .fin, "\(refused.title)")
    }
  }

  @Test("a refused HEAD is answered without a body")
  func head() throws {
    let socket = try Router.shared.connect()
    socket.send("HEAD / HTTP/1.1\r\nHost: echo\r\nX: \(String(repeating: "y", count: 20_000))\r\n\r\n")
    let answer = text(socket.readToEnd())
    #expect(answer.hasPrefix("HTTP/1.1 431 ") && answer.hasSuffix("\r\n\r\n"), "\(answer)")
    #expect(answer.components(separatedBy: "\r\n\r\n").count == 2)
  }

  @Test("a refusal can be read although megabytes are still being sent")
  func refusalDuringUpload() throws {
    let socket = try Router.shared.connect()
    socket.send(post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n")
    let block = [UInt8](repeating: 0x61, count: 65_536)
    for _ in 0..<128 { #expect(socket.send(block)) }
    let response = try #require(socket.readResponse())
    #expect(response.status == 400)
    #expect(response.isComplete)
  }

  @Test("a head that does not end is answered with 408 after the header time-out")
  func slowHead() throws {
    for start in ["G", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: echo\r\n"] {
      let socket = try Router.shared.connect()
      socket.send(start)
      let response = try #require(socket.readResponse())
      #expect(response.status == 408)
      #expect(response.reasonWord == "decode.slow")
      #expect(socket.awaitEnd() == .fin)
    }
  }
}

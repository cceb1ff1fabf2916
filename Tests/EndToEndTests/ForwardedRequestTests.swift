import Foundation
import Testing

/// A valid request, and what of it must, or must not, be in the bytes that the backend receives.
struct ForwardedCase: Sendable, CustomTestStringConvertible {
  var title: String
  var bytes: String
  /// The request line that the backend sees.
  var line: String?
  var holds: [String]
  var lacks: [String]
  var body: String?

  init(
    _ title: String, _ bytes: String, line: String? = nil, holds: [String] = [], lacks: [String] = [],
    body: String? = nil
  ) {
    self.title = title
    self.bytes = bytes
    self.line = line
    self.holds = holds
    self.lacks = lacks
    self.body = body
  }

  var testDescription: String { title }
}

private func fields(_ title: String, _ lines: String, holds: [String] = [], lacks: [String] = []) -> ForwardedCase {
  ForwardedCase(title, "GET / HTTP/1.1\r\nHost: fwd\r\n\(lines)\r\n\r\n", holds: holds, lacks: lacks)
}

private func target(_ title: String, _ sent: String, _ seen: String, method: String = "GET", holds: [String] = [])
  -> ForwardedCase
{
  ForwardedCase(
    title, "\(method) \(sent) HTTP/1.1\r\nHost: fwd\r\n\r\n", line: "\(method) \(seen) HTTP/1.1", holds: holds)
}

private func chunked(_ title: String, _ body: String, seen: String, fields: String = "") -> ForwardedCase {
  ForwardedCase(title, "POST / HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: chunked\r\n\(fields)\r\n\(body)", body: seen)
}

private let targetCases: [ForwardedCase] = [
  target("origin form", "/a/b?c=d", "/a/b?c=d"), target("percent escapes stay", "/%41%2f%00?%20", "/%41%2f%00?%20"),
  target("dots stay", "/a/../b/./c//d", "/a/../b/./c//d"),
  target("odd bytes stay", "/!$&'()*+,;=:@~-._|\\^`{}<>\"", "/!$&'()*+,;=:@~-._|\\^`{}<>\""),
  target("two slashes", "//evil/x", "//evil/x"), target("empty query", "/?", "/?"),
  target("two question marks", "/?a?b", "/?a?b"),
  target("absolute form", "http://fwd/a?b", "/a?b", holds: ["Host: fwd\r\n"]),
  target("absolute form without path", "http://fwd", "/"),
  target("absolute form with query alone", "http://fwd?a=b", "/?a=b"),
  target("absolute form in capitals", "HTTP://fwd/a", "/a"), target("absolute form with https", "https://fwd/a", "/a"),
  target("asterisk", "*", "*", method: "OPTIONS"), target("absolute OPTIONS", "http://fwd", "*", method: "OPTIONS"),
  target("absolute OPTIONS with slash", "http://fwd/", "/", method: "OPTIONS"),
  target("method in lower case", "/", "/", method: "get"), target("made-up method", "/", "/", method: "M-SEARCH"),
  target("method of odd token bytes", "/", "/", method: "!#$%&'*+-.^_`|~0"), target("PATCH", "/", "/", method: "PATCH"),
  target("DELETE", "/", "/", method: "DELETE"), target("TRACE", "/", "/", method: "TRACE"),
  target("PUT without content", "/", "/", method: "PUT"),
  ForwardedCase(
    "absolute form wins over Host", "GET http://fwd/a HTTP/1.1\r\nHost: other\r\n\r\n", line: "GET /a HTTP/1.1",
    holds: ["Host: fwd\r\n"], lacks: ["other"]),
  ForwardedCase(
    "HTTP/1.0 becomes HTTP/1.1", "GET /a HTTP/1.0\r\nHost: fwd\r\n\r\n", line: "GET /a HTTP/1.1", holds: ["Via: 1.0 "]),
  ForwardedCase(
    "HTTP/1.0 with absolute form needs no Host", "GET http://fwd/a HTTP/1.0\r\n\r\n", line: "GET /a HTTP/1.1",
    holds: ["Host: fwd\r\n"]),
  ForwardedCase(
    "an empty line before the request", "\r\nGET /a HTTP/1.1\r\nHost: fwd\r\n\r\n", line: "GET /a HTTP/1.1"),
  ForwardedCase(
    "two empty lines before the request", "\r\n\r\nGET /a HTTP/1.1\r\nHost: fwd\r\n\r\n", line: "GET /a HTTP/1.1"),
  ForwardedCase(
    "Host without space", "GET /a HTTP/1.1\r\nHost:fwd\r\n\r\n", line: "GET /a HTTP/1.1", holds: ["Host:fwd\r\n"]),
  ForwardedCase("Host with white space around", "GET /a HTTP/1.1\r\nHost:  \tfwd \t\r\n\r\n", line: "GET /a HTTP/1.1"),
  ForwardedCase("host in lower case name", "GET /a HTTP/1.1\r\nhost: fwd\r\n\r\n", line: "GET /a HTTP/1.1"),
]

private let fieldCases: [ForwardedCase] = [
  fields(
    "case and spacing of names and values stay", "x-Odd-CASE:   a  b\tc  \r\nETAG:\"x\"",
    holds: ["x-Odd-CASE:   a  b\tc  \r\nETAG:\"x\"\r\n"]),
  fields("order and duplicates stay", "B: 1\r\nA: 2\r\nB: 3\r\nA: 4", holds: ["B: 1\r\nA: 2\r\nB: 3\r\nA: 4\r\n"]),
  fields("empty values stay", "A:\r\nB: ", holds: ["A:\r\nB: \r\n"]),
  fields("obs-text stays", "A: \u{fc}\u{80}\u{ff}", holds: ["A: \u{fc}\u{80}\u{ff}\r\n"]),
  fields("odd names stay", "!#$%&'*+-.^_`|~09az: b", holds: ["!#$%&'*+-.^_`|~09az: b\r\n"]),
  fields("colons in values stay", "A: :b:c:", holds: ["A: :b:c:\r\n"]),
  fields("cookies stay apart", "Cookie: a=b\r\nCookie: c=d", holds: ["Cookie: a=b\r\nCookie: c=d\r\n"]),
  fields(
    "a long value stays", "A: " + String(repeating: "v", count: 6_000),
    holds: [String(repeating: "v", count: 6_000) + "\r\n"]),
  fields(
    "underscores are not hyphens", "Content_Length: 5\r\nTransfer_Encoding: chunked",
    holds: ["Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"]),
  fields("Via is added", "A: b", holds: ["Via: 1.1 meshrouter\r\n"]),
  fields(
    "Via is appended", "Via: 1.0 fred, 1.1 p.example\r\nVia: 1.1 q",
    holds: ["Via: 1.0 fred, 1.1 p.example\r\nVia: 1.1 q\r\n", "Via: 1.1 meshrouter\r\n"]),
  fields("Connection goes", "Connection: keep-alive", lacks: ["onnection:"]),
  fields("Connection: close goes", "Connection: close", lacks: ["onnection:", "close"]),
  fields("Keep-Alive goes", "Keep-Alive: timeout=5", lacks: ["eep-"]),
  fields("Proxy-Connection goes", "Proxy-Connection: keep-alive", lacks: ["roxy-"]),
  fields("Proxy-Authorization goes", "Proxy-Authorization: Basic x", lacks: ["roxy-"]),
  fields("TE goes", "TE: gzip", lacks: ["TE:"]),
  fields(
    "TE keeps trailers alone", "TE: trailers, deflate;q=0.5\r\nConnection: TE",
    holds: ["TE: trailers\r\n", "Connection: TE\r\n"], lacks: ["deflate"]),
  fields("Upgrade alone goes", "Upgrade: websocket", lacks: ["pgrade"]),
  fields(
    "Upgrade to h2c with broken settings goes",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP",
    lacks: ["pgrade", "h2c", "HTTP2"]),
  fields(
    "Upgrade in HTTP/1.1 stays", "Connection: upgrade\r\nUpgrade: websocket",
    holds: ["Connection: upgrade\r\n", "Upgrade: websocket\r\n"]),
  ForwardedCase(
    "Upgrade in HTTP/1.0 goes", "GET / HTTP/1.0\r\nHost: fwd\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    lacks: ["pgrade"]),
  fields(
    "a field named by Connection goes", "Connection: X-Hop\r\nX-Hop: 1\r\nX-End: 2", holds: ["X-End: 2"],
    lacks: ["X-Hop"]),
  fields(
    "all fields of that name go", "X-Hop: 1\r\nConnection: close, x-hop\r\nX-HOP: 2", lacks: ["hop", "HOP", "Hop"]),
  fields(
    "fields named on several Connection lines go", "Connection: A1\r\nConnection: B1\r\nA1: x\r\nB1: y",
    lacks: ["A1", "B1"]),
  fields(
    "a known field named by Connection goes", "Connection: Cookie, User-Agent\r\nCookie: a\r\nUser-Agent: b",
    lacks: ["ookie", "gent"]),
  fields("Host cannot be named", "Connection: Host", holds: ["Host: fwd\r\n"]),
  fields("Via cannot be named", "Connection: Via\r\nVia: 1.1 a", holds: ["Via: 1.1 a\r\n"]),
  fields("empty members of Connection are skipped", "Connection: , ,close,, X-Hop ,\r\nX-Hop: 1", lacks: ["X-Hop"]),
  fields("Max-Forwards of GET stays", "Max-Forwards: 5", holds: ["Max-Forwards: 5\r\n"]),
  fields("Authorization stays", "Authorization: Basic x", holds: ["Authorization: Basic x\r\n"]),
  fields(
    "Forwarded fields stay", "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4",
    holds: ["X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"]),
  fields(
    "traceparent stays", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    holds: ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"]),
  fields(
    "Range and conditions stay", "Range: bytes=0-1\r\nIf-None-Match: \"a\"",
    holds: ["Range: bytes=0-1\r\nIf-None-Match: \"a\"\r\n"]),
  ForwardedCase(
    "Max-Forwards of OPTIONS counts down", "OPTIONS / HTTP/1.1\r\nHost: fwd\r\nMax-Forwards: 5\r\n\r\n",
    holds: ["Max-Forwards: 4\r\n"], lacks: ["Max-Forwards: 5"]),
  ForwardedCase(
    "Max-Forwards of TRACE counts down", "TRACE / HTTP/1.1\r\nHost: fwd\r\nMax-Forwards: 1\r\n\r\n",
    holds: ["Max-Forwards: 0\r\n"], lacks: ["Max-Forwards: 1"]),
  fields(
    "client and service are told", "A: b",
    holds: ["l5d-dst-service: /svc/fwd\r\n", "l5d-dst-client: /#/io.l5d.fs/fwd\r\n"]),
  fields(
    "what the caller says of them is not believed", "l5d-dst-service: /svc/fib\r\nl5d-dst-client: /fib", lacks: ["fib"]),
  fields("trace context is made", "A: b", holds: ["l5d-ctx-trace: ", "l5d-reqid: "]),
]

private let bodyCases: [ForwardedCase] = [
  ForwardedCase(
    "a length", "POST / HTTP/1.1\r\nHost: fwd\r\nContent-Length: 5\r\n\r\nhello", holds: ["Content-Length: 5\r\n"],
    lacks: ["hunked"], body: "hello"),
  ForwardedCase(
    "length zero", "POST / HTTP/1.1\r\nHost: fwd\r\nContent-Length: 0\r\n\r\n", holds: ["Content-Length: 0\r\n"],
    body: ""),
  ForwardedCase(
    "length with leading zeros", "POST / HTTP/1.1\r\nHost: fwd\r\nContent-Length: 005\r\n\r\nhello", body: "hello"),
  ForwardedCase(
    "length with white space around", "POST / HTTP/1.1\r\nHost: fwd\r\nContent-Length: \t 5 \t\r\n\r\nhello",
    body: "hello"),
  ForwardedCase("GET with content", "GET / HTTP/1.1\r\nHost: fwd\r\nContent-Length: 5\r\n\r\nhello", body: "hello"),
  ForwardedCase(
    "DELETE with content", "DELETE / HTTP/1.1\r\nHost: fwd\r\nContent-Length: 5\r\n\r\nhello", body: "hello"),
  ForwardedCase("POST without content", "POST / HTTP/1.1\r\nHost: fwd\r\n\r\n", body: ""),
  ForwardedCase(
    "HTTP/1.0 with a length", "POST / HTTP/1.0\r\nHost: fwd\r\nContent-Length: 5\r\n\r\nhello", body: "hello"),
  ForwardedCase(
    "Content-Length cannot be named by Connection",
    "POST / HTTP/1.1\r\nHost: fwd\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
    holds: ["Content-Length: 5\r\n"], body: "hello"),
  ForwardedCase(
    "Transfer-Encoding cannot be named by Connection",
    "POST / HTTP/1.1\r\nHost: fwd\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    body: "hello"),
  chunked("one chunk", "5\r\nhello\r\n0\r\n\r\n", seen: "hello"), chunked("no chunk", "0\r\n\r\n", seen: ""),
  chunked("many chunks", "1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n", seen: "hello"),
  chunked("hex in both cases", "A\r\n0123456789\r\nb\r\n01234567890\r\n0\r\n\r\n", seen: "012345678901234567890"),
  chunked("leading zeros", "00000005\r\nhello\r\n000\r\n\r\n", seen: "hello"),
  chunked("an extension", "5;a\r\nhello\r\n0;b=c\r\n\r\n", seen: "hello"),
  chunked("an extension in quotes", "5;a=\"b;c\\\"d\"\r\nhello\r\n0\r\n\r\n", seen: "hello"),
  chunked("white space around an extension", "5 ; a = b\r\nhello\r\n0\r\n\r\n", seen: "hello"),
  chunked("CRLF as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", seen: "\r\n\r\n"),
  chunked("a request as data", "12\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\n\r\n", seen: "GET / HTTP/1.1\r\n\r\n"),
  ForwardedCase(
    "chunked in capitals", "POST / HTTP/1.1\r\nHost: fwd\r\ntRANSFER-eNCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    body: "hello"),
  ForwardedCase(
    "chunked with white space around",
    "POST / HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: \tchunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n", body: "hello"),
  ForwardedCase(
    "GET with chunks", "GET / HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    body: "hello"),
  ForwardedCase(
    "trailers",
    "POST / HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-two: 2\r\n\r\n",
    body: "helloX-Sum: 1\r\nx-two: 2\r\n"),
  ForwardedCase(
    "trailers that frame or route are dropped",
    "POST / HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\nHost: x\r\nTransfer-Encoding: y\r\nOk: 1\r\n\r\n",
    body: "Ok: 1\r\n"),
]

@Suite("requests that are passed on")
struct ForwardedRequestTests {
  static let echo: Backend = {
    let echo = Backend.echo()
    _ = Router.shared.service(echo)
    Router.shared.service("fwd", ports: [echo.port])
    return echo
  }()

  /// One response, whose body is what the backend received.
  func check(_ sent: ForwardedCase, send: (RawSocket) -> Void) throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    send(socket)
    let response = try #require(socket.readResponse(), "no answer")
    #expect(response.status == 200, "\(response.head)\(response.bodyText)")
    #expect(response["x-echo"] == "yes")
    let seen = response.bodyText
    let end = try #require(seen.range(of: "\r\n\r\n"))
    let head = String(seen[..<end.upperBound])
    if let line = sent.line { #expect(head.components(separatedBy: "\r\n")[0] == line) }
    for part in sent.holds { #expect(head.contains(part), "lacks \(part) in \(head)") }
    for part in sent.lacks { #expect(!head.contains(part), "has \(part) in \(head)") }
    if let body = sent.body { #expect(String(seen[end.upperBound...]) == body) }
    // Via stands once for this hop, and Host is the only one.
    #expect(head.components(separatedBy: "meshrouter\r\n").count == 2, "\(head)")
    #expect(head.lowercased().components(separatedBy: "\r\nhost:").count == 2, "\(head)")
    // The connection is in step: a second request gets its own answer.
    if !sent.bytes.contains("HTTP/1.0"), !sent.bytes.contains("close") {
      socket.send("GET /second HTTP/1.1\r\nHost: fwd\r\n\r\n")
      #expect(socket.readResponse()?.bodyText.hasPrefix("GET /second HTTP/1.1\r\n") == true)
    } else {
      #expect(socket.awaitEnd() == .fin)
    }
  }

  @Test("targets and methods", arguments: targetCases)
  func targets(_ sent: ForwardedCase) throws { try check(sent) { $0.send(sent.bytes) } }

  @Test("fields", arguments: fieldCases)
  func fields(_ sent: ForwardedCase) throws { try check(sent) { $0.send(sent.bytes) } }

  @Test("content", arguments: bodyCases)
  func bodies(_ sent: ForwardedCase) throws { try check(sent) { $0.send(sent.bytes) } }

  @Test("byte by byte", arguments: [targetCases[0], targetCases[7], fieldCases[0], fieldCases[22]] + bodyCases)
  func slowly(_ sent: ForwardedCase) throws {
    try check(sent) { socket in
      for byte in wire(sent.bytes) {
        socket.send([byte])
        usleep(200)
      }
    }
  }

  @Test("pipelined requests are answered in their order", arguments: [2, 10, 100])
  func pipelined(_ count: Int) throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    var all = ""
    for index in 0..<count {
      all +=
        index % 3 == 0
        ? "POST /\(index) HTTP/1.1\r\nHost: fwd\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        : index % 3 == 1
          ? "GET /\(index) HTTP/1.1\r\nHost: fwd\r\n\r\n"
          : "POST /\(index) HTTP/1.1\r\nHost: fwd\r\nContent-Length: 3\r\n\r\nabc"
    }
    socket.send(all)
    for index in 0..<count {
      let response = try #require(socket.readResponse())
      #expect(response.bodyText.contains(" /\(index) HTTP/1.1\r\n"))
    }
  }

  @Test("requests before a bad one are answered, it is refused, those after it are not served")
  func pipelinedFault() throws {
    _ = Self.echo
    let good = "GET /good HTTP/1.1\r\nHost: fwd\r\n\r\n"
    let socket = try Router.shared.connect()
    socket.send(good + good + "GET / HTTP/1.1\r\nHost: fwd\r\nA : b\r\n\r\n" + good)
    #expect(socket.readResponse()?.status == 200)
    #expect(socket.readResponse()?.status == 200)
    let refusal = try #require(socket.readResponse())
    #expect(refusal.status == 400)
    #expect(socket.readToEnd().isEmpty)
    #expect(socket.end == .fin)
  }

  @Test("requests before and after a failure that leaves no doubt are answered")
  func pipelinedFailure() throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    let good = "GET /good HTTP/1.1\r\nHost: fwd\r\n\r\n"
    socket.send(good + "GET / HTTP/1.1\r\nHost: nobody-here\r\n\r\n" + good)
    #expect(socket.readResponse()?.status == 200)
    #expect(socket.readResponse()?.reasonWord == "bind.neg")
    #expect(socket.readResponse()?.status == 200)
  }

  @Test("a caller that has half closed still gets its responses")
  func halfClosed() throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    socket.send("GET /1 HTTP/1.1\r\nHost: fwd\r\n\r\nGET /2 HTTP/1.1\r\nHost: fwd\r\n\r\n")
    socket.finish()
    #expect(socket.readResponse()?.status == 200)
    #expect(socket.readResponse()?.bodyText.hasPrefix("GET /2 ") == true)
    #expect(socket.awaitEnd() == .fin)
  }

  @Test("HTTP/1.0 closes, unless it asks to keep alive")
  func oldVersion() throws {
    _ = Self.echo
    let closing = try Router.shared.connect()
    closing.send("GET / HTTP/1.0\r\nHost: fwd\r\n\r\n")
    let first = try #require(closing.readResponse())
    #expect(first["connection"] == "close")
    #expect(closing.awaitEnd() == .fin)

    let staying = try Router.shared.connect()
    for _ in 0..<3 {
      staying.send("GET / HTTP/1.0\r\nHost: fwd\r\nConnection: Keep-Alive\r\n\r\n")
      let response = try #require(staying.readResponse())
      #expect(response["connection"]?.lowercased() == "keep-alive")
    }
  }

  @Test("OPTIONS and TRACE with no forwards left are answered here")
  func maxForwards() throws {
    _ = Self.echo
    let socket = try Router.shared.connect()
    socket.send("OPTIONS * HTTP/1.1\r\nHost: fwd\r\nMax-Forwards: 0\r\n\r\n")
    let options = try #require(socket.readResponse())
    #expect(options.status == 200)
    #expect(options["x-echo"] == nil)
    socket.send("TRACE /t HTTP/1.1\r\nHost: fwd\r\nX-A: b\r\nCookie: secret\r\nMax-Forwards: 0\r\n\r\n")
    let trace = try #require(socket.readResponse())
    #expect(trace.status == 200)
    #expect(trace["content-type"] == "message/http")
    #expect(trace.bodyText.hasPrefix("TRACE /t HTTP/1.1\r\n"))
    #expect(trace.bodyText.contains("X-A: b"))
    #expect(!trace.bodyText.contains("secret"))
    #expect(trace["x-echo"] == nil)
  }

  @Test("a request that has passed too many proxies is refused")
  func loop() throws {
    _ = Self.echo
    let many = (0..<101).map { "1.1 p\($0)" }
    for lines in ["Via: " + many.joined(separator: ", "), many.map { "Via: \($0)" }.joined(separator: "\r\n")] {
      let socket = try Router.shared.connect()
      socket.send("GET / HTTP/1.1\r\nHost: fwd\r\n\(lines)\r\n\r\n")
      let response = try #require(socket.readResponse())
      #expect(response.status == 400)
      #expect(response.reasonWord == "loop.via_limit")
    }
  }

  @Test("CONNECT opens a tunnel to the named endpoint where it is allowed")
  func connect() throws {
    let backend = Backend { connection in
      let hello = connection.socket.read(count: 5)
      connection.socket.send(wire("got ") + hello)
      connection.socket.send(connection.socket.readToEnd())
    }
    _ = Router.shared.service(backend)
    Router.shared.service("tunnel:443", ports: [backend.port])
    let socket = try Router.shared.connect()
    socket.send("CONNECT tunnel:443 HTTP/1.1\r\nHost: tunnel:443\r\n\r\nhello")
    let head = try #require(socket.readHead())
    #expect(head.status == 200)
    #expect(head["content-length"] == nil)
    #expect(head["transfer-encoding"] == nil)
    #expect(text(socket.read(count: 9)) == "got hello")
    socket.send("rest")
    socket.finish()
    #expect(text(socket.readToEnd()) == "rest")
  }
}

import Testing

@testable import HTTP

@Suite("request heads")
struct RequestHeadTests {
  @Test("a plain request is read into positions")
  func plain() {
    let request = ParsedRequest("GET /a/b?c=d HTTP/1.1\r\nHost: web:80\r\nX-Odd:\t  v w \t\r\n\r\nrest")
    #expect(request.result == .complete)
    #expect(request.head.method == .get)
    #expect(request.text(request.head.methodRange) == "GET")
    #expect(request.text(request.head.target) == "/a/b?c=d")
    #expect(request.text(request.head.pathAndQuery) == "/a/b?c=d")
    #expect(request.text(request.raw.withUnsafeBytes { request.head.path(in: $0) }) == "/a/b")
    #expect(request.text(request.head.host) == "web:80")
    #expect(request.head.hostIndex == 0)
    #expect(request.head.minorVersion == 1)
    #expect(request.head.keepAlive)
    #expect(request.head.framing == .none)
    #expect(request.head.length == request.raw.count - 4)
    #expect(request.head.fields.count == 2)
    #expect(request.text(request.head.fields[1].name) == "X-Odd")
    #expect(request.text(request.head.fields[1].value) == "v w")
    #expect(request.text(request.head.fields[1].line) == "X-Odd:\t  v w \t\r\n")
    #expect(request.head.block[1] == request.head.fields[1])
    #expect(request.head.index(of: .host) == 0)
    #expect(request.head.index(of: .via) == nil)
    #expect(request.head.value(of: .via) == nil)
  }

  static let methods: [(String, HTTP.Method)] = [
    ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("PATCH", .patch),
    ("TRACE", .trace), ("OPTIONS", .options), ("PROPFIND", .other), ("get", .other), ("Get", .other), ("G", .other),
    ("GETS", .other), ("M-SEARCH", .other), ("!#$%&'*+-.^_`|~", .other), ("A-VERY-LONG-METHOD-NAME", .other),
  ]

  @Test("methods are told apart by their exact letters", arguments: methods)
  func method(_ name: String, _ expected: HTTP.Method) {
    let request = ParsedRequest("\(name) / HTTP/1.1\r\nHost: web\r\n\r\n")
    #expect(request.result == .complete)
    #expect(request.head.method == expected)
    #expect(request.text(request.head.methodRange) == name)
  }

  /// Target, form, authority, path and query, what an origin server is sent.
  static let targets: [(String, TargetForm, String, String, String)] = [
    ("/", .origin, "", "/", "/"),
    ("//double", .origin, "", "//double", "//double"),
    ("/a?b?c", .origin, "", "/a?b?c", "/a?b?c"),
    ("/%zz\"<>\\^`{|}", .origin, "", "/%zz\"<>\\^`{|}", "/%zz\"<>\\^`{|}"),
    ("/a@b:80//", .origin, "", "/a@b:80//", "/a@b:80//"),
    ("/http://web/", .origin, "", "/http://web/", "/http://web/"),
    ("http://web", .absolute, "web", "/", "/"),
    ("http://web/", .absolute, "web", "/", "/"),
    ("HTTP://Web:8080/a?b", .absolute, "Web:8080", "/a?b", "/a?b"),
    ("https://[::1]:80/a", .absolute, "[::1]:80", "/a", "/a"),
    ("http://web?x=/y", .absolute, "web", "?x=/y", "/?x=/y"),
    ("http://web:/a", .absolute, "web:", "/a", "/a"),
    ("http://web//a@b", .absolute, "web", "//a@b", "//a@b"),
  ]

  @Test("targets are taken apart", arguments: targets)
  func target(_ target: String, _ form: TargetForm, _ authority: String, _ path: String, _ origin: String) {
    let request = ParsedRequest("GET \(target) HTTP/1.1\r\nHost: other\r\n\r\n")
    #expect(request.result == .complete)
    #expect(request.head.targetForm == form)
    #expect(request.text(request.head.target) == target)
    #expect(request.text(request.head.authority) == authority)
    #expect(request.text(request.head.pathAndQuery) == path)
    // RFC 9112 §3.2.2: Host is ignored where the target has an authority.
    #expect(request.text(request.head.host) == (authority.isEmpty ? "other" : authority))
    #expect(written { request.head.appendOriginForm(request.raw.bytesCopy, to: $0) } == origin)
  }

  @Test("CONNECT has an authority, OPTIONS may have an asterisk")
  func otherForms() {
    let connect = ParsedRequest("CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(connect.head.targetForm == .authority)
    #expect(connect.text(connect.head.host) == "[::1]:443")
    #expect(written { connect.head.appendOriginForm(connect.raw.bytesCopy, to: $0) } == "[::1]:443")

    let asterisk = ParsedRequest("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(asterisk.head.targetForm == .asterisk)
    #expect(asterisk.text(asterisk.head.host) == "x")
    #expect(written { asterisk.head.appendOriginForm(asterisk.raw.bytesCopy, to: $0) } == "*")

    // RFC 9112 §3.2.4: the last proxy turns this into an asterisk, but not with a path.
    let wide = ParsedRequest("OPTIONS http://web:80 HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(written { wide.head.appendOriginForm(wide.raw.bytesCopy, to: $0) } == "*")
    let narrow = ParsedRequest("OPTIONS http://web:80/ HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(written { narrow.head.appendOriginForm(narrow.raw.bytesCopy, to: $0) } == "/")
    #expect(ParsedRequest("OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n").head.targetForm == .origin)
  }

  static let hosts = [
    "web", "WEB.example.COM", "web:80", "web:", "web:0", "web:00080", "web:65535", "127.0.0.1", "127.0.0.1:11000",
    "999.999.999.999", "[::]", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[::ffff:10.0.0.1]", "[1:2:3:4:5:6:1.2.3.4]",
    "[ABCD:ef01::]", "[v1.a:b]", "a_b", "a~b!c$d&e'f(g)h*i+j;k=l", "a%20b", "%41", "-", "a.", "xn--bcher-kva.example",
  ]

  @Test("a host by the grammar is accepted", arguments: hosts)
  func host(_ host: String) {
    let request = ParsedRequest("GET / HTTP/1.1\r\nHost: \(host) \r\n\r\n")
    #expect(request.result == .complete)
    #expect(request.text(request.head.host) == host)
    #expect(FieldSyntax.isAuthority(host))
  }

  static let badLiterals = [
    "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:1]", "[1:]", "[:::]", "[12345::]", "[g::]",
    "[1:2:3:4:5:6:7::8]", "[::1.2.3]", "[::1.2.3.4.5]", "[::1.2.3.256]", "[::01.2.3.4]", "[1.2.3.4]", "[::1.2.3.4:5]",
    "[v.a]", "[v1]", "[v1.]", "[vg.a]", "[v1.a%20]", "[1:2:3:4:5:6:7:1.2.3.4]", "[::1.2..4]", "[1", "[]",
  ]

  @Test("an IP literal against the grammar is not", arguments: badLiterals)
  func literal(_ host: String) {
    #expect(ParsedRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").rule == .badHost)
  }

  @Test("an empty Host is allowed and empty; without Host an HTTP/1.0 request has none")
  func noHost() {
    let empty = ParsedRequest("GET / HTTP/1.1\r\nHost:\r\n\r\n")
    #expect(empty.result == .complete)
    #expect(empty.text(empty.head.host) == "")
    let old = ParsedRequest("GET / HTTP/1.0\r\n\r\n")
    #expect(old.result == .complete)
    #expect(old.head.host == nil)
    let absolute = ParsedRequest("GET http://web/ HTTP/1.0\r\n\r\n")
    #expect(absolute.text(absolute.head.host) == "web")
  }

  /// Version, Connection lines, whether the connection lives on.
  static let persistence: [(String, [String], Bool)] = [
    ("1.1", [], true), ("1.1", ["keep-alive"], true), ("1.1", ["close"], false), ("1.1", ["CLOSE"], false),
    ("1.1", ["X, close , Y"], false), ("1.1", ["x", "close"], false), ("1.1", ["keep-alive, close"], false),
    ("1.1", ["closed"], true), ("1.1", [", ,"], true), ("1.1", [""], true), ("1.0", [], false),
    ("1.0", ["keep-alive"], true), ("1.0", ["Keep-Alive"], true), ("1.0", ["close"], false),
    ("1.0", ["keep-alive, close"], false), ("1.0", ["upgrade", "keep-alive"], true),
  ]

  @Test("Connection and version decide on persistence", arguments: persistence)
  func keepAlive(_ version: String, _ lines: [String], _ expected: Bool) {
    let fields = lines.map { "Connection: \($0)\r\n" }.joined()
    let request = ParsedRequest("GET / HTTP/\(version)\r\nHost: web\r\n\(fields)\r\n")
    #expect(request.result == .complete)
    #expect(request.head.keepAlive == expected)
    let response = ParsedResponse("HTTP/\(version) 200 OK\r\nContent-Length: 0\r\n\(fields)\r\n")
    #expect(response.head.keepAlive == expected)
  }

  @Test("fields that Connection names, and the fixed set, are hop-by-hop; framing and routing fields are not")
  func hopByHop() {
    let request = ParsedRequest(
      """
      GET / HTTP/1.1\r
      Host: web\r
      x-one: 1\r
      X-Two: 2\r
      X-ONE: 3\r
      Connection: close, X-One , host,content-length, via\r
      connection: L5D-Mine, cookie, x-a-name-of-more-than-twenty-four-bytes\r
      Content-Length: 0\r
      Via: 1.1 a\r
      Cookie: c\r
      l5d-mine: 1\r
      l5d-other: 1\r
      X-A-Name-Of-More-Than-Twenty-Four-Bytes: 1\r
      Keep-Alive: 5\r
      TE: trailers\r
      Upgrade: x\r
      Proxy-Connection: close\r
      Proxy-Authorization: a\r
      HTTP2-Settings: b\r
      \r\n
      """)
    #expect(request.result == .complete)
    let kept = request.head.fields.filter { !$0.isHopByHop }.compactMap { request.text($0.name) }
    #expect(kept == ["Host", "X-Two", "Content-Length", "Via", "l5d-other"])
    #expect(request.head.block.hasHopByHop)
  }

  @Test("Via is counted by members over all lines, comments aside")
  func via() {
    let request = ParsedRequest(
      "GET / HTTP/1.1\r\nHost: web\r\nVia: 1.1 a, 1.0 b (c, (d), e) ,, h2 f\r\nvia: 1.1 g\r\nVia:\r\n\r\n")
    #expect(request.head.viaCount == 4)
    #expect(ParsedRequest("GET / HTTP/1.1\r\nHost: web\r\n\r\n").head.viaCount == 0)
  }

  @Test("Upgrade counts together with its Connection option, in HTTP/1.1")
  func upgrade() {
    func parse(_ version: String, _ fields: String) -> ParsedRequest {
      ParsedRequest("GET / HTTP/\(version)\r\nHost: web\r\n\(fields)\r\n")
    }
    let both = parse("1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n")
    #expect(both.head.wantsUpgrade)
    #expect(both.text(both.head.upgradeRange) == "websocket")
    #expect(both.head.keepAlive)
    #expect(!parse("1.1", "Upgrade: websocket\r\n").head.wantsUpgrade)
    #expect(!parse("1.1", "Connection: upgrade\r\n").head.wantsUpgrade)
    #expect(!parse("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n").head.wantsUpgrade)
  }

  @Test("Expect, TE and Max-Forwards are understood")
  func seldom() {
    func parse(_ version: String, _ fields: String) -> ParsedRequest {
      ParsedRequest("POST / HTTP/\(version)\r\nHost: web\r\n\(fields)\r\n")
    }
    #expect(parse("1.1", "Expect: 100-Continue\r\n").head.expectsContinue)
    #expect(!parse("1.1", "Expect: 100-Continue\r\n").head.hasUnknownExpectation)
    #expect(!parse("1.0", "Expect: 100-continue\r\n").head.expectsContinue)
    #expect(!parse("1.1", "Expect: 100-continued\r\n").head.expectsContinue)
    #expect(parse("1.1", "Expect: 100-continue, x\r\n").head.hasUnknownExpectation)
    #expect(parse("1.1", "TE: gzip, Trailers\r\n").head.acceptsTrailers)
    #expect(!parse("1.1", "TE: gzip\r\n").head.acceptsTrailers)
    for (value, expected) in [("0", 0), ("10", 10), ("x", nil), ("", nil), ("-1", nil)] as [(String, UInt64?)] {
      let request = parse("1.1", "Max-Forwards: \(value)\r\n")
      #expect(request.head.maxForwards(request.raw.bytesCopy) == expected)
    }
  }

  @Test("nothing of an earlier request shows in a later one")
  func reuse() {
    var head = RequestHead()
    let limits = H1Limits()
    let rich = bytes(
      "CONNECT a:1 HTTP/1.0\r\nHost: b\r\nConnection: keep-alive, upgrade, x\r\nX: 1\r\nVia: a, b\r\nTE: trailers\r\n"
        + "Upgrade: x\r\nExpect: 100-continue\r\n\r\n")
    let plain = bytes("GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    #expect(head.parse(rich, limits: limits) == .complete)
    #expect(head.parse(plain, limits: limits) == .complete)
    var fresh = RequestHead()
    #expect(fresh.parse(plain, limits: limits) == .complete)
    #expect(String(describing: Shown(head)) == String(describing: Shown(fresh)))
  }

  @Test("empty lines before the request line are skipped, up to four")
  func emptyLines() {
    for count in 0...4 {
      let request = ParsedRequest(String(repeating: "\r\n", count: count) + "GET /a HTTP/1.1\r\nHost: web\r\n\r\n")
      #expect(request.result == .complete)
      #expect(request.head.start == 2 * count)
      #expect(request.head.length == request.raw.count)
      #expect(request.text(request.head.target) == "/a")
    }
  }
}

@Suite("limits")
struct LimitTests {
  private let request = "GET /aaaa HTTP/1.1\r\nHost: web\r\n\r\n"

  @Test("a line of exactly the limit passes, one byte more does not")
  func line() {
    #expect(ParsedRequest(request, limits: H1Limits(lineBytesMax: 18)).result == .complete)
    #expect(ParsedRequest(request, limits: H1Limits(lineBytesMax: 17)).rule == .lineTooLong)
    let response = "HTTP/1.1 200 OK\r\n\r\n"
    #expect(ParsedResponse(response, limits: H1Limits(lineBytesMax: 15)).result == .complete)
    #expect(ParsedResponse(response, limits: H1Limits(lineBytesMax: 14)).rule == .lineTooLong)
  }

  @Test("an unfinished line beyond the limit is refused at once")
  func endlessLine() {
    let limits = H1Limits(lineBytesMax: 64)
    for start in ["GET /", "GET", "GET / HTTP/1.1", ""] {
      let text = start + String(repeating: "a", count: 200)
      #expect([.lineTooLong, .badVersion, .badRequestLine].contains(ParsedRequest(text, limits: limits).rule))
    }
    #expect(ParsedRequest("GET /" + String(repeating: "a", count: 59), limits: limits).result == .needMore)
    #expect(ParsedRequest("GET /" + String(repeating: "a", count: 61), limits: limits).rule == .lineTooLong)
    #expect(ParsedResponse("HTTP/1.1 200 " + String(repeating: "a", count: 60), limits: limits).rule == .lineTooLong)
  }

  @Test("a head of exactly the limit passes, one byte more does not, and an unfinished one is refused at once")
  func head() {
    let count = request.utf8.count
    #expect(ParsedRequest(request, limits: H1Limits(headBytesMax: count)).result == .complete)
    #expect(ParsedRequest(request + "next", limits: H1Limits(headBytesMax: count)).result == .complete)
    #expect(ParsedRequest(request, limits: H1Limits(headBytesMax: count - 1)).rule == .headTooLong)
    let endless = "GET / HTTP/1.1\r\nHost: web\r\nX: " + String(repeating: "y", count: 20_000)
    #expect(ParsedRequest(endless).rule == .headTooLong)
    #expect(ParsedRequest("GET / HTTP/1.1\r\n" + String(repeating: "y", count: 20_000)).rule == .headTooLong)
    #expect(ParsedResponse("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 128)).result == .needMore)
    #expect(ParsedResponse("HTTP/1.1 200 OK\r\nX: " + String(repeating: "y", count: 20_000)).rule == .headTooLong)
  }

  @Test(
    "as many fields as the limit pass, one more does not; room grows as needed", arguments: [1, 31, 32, 33, 64, 500])
  func fields(_ count: Int) {
    let limits = H1Limits(headBytesMax: 100_000, fieldCountMax: count)
    let lines = (1..<count).map { "X-\($0): \($0)\r\n" }.joined()
    let request = ParsedRequest("GET / HTTP/1.1\r\nHost: web\r\n\(lines)\r\n", limits: limits)
    #expect(request.result == .complete)
    #expect(request.head.fields.count == count)
    for (index, field) in request.head.fields.enumerated().dropFirst() {
      #expect(request.text(field.line) == "X-\(index): \(index)\r\n")
    }
    #expect(ParsedRequest("GET / HTTP/1.1\r\nHost: web\r\n\(lines)A: b\r\n\r\n", limits: limits).rule == .tooManyFields)
  }

  @Test("with a hint, a sender of single bytes is judged like any other", arguments: [64, 4_096])
  func hint(_ lineBytesMax: Int) {
    let limits = H1Limits(lineBytesMax: lineBytesMax, headBytesMax: 400)
    let texts = [
      request, "\r\n\r\n" + request, "GET / HTTP/1.1\r\nX: y\n\r\n", "GET / HTTP/1.1\r\nHost: web\r\n X\r\n",
      "GET /" + String(repeating: "a", count: 900), "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 900),
    ]
    for text in texts {
      let all = bytes(text)
      var head = RequestHead()
      var resumeAt = 0
      var result = H1ParseResult.needMore
      var count = 0
      while result == .needMore, count < all.count {
        count += 1
        result = head.parse(all[0..<count].span, limits: limits, resumeAt: resumeAt)
        resumeAt = head.resumeAt
        if result == .needMore { #expect(resumeAt == count) }
      }
      let whole = ParsedRequest(all, limits: limits)
      switch (result, whole.result) {
      case (.failed(let one), .failed(let other)): #expect(one.rule == other.rule)
      default: #expect(result == whole.result)
      }
    }
  }
}

@Suite("response heads")
struct ResponseHeadTests {
  @Test("a plain response is read into positions")
  func plain() {
    let response = ParsedResponse("HTTP/1.1 404 Not Found at all\r\nContent-Length: 3\r\nVia: a, b\r\n\r\nabc")
    #expect(response.result == .complete)
    #expect(response.head.status == 404)
    #expect(response.text(response.head.reason) == "Not Found at all")
    #expect(response.head.framing == .length(3))
    #expect(response.head.declaredLength == 3)
    #expect(response.head.keepAlive)
    #expect(response.head.viaCount == 2)
    #expect(response.head.length == response.raw.count - 3)
    #expect(!response.head.isInformational)
  }

  static let statusLines: [(String, Int, String)] = [
    ("HTTP/1.1 200 OK", 200, "OK"), ("HTTP/1.1 200 ", 200, ""), ("HTTP/1.1 200", 200, ""),
    ("HTTP/1.0 100 A\tB", 100, "A\tB"), ("HTTP/1.1 999 \u{e9}", 999, "\u{e9}"), ("HTTP/1.1 599  x ", 599, " x "),
  ]

  @Test("status lines", arguments: statusLines)
  func statusLine(_ line: String, _ status: Int, _ reason: String) {
    let response = ParsedResponse("\(line)\r\nContent-Length: 0\r\n\r\n")
    #expect(response.result == .complete)
    #expect(response.head.status == status)
    #expect(response.text(response.head.reason) == reason)
  }

  static let refusals: [Refusal] = [
    Refusal("\r\nHTTP/1.1 200 OK\r\n\r\n", .badVersion, at: 0),
    Refusal("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion),
    Refusal("HTTP/1.2 200 OK\r\n\r\n", .unsupportedVersion),
    Refusal("http/1.1 200 OK\r\n\r\n", .badVersion),
    Refusal("HTTP/1.10 200 OK\r\n\r\n", .badVersion),
    Refusal("ICY 200 OK\r\n\r\n", .badVersion),
    Refusal("<html>", .badVersion),
    Refusal("HTTP/1.1  200 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1\t200 OK\r\n\r\n", .badStatusLine),
    Refusal("HTTP/1.1\r\n\r\n", .badStatusLine),
    Refusal("HTTP/1.1 20 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 2000 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 099 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 000 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 2x0 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 -20 OK\r\n\r\n", .badStatusCode),
    Refusal("HTTP/1.1 200OK\r\n\r\n", .badStatusLine),
    Refusal("HTTP/1.1 200\tOK\r\n\r\n", .badStatusLine),
    Refusal("HTTP/1.1 200\n\r\n", .bareLF),
    Refusal("HTTP/1.1 200 OK\n\r\n", .bareLF),
    Refusal("HTTP/1.1 200 OK\r\r\n", .bareCR),
    Refusal("HTTP/1.1 200 O\rK\r\n\r\n", .bareCR),
    Refusal("HTTP/1.1 200 O\u{0}K\r\n\r\n", .badValueByte),
    Refusal("HTTP/1.1 200 OK\r\n X: y\r\n\r\n", .whitespaceBeforeFirstField),
    Refusal("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", .obsFold),
    Refusal("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", .spaceBeforeColon),
    Refusal("HTTP/1.1 200 OK\r\nX\r\n\r\n", .missingColon),
    Refusal("HTTP/1.1 200 OK\r\n: y\r\n\r\n", .emptyName),
    Refusal("HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n", .bareCR),
    Refusal("HTTP/1.1 200 OK\r\nX: y\n\r\n", .bareLF),
    Refusal("HTTP/1.1 200 OK\r\nX: \u{0}\r\n\r\n", .badValueByte),
    Refusal("HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n", .badConnectionOption),
  ]

  @Test("a response that breaks a rule is refused", arguments: refusals)
  func refused(_ refusal: Refusal) {
    let response = ParsedResponse(refusal.raw)
    #expect(response.rule == refusal.rule)
    if case .failed(let error) = response.result, let offset = refusal.offset { #expect(Int(error.offset) == offset) }
  }

  @Test("several Host fields in a response are nobody's business")
  func host() { #expect(ParsedResponse("HTTP/1.1 200 OK\r\nHost: a b\r\nHost: c\r\n\r\n").result == .complete) }
}

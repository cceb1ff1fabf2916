import Config
import HTTP
import Testing

@testable import MeshRouter

@Suite struct IdentifierTests {
  private func identify(
    _ kind: Configuration.Identifier, _ head: String, prefix: String = "/svc"
  ) -> (result: Identifier.Result, name: String) {
    let identifier = Identifier(kind, dstPrefix: prefix)
    var request = RequestHead()
    let key = ByteBuffer()
    let bytes = Array(head.utf8)
    let result = bytes.withUnsafeBytes { bytes in
      #expect(request.parse(bytes, limits: H1Limits()) == .complete)
      return identifier.identify(&request, bytes, into: key)
    }
    return (result, String(decoding: Array(key.readable), as: UTF8.self))
  }

  @Test("header.token takes Host as one label, port and case kept")
  func host() {
    let named = identify(.headerToken(header: "Host"), "GET / HTTP/1.1\r\nHost: Web:8080\r\n\r\n")
    #expect(named.result == .name(consumed: 0))
    #expect(named.name == "/svc/Web:8080")
  }

  @Test("a label that cannot be written plainly is escaped as a whole")
  func escaped() {
    let named = identify(.headerToken(header: "Host"), "GET / HTTP/1.1\r\nHost: a~\r\n\r\n")
    #expect(named.name == "/svc/\\x61\\x7e")
  }

  @Test("the authority of an absolute target wins over Host")
  func absolute() {
    let named = identify(.headerToken(header: "Host"), "GET http://web/x HTTP/1.1\r\nHost: other\r\n\r\n")
    #expect(named.name == "/svc/web")
  }

  @Test("header.token of another header, known or not, in any case", arguments: ["X-Service", "User-Agent"])
  func otherToken(name: String) {
    let named = identify(.headerToken(header: name), "GET / HTTP/1.1\r\nHost: h\r\n\(name.uppercased()): web\r\n\r\n")
    #expect(named.name == "/svc/web")
    #expect(identify(.headerToken(header: name), "GET / HTTP/1.1\r\nHost: h\r\n\r\n").result == .none)
  }

  @Test("header reads a path and refuses what is none")
  func header() {
    #expect(
      identify(.header(header: "l5d-name"), "GET / HTTP/1.1\r\nHost: h\r\nl5d-name: /a/b\r\n\r\n").name == "/svc/a/b")
    #expect(
      identify(.header(header: "l5d-name"), "GET / HTTP/1.1\r\nHost: h\r\nl5d-name: a b\r\n\r\n").result == .badPath)
  }

  @Test("path takes segments and says how many bytes they took when it consumes them")
  func path() {
    let kind = Configuration.Identifier.path(segments: 2, consume: true)
    let named = identify(kind, "GET /a/b/c?d=/e HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(named.result == .name(consumed: 4))
    #expect(named.name == "/svc/a/b")
    #expect(identify(kind, "GET /a?b=/c HTTP/1.1\r\nHost: h\r\n\r\n").result == .none)
    #expect(identify(kind, "GET /a//c HTTP/1.1\r\nHost: h\r\n\r\n").result == .none)
  }

  @Test("methodAndHost lower-cases the host and leaves it out for HTTP/1.0")
  func methodAndHost() {
    let plain = Configuration.Identifier.methodAndHost(httpUriInDst: false)
    #expect(identify(plain, "GET /x HTTP/1.1\r\nHost: WEB\r\n\r\n").name == "/svc/1.1/GET/web")
    #expect(identify(plain, "GET /x HTTP/1.0\r\n\r\n").name == "/svc/1.0/GET")
    let uri = Configuration.Identifier.methodAndHost(httpUriInDst: true)
    #expect(identify(uri, "GET /x/y?z HTTP/1.1\r\nHost: web\r\n\r\n").name == "/svc/1.1/GET/web/x/y")
  }

  @Test("static names every request; a root prefix adds nothing")
  func fixed() {
    #expect(identify(.static(path: "/web"), "GET / HTTP/1.0\r\n\r\n", prefix: "/").name == "/web")
  }

  @Test("identifiers are tried in order, and the request's dtabs follow the name")
  func chain() {
    let identifiers = [
      Identifier(.header(header: "l5d-name"), dstPrefix: "/svc"),
      Identifier(.headerToken(header: "Host"), dstPrefix: "/svc"),
    ]
    let head = Array("GET / HTTP/1.1\r\nHost: web\r\nl5d-dtab: /b=>/c;\r\nl5d-ctx-dtab: /a=>/b\r\n\r\n".utf8)
    for (clear, expected) in [(false, "/svc/web\0/a=>/b\n;/b=>/c"), (true, "/svc/web")] {
      var request = RequestHead()
      let key = ByteBuffer()
      head.withUnsafeBytes { bytes in
        _ = request.parse(bytes, limits: H1Limits())
        _ = identifiers.identify(&request, bytes, clearContext: clear, into: key)
      }
      #expect(String(decoding: Array(key.readable), as: UTF8.self) == expected)
    }
  }
}

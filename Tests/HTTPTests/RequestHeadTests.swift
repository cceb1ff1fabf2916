import Testing

@testable import HTTP

@Suite("request heads")
struct RequestHeadTests {
  @Test("a plain request is read into positions")
  func plain() {
    let request = ParsedRequest("GET /a/b?c=d HTTP/1.1\r\nHost: web:80\r\nX-Odd:\t  v w \t\r\n\r\nrest")
    #expect(request.result == .complete)
    #expect(request.head.method == .get)
    #expect(request.text(request.head.target) == "/a/b?c=d")
    #expect(request.text(request.head.pathAndQuery) == "/a/b?c=d")
    #expect(request.text(request.head.host) == "web:80")
    #expect(request.head.minorVersion == 1)
    #expect(request.head.keepAlive)
    #expect(request.head.framing == .none)
    #expect(request.head.length == request.raw.count - 4)
    #expect(request.head.fields.count == 2)
    #expect(request.text(request.head.fields[1].name) == "X-Odd")
    #expect(request.text(request.head.fields[1].value) == "v w")
    #expect(request.text(request.head.fields[1].line) == "X-Odd:\t  v w \t\r\n")
    #expect(request.head.index(of: .host) == 0)
    #expect(request.head.index(of: .via) == nil)
  }
}

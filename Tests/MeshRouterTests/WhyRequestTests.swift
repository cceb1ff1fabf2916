import Testing

@testable import MeshRouter

@Suite struct WhyRequestTests {
  @Test(
    "a URL gives Host and target",
    arguments: [
      ("http://web/a/b?c=d#e", "web", "/a/b?c=d"), ("web", "web", "/"), ("http://web:8080", "web:8080", "/"),
      ("http://web?x=1", "web", "/?x=1"),
    ])
  func url(url: String, host: String, target: String) throws {
    let request = try #require(WhyRequest(url: url))
    #expect(request.headers.first?.value == host)
    #expect(request.target == target)
  }

  @Test("a Host header of its own is kept")
  func host() throws {
    let request = try #require(WhyRequest(url: "http://127.0.0.1:4140/", headers: [("host", "web")]))
    #expect(request.headers.count == 1)
  }

  @Test("what is no HTTP URL is refused", arguments: ["ftp://web/", "http:///x", ""])
  func refused(url: String) { #expect(WhyRequest(url: url) == nil) }
}

import Testing

@testable import MeshRouter

@Suite struct HostChangeTests {
  private func renamed(_ value: String, isRefresh: Bool = false) -> String {
    let change = HostChange(service: Array("web.service.dc1.consul".utf8), original: Array("shop:80".utf8))
    var bytes = Array(value.utf8)
    if let place = bytes.withUnsafeBytes({ change.authority(in: $0, isRefresh: isRefresh) }) {
      bytes.replaceSubrange(place, with: change.original)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    "a link to the service is one to the caller's host",
    arguments: [
      ("http://web.service.dc1.consul/a", "http://shop:80/a"), ("https://WEB.Service.dc1.consul", "https://shop:80"),
      ("//web.service.dc1.consul?q", "//shop:80?q"), ("http://web.service.dc1.consul#f", "http://shop:80#f"),
    ])
  func links(from: String, to: String) { #expect(renamed(from) == to) }

  @Test(
    "other links stay as they are",
    arguments: [
      "/a", "", "//", "http:/", "http://", "a?next=http://web.service.dc1.consul/", "/?u=//web.service.dc1.consul",
      "http://web.service.dc1.consul:8080/", "http://user@web.service.dc1.consul/", "http://web.service.dc1.consul.x/",
      "http://x.web.service.dc1.consul/", "://web.service.dc1.consul/",
    ])
  func others(text: String) { #expect(renamed(text) == text) }

  @Test("Refresh has its link behind the seconds, in quotes or not")
  func refresh() {
    #expect(renamed("5; url=http://web.service.dc1.consul/a", isRefresh: true) == "5; url=http://shop:80/a")
    #expect(renamed("5;URL='http://web.service.dc1.consul'", isRefresh: true) == "5;URL='http://shop:80'")
    for text in ["5", "5; url=", "5; url=/a", "http://web.service.dc1.consul/"] {
      #expect(renamed(text, isRefresh: true) == text)
    }
  }
}

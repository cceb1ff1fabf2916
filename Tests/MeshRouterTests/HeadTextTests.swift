import Config
import HTTP
import MeshBase
import Testing

@testable import MeshRouter

@Suite("heads that are changed on their way")
struct HeadTextTests {
  private let room = ByteBuffer()

  private func buffer(_ text: String) -> ByteBuffer {
    let buffer = ByteBuffer()
    buffer.append(text)
    return buffer
  }

  private func text(_ buffer: ByteBuffer) -> String { String(decoding: buffer.readable, as: UTF8.self) }

  @Test("rules without content are none")
  func none() {
    #expect(HeadEdit(nil) == nil)
    #expect(HeadEdit(Configuration.HeaderRules()) == nil)
    #expect(ServiceTraffic(Configuration.Service()) == nil)
    #expect(ClientTraffic(Configuration.Client()) == nil)
    var off = Configuration.Client()
    off.stickyCookie = Configuration.StickyCookie()
    #expect(ClientTraffic(off) != nil)
    off.stickyCookie?.isEnabled = false
    #expect(ClientTraffic(off) == nil)
  }

  @Test("fields go whatever their letters, the rest stays byte for byte, and what stands before is left alone")
  func edit() throws {
    var rules = Configuration.HeaderRules()
    rules.remove = ["x-A", "Empty"]
    rules.set = [.init("X-B", "new")]
    rules.add = [.init("X-C", "2")]
    let edit = try #require(HeadEdit(rules))
    let head = "GET /x-a: HTTP/1.1\r\nX-a: 1\r\nHost:  h \r\nEMPTY:\r\nX-AA: y\r\nx-b:old\r\nX-C: 1\r\n"
    let out = buffer("before" + head)
    edit.apply(to: out, from: 6, room: room)
    #expect(text(out) == "beforeGET /x-a: HTTP/1.1\r\nHost:  h \r\nX-AA: y\r\nX-C: 1\r\nX-B: new\r\nX-C: 2\r\n")
    #expect(room.isEmpty)
  }

  @Test("an edit removes exactly the named fields of any head", arguments: UInt64(1)...50)
  func law(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let names = ["a", "B", "aB", "x-1", "Cookie", "X-"]
    var rules = Configuration.HeaderRules()
    rules.remove = names.filter { _ in random.below(2) == 0 }
    rules.add = [.init("Z", "z")]
    let lines = (0..<random.below(12)).map { _ -> String in
      let name = names[random.below(names.count)]
      let cased = random.below(2) == 0 ? name.uppercased() : name.lowercased()
      return cased + ":" + ["", " ", " v: w", "\t;\t"][random.below(4)] + "\r\n"
    }
    let out = buffer("HTTP/1.1 200 OK\r\n" + lines.joined())
    try #require(HeadEdit(rules)).apply(to: out, from: 0, room: room)
    let gone = Set(rules.remove.map { $0.lowercased() })
    let kept = lines.filter { !gone.contains(String($0.prefix { $0 != ":" }).lowercased()) }
    #expect(text(out) == "HTTP/1.1 200 OK\r\n" + kept.joined() + "Z: z\r\n", "seed \(seed)")
  }

  // MARK: The cookie

  private func sticky(_ secret: String? = nil) throws -> StickyCookie {
    var configuration = Configuration.StickyCookie()
    configuration.name = "s"
    configuration.secret = secret
    return try #require(StickyCookie(configuration))
  }

  private func address(_ port: UInt16) throws -> SocketAddress {
    try #require(SocketAddress(ip: "10.0.0.1", port: port))
  }

  private func hex(_ id: UInt64) -> String {
    let digits = String(id, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  @Test("values are stable, opaque, and differ by address and by secret")
  func ids() throws {
    let (one, two) = (try address(80), try address(81))
    #expect(StickyCookie.id(of: one, secret: []) == StickyCookie.id(of: one, secret: []))
    #expect(StickyCookie.id(of: one, secret: []) != StickyCookie.id(of: two, secret: []))
    #expect(StickyCookie.id(of: one, secret: [1]) != StickyCookie.id(of: one, secret: []))
    // Routers of different versions stand side by side: the value may not change.
    #expect(hex(StickyCookie.id(of: one, secret: Array("s".utf8))) == Self.known)
  }

  private static let known = "4cc3a1087eed2d4d"

  @Test("the cookie is read and taken out of any Cookie line, others stay")
  func cookies() throws {
    let sticky = try sticky()
    let id = hex(0x12)
    let cases: [(String, String, UInt64?)] = [
      ("Cookie: s=\(id)\r\n", "", 0x12), ("cookie:s=\(id)\r\nX: y\r\n", "X: y\r\n", 0x12),
      ("Cookie: a=1; s=\(id); b=2\r\n", "Cookie: a=1; b=2\r\n", 0x12),
      ("Cookie: a=1;s=\(id)\r\nCookie: s=\(id)\r\n", "Cookie: a=1\r\n", 0x12),
      ("Cookie: ss=\(id); S=\(id)\r\n", "Cookie: ss=\(id); S=\(id)\r\n", nil),
      ("Cookie: s=\(id)0\r\n", "", nil), ("Cookie: s=; a=b\r\n", "Cookie: a=b\r\n", nil),
      ("X-Cookie: s=\(id)\r\n", "X-Cookie: s=\(id)\r\n", nil), ("Cookie: \r\n", "Cookie: \r\n", nil),
      ("Cookie: a=1 ;; b\r\n", "Cookie: a=1 ;; b\r\n", nil),
    ]
    for (before, after, found) in cases {
      let head = buffer("GET / HTTP/1.1\r\n" + before)
      #expect(sticky.read(head.readable) == found, "\(before)")
      #expect(sticky.take(from: head, room: room) == found, "\(before)")
      #expect(text(head) == "GET / HTTP/1.1\r\n" + after)
    }
  }

  @Test("a value leads to its endpoint while that is in the set")
  func endpoints() throws {
    let sticky = try sticky()
    let (one, two) = (try address(80), try address(81))
    sticky.update([Endpoint(one), Endpoint(two)])
    #expect(sticky.address(of: StickyCookie.id(of: two, secret: [])) == two)
    sticky.update([Endpoint(one)])
    #expect(sticky.address(of: StickyCookie.id(of: two, secret: [])) == nil)
    #expect(sticky.address(of: StickyCookie.id(of: one, secret: [])) == one)
  }

  @Test("callers get the cookie unless they have it, and never the endpoint's of that name")
  func marks() throws {
    let sticky = try sticky()
    let address = try address(80)
    let id = StickyCookie.id(of: address, secret: [])
    let response = buffer("HTTP/1.1 200 OK\r\nSet-Cookie: s=mine; Path=/\r\nset-cookie: ss=1\r\n")
    sticky.mark(response, from: 0, room: room, address: address, claim: nil)
    #expect(
      text(response) == "HTTP/1.1 200 OK\r\nset-cookie: ss=1\r\nSet-Cookie: s=\(hex(id)); Path=/; HttpOnly\r\n"
        + "Cache-Control: private\r\n")
    let known = buffer("HTTP/1.1 200 OK\r\nX: y\r\n")
    sticky.mark(known, from: 0, room: room, address: address, claim: id)
    #expect(text(known) == "HTTP/1.1 200 OK\r\nX: y\r\n")
  }
}

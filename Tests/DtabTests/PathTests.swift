import Dtab
import Testing

@Suite struct PathTests {
  // The macros of Testing cannot capture a span.
  func isValidRaw(_ bytes: [UInt8]) -> Bool { Label.isValidRaw(bytes.span) }
  func appending(_ bytes: [UInt8], to path: Path) -> Path? { path.appending(bytes: bytes.span) }

  @Test(
    "a written path parses to its labels",
    arguments: [
      ("/", []), ("/svc", ["svc"]), ("/svc/web", ["svc", "web"]), ("  /svc/web \n", ["svc", "web"]),
      ("# name\n/svc # behind", ["svc"]), ("/#/io.l5d.fs/a:b%c$d-e_F.9", ["#", "io.l5d.fs", "a:b%c$d-e_F.9"]),
      ("/./..", [".", ".."]), ("/b#c", ["b#c"]), ("/\\x2f/a\\x2Ab", ["/", "a*b"]), ("/SVC", ["SVC"]),
    ] as [(String, [String])])
  func parse(text: String, labels: [String]) throws {
    let path = try Path(parsing: text)
    #expect(path.labels.map(\.text) == labels)
    #expect(path.count == labels.count)
    #expect(path == Path(labels: labels))
  }

  @Test(
    "what is no path is refused",
    arguments: [
      "", " ", "svc", "/svc/", "//", "//a", "/a//b", "/a b", "/a/*", "/*", "/a~", "/a\\X2f", "/a\\x2", "/a\\xgg",
      "/a\\",
      "/é", "/[::1]", "/a;", "/a?b", "/ a", "/a\u{0}", "/a,b", "/a=b", "/a@b", "/a+b", "/a&b", "/a|b", "/a!b", "/a(b)",
    ])
  func refuse(text: String) {
    #expect(throws: DtabError.self) { try Path(parsing: text) }
  }

  @Test("a label is any bytes; one byte outside the plain set escapes the whole label in print")
  func bytes() throws {
    let path = try Path(parsing: "/a\\x00\\xFFb/plain")
    #expect(path[0].bytes == [0x61, 0, 0xff, 0x62])
    #expect(path.description == "/\\x61\\x00\\xff\\x62/plain")
    #expect(try Path(parsing: path.description) == path)
  }

  @Test("exactly the bytes of the plain set may stand raw")
  func plainSet() {
    let plain = Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_:.#$%-".utf8)
    for byte in UInt8.min...UInt8.max { #expect(Label.isPlain(byte) == plain.contains(byte), "byte \(byte)") }
    let good = Array("web.example:80".utf8)
    let bad = Array("web example".utf8)
    #expect(isValidRaw(good))
    #expect(!isValidRaw(bad))
    #expect(!isValidRaw([]))
    #expect(good.withUnsafeBufferPointer { Label.isValidRaw($0) })
  }

  @Test("an empty label does not exist")
  func emptyLabel() {
    #expect(Label(bytes: []) == nil)
    #expect(appending([], to: .root) == nil)
  }

  @Test("slices, prefixes and sums agree with the labels", arguments: 0...5)
  func slices(n: Int) {
    let labels = ["svc", String(repeating: "long", count: 100), "web", "\u{0}"]
    let path = Path(labels: labels)
    #expect(path.prefix(n).labels.map(\.text) == Array(labels.prefix(n)))
    #expect(path.dropFirst(n).labels.map(\.text) == Array(labels.dropFirst(n)))
    #expect(path.prefix(n) + path.dropFirst(n) == path)
    #expect(path.hasPrefix(path.prefix(n)))
    #expect(path.prefix(n).hasPrefix(path) == (n >= labels.count))
    for index in labels.indices { #expect(path[index].text == labels[index]) }
    #expect(labels.reduce(Path.root) { $0.appending(Label($1)) } == path)
    #expect(labels.reduce(Path.root) { appending(Array($1.utf8), to: $0)! } == path)
  }

  @Test("a prefix ends where a label ends")
  func prefixAtLabel() {
    #expect(!("/svc/web2" as Path).hasPrefix("/svc/web"))
    #expect(("/svc/web" as Path).hasPrefix("/"))
    #expect(!("/svc" as Path).hasPrefix("/svc/web"))
  }

  @Test("paths are ordered label by label")
  func order() {
    let sorted: [Path] = ["/", "/a", "/a/b", "/a/b/c", "/aa", "/b", "/ba"]
    #expect(Array(sorted.reversed()).sorted() == sorted)
  }
}

import Dtab
import Testing

@Suite struct CapturePatternTests {
  @Test(
    "a pattern covers the first labels of a path",
    arguments: [
      ("/", "/a/b", ""), ("/a/*", "/a/b/c", ""), ("/{x}", "/a/b", "x=a"), ("/a/{x}/{y}", "/a/b/c/d", "x=b y=c"),
      ("/{x}-{y}", "/a-b-c", "x=a-b y=c"), ("/v{x}.{y}", "/v1.2.3", "x=1.2 y=3"), ("/{x}{y}", "/ab", "x=ab y="),
      ("/pre{x}", "/pre", "x="), ("/#/io.l5d.fs/{service}", "/#/io.l5d.fs/web", "service=web"),
      ("/\\x2a", "/\\x2a", ""),
      ("/{x}aa{y}a", "/aaaa", "x=a y="), ("/{a}/{a}", "/1/2", "a=2"),
    ])
  func match(pattern: String, path: String, shown: String) throws {
    let captures = try #require(try CapturePattern(parsing: pattern).captures(in: Path(parsing: path)))
    #expect(
      captures.sorted { $0.key < $1.key }.map { "\($0)=\(String(decoding: $1, as: UTF8.self))" }
        .joined(separator: " ") == shown)
  }

  @Test(
    "what it does not cover",
    arguments: [
      ("/a/*", "/a"), ("/a", "/b"), ("/{x}-{y}", "/ab"), ("/ab{x}bc", "/abc"), ("/a{x}", "/b"), ("/{x}b", "/a"),
      ("/{x}", "/"),
    ])
  func noMatch(pattern: String, path: String) throws {
    #expect(try !CapturePattern(parsing: pattern).matches(Path(parsing: path)))
  }

  @Test(
    "malformed patterns are refused with the place",
    arguments: [
      ("", 0), ("a", 0), ("/a//b", 3), ("/a/", 3), ("/{x", 1), ("/{}", 1), ("/a*", 2), ("/a b", 2), ("/{a/b}", 1),
      ("/\\y", 1),
    ])
  func malformed(pattern: String, offset: Int) {
    let error = #expect(throws: DtabError.self) { try CapturePattern(parsing: pattern) }
    #expect(error?.offset == offset)
  }

  @Test(
    "rewriting fills the captures in",
    arguments: [
      ("/{service}/api", "/srv/{service}", "/web/api", "/srv/web"), ("/{a}/{b}", "/{b}/{a}", "/1/2/3", "/2/1"),
      ("/{a}.{b}", "/x-{b}-{a}", "/1.2", "/x-2-1"), ("/{a}", "/x/{a}", "/\\x2fx", "/x/\\x2f\\x78"),
      ("/{a}/b", "/x", "/1/c", "~"),
      ("/p{a}", "/{a}", "/p", "~"), ("/*/{a}", "/{a}", "/1", "~"), ("/*", "/", "/1", "/"),
    ])
  func rewrite(pattern: String, name: String, path: String, tree: String) throws {
    let rewrite = try RewritePattern(pattern: pattern, name: name)
    #expect(rewrite.rewrite(try Path(parsing: path)) == (try Tree(parsing: tree)))
  }

  @Test("a name may use only what the pattern captures")
  func unknown() {
    let error = #expect(throws: DtabError.self) { try RewritePattern(pattern: "/{service}", name: "/x/{servise}") }
    #expect(error?.message == "the pattern captures nothing named {servise}. Did you mean {service}?")
    #expect(throws: DtabError.self) { try RewritePattern(pattern: "/*", name: "/*") }
  }
}

import Dtab
import Testing

@Suite struct RouteSetTests {
  @Test(
    "a bound tree gives each leaf its share",
    arguments: [
      ("/a", "/a 1.0"), ("$", "$ 1.0"), ("~", "neg"), ("!", "fail"), ("! & ~", "neg"), ("~ | !", "fail"),
      ("1*/a & 3*/b", "/a 0.25 /b 0.75"), ("1*/a & 3*~ & 1*/b", "/a 0.5 /b 0.5"), ("1*/a & 3*$", "/a 0.25 $ 0.75"),
      ("1*/a & 3*!", "/a 1.0"), ("1*/a & 1*(3*/b & 1*/c)", "/a 0.5 /b 0.375 /c 0.125"),
      ("1*/a & 1*(3*/b & 1*~)", "/a 0.5 /b 0.5"), ("0*/a & 0*/b", "/a 0.5 /b 0.5"), ("0*/a & 2*/b", "/a 0.0 /b 1.0"),
      ("~ | /a | /b", "/a 1.0"), ("0.5*(/a | /b) & 0.5*/c", "/a 0.5 /c 0.5"), ("/a & /a", "/a 0.5 /a 0.5"),
      (String(repeating: "9", count: 308) + "*/a & " + String(repeating: "9", count: 308) + "*/b", "/a 0.5 /b 0.5"),
    ])
  func shares(text: String, shown: String) throws {
    let shares =
      switch routes(try Tree(parsing: text)) {
      case .neg: "neg"
      case .fail: "fail"
      case .routes(let routes): routes.map { "\($0.bound?.description ?? "$") \($0.share)" }.joined(separator: " ")
      }
    #expect(shares == shown)
  }
}

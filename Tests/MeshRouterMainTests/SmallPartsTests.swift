import Foundation
import Testing

@testable import MeshRouterMain

@Suite("parts of the command line")
struct SmallPartsTests {
  @Test("JSON is taken apart as Foundation does")
  func json() throws {
    let text = #" {"a": [1, -2.5e3, true, null, "x\n\u00e9\ud83d\ude00\/\""], "b": {"c": {}}, "d": [] } "#
    let document = try #require(JSONDocument(parsing: text))
    #expect(document["a"]?.elements.count == 5)
    #expect(document["a"]?.elements[1] == .number(-2_500))
    #expect(document["a"]?.elements[4].text == "x\né😀/\"")
    #expect(document["b"]?["c"] == .object([:]))
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    #expect((object?["a"] as? [Any])?[4] as? String == document["a"]?.elements[4].text)
  }

  @Test(
    "what is not JSON is refused",
    arguments: ["", "{", "[1,]", "{\"a\" 1}", "\"x", "tru", "1 2", "[\"\\x\"]", "\"\\ud800\"", "{\"a\":1,}"])
  func notJSON(text: String) { #expect(JSONDocument(parsing: text) == nil) }

  @Test("deep nesting is refused instead of ending the process")
  func deep() { #expect(JSONDocument(parsing: String(repeating: "[", count: 100_000)) == nil) }

  @Test("dates are those of the calendar")
  func dates() {
    #expect(Calendar.text(unixMilliseconds: 0) == "1970-01-01 00:00:00Z")
    #expect(Calendar.text(unixMilliseconds: 951_782_400_000) == "2000-02-29 00:00:00Z")
    let formatter = ISO8601DateFormatter()
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    for _ in 0..<1_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let seconds = state >> 31
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      #expect(
        Calendar.text(unixMilliseconds: seconds * 1_000).replacing(" ", with: "T") == expected, "seed \(seed)")
    }
  }

  @Test("a diff shows what was removed and added, with what is around")
  func diff() {
    let diff = LineDiff(from: "a\nb\nc\nd\ne\nf\n", to: "a\nb\nc\nD\ne\nf\ng\n")
    #expect(diff.text(context: 1) == "  …\n  c\n- d\n+ D\n  e\n  f\n+ g\n")
    #expect(LineDiff(from: "a\n", to: "a").isEmpty)
    #expect(LineDiff(from: "", to: "a").text() == "+ a\n")
  }

  @Test("applying a diff to the old text gives the new one")
  func diffLaw() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    func next(_ bound: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % bound
    }
    for _ in 0..<500 {
      let old = (0..<next(12)).map { _ in "\(next(4))" }
      let new = (0..<next(12)).map { _ in "\(next(4))" }
      var before: [String] = []
      var after: [String] = []
      for line in LineDiff(from: old.map { $0 + "\n" }.joined(), to: new.map { $0 + "\n" }.joined()).lines {
        switch line {
        case .kept(let text):
          before.append(String(text))
          after.append(String(text))
        case .removed(let text): before.append(String(text))
        case .added(let text): after.append(String(text))
        }
      }
      #expect(before == old && after == new, "seed \(seed)")
    }
  }

  @Test(
    "an admin server's address is read in each of its forms",
    arguments: [
      ("http://127.0.0.1:9990", "127.0.0.1:9990"), ("http://node-17/", "node-17:9990"), ("node:1", "node:1"),
      ("https://node:7", "node:7"), ("http://[::1]:7", "[::1]:7"), ("http://[::1]", "[::1]:9990"),
    ])
  func locations(text: String, host: String) throws { #expect(try AdminLocation(text).host == host) }

  @Test("what is no address of an admin server is refused", arguments: ["https://", "http://a/b", "http://:1", "a:x"])
  func badLocations(text: String) { #expect(throws: CommandFailure.self) { try AdminLocation(text) } }
}

import MeshBase
import Testing

@testable import Config

@Suite("YAML")
struct YAMLTests {
  private func problem(_ text: String) -> YAMLProblem? {
    do throws(YAMLProblem) {
      _ = try YAMLParser.parse(text)
      return nil
    } catch {
      return error
    }
  }

  @Test("what is no document is refused with its place")
  func syntax() {
    #expect(problem("a: b: c")?.place == SourcePlace(line: 1, column: 5))
    let tab = problem("a:\n\tb: 1")
    #expect(tab?.place.line == 2)
    #expect(tab?.remedy?.contains("spaces") == true)
    #expect(problem("a: [1, 2")?.place.line == 1)
    #expect(problem("a: 1\n---\nb: 2")?.message == "a second document begins here")
    #expect(problem("a: !weird 1")?.message == "the tag !weird has no meaning here")
    #expect(problem("? [a]\n: 1")?.message == "a key must be a word, not a list")
    #expect(problem("a: *x")?.message == "no anchor &x before this")
    #expect(problem("a: &x [*x]")?.message == "the alias *x stands within itself")
    #expect(problem("a: \u{1}")?.place == SourcePlace(line: 1, column: 4))
    #expect(problem("<<: 1")?.message.hasPrefix("<< needs a mapping") == true)
    #expect(problem("a: {b: ${C}}")?.remedy == "Inside { } or [ ] write \"${…}\" in quotes.")
  }

  @Test("aliases that multiply, deep nesting and huge files end early")
  func bounds() {
    var laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let alias = "*a\(level - 1)"
      laughs += "a\(level): &a\(level) [\(Array(repeating: alias, count: 10).joined(separator: ", "))]\n"
    }
    let clock = ContinuousClock()
    let elapsed = clock.measure {
      #expect(problem(laughs)?.message.contains("more than 200000 values") == true)
      #expect(problem(String(repeating: "[", count: 100_000))?.message == "nested deeper than 64 levels")
      #expect(problem(String(repeating: "- ", count: 100_000))?.message == "nested deeper than 64 levels")
      #expect(problem(String(repeating: "#", count: 5 << 20))?.message.contains("at most") == true)
    }
    #expect(elapsed < .seconds(5))
  }

  @Test("places count characters, not bytes")
  func places() throws {
    let node = try #require(try YAMLParser.parse("é: ü\n'ß': \"x\""))
    guard case .mapping(let pairs) = node.content else {
      Issue.record("no mapping")
      return
    }
    #expect(pairs[0].value.place == SourcePlace(line: 1, column: 4))
    #expect(pairs[1].keyPlace == SourcePlace(line: 2, column: 1, length: 3))
    #expect(pairs[1].value.place == SourcePlace(line: 2, column: 6, length: 3))
  }

  @Test("any mixture of the characters of YAML is read or refused, never more than that")
  func fuzz() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    let pieces = [
      "routers:", "- ", "protocol: http", "\n", "  ", "dtab: |\n", "/svc => /#/x;", "{", "}", "[", "]", ",", ": ",
      "&a ",
      "*a", "<<", "\"", "'", "${A}", "${", "$$", "kind: io.l5d.fs", "servers", "port: 1", "!!str ", "---\n", "#", "\t",
      "é",
      "client:", ">-\n", "? ", "\r\n", "null", "identifier:", "namers:", "\u{0}",
    ]
    for round in 0..<3_000 {
      var text = ""
      for _ in 0..<(1 + random.next() % 24) { text += pieces[Int(random.next() % UInt64(pieces.count))] }
      let loaded = load(text, environment: ["A": "[1"])
      let isExplained = loaded.configuration != nil || loaded.diagnostics.hasErrors
      #expect(isExplained, "seed \(seed) round \(round): \(text.debugDescription)")
      let lineCount = sourceLines(text).count
      for diagnostic in loaded.diagnostics {
        #expect((1...lineCount + 1).contains(diagnostic.line), "seed \(seed) round \(round)")
        #expect(diagnostic.column >= 1 && diagnostic.length >= 1, "seed \(seed) round \(round)")
      }
      _ = loaded.diagnostics.terminalText(name: "x", text: text)
    }
  }
}

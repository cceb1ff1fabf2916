import Config
import Dtab
import Foundation
import MeshBase
import Telemetry
import Testing

@Suite("documents are true")
struct DocumentTests {
  static let pages =
    Repository.files(in: "docs", suffixes: [".md"])
    + ["README.md", "CONTRIBUTING.md"]
    .filter(Repository.exists)

  @Test("docs/errors.md is what the code says")
  func errors() throws {
    #expect(
      try Repository.text("docs/errors.md") == Reason.markdown,
      "out of step: meshrouter errors --markdown > docs/errors.md")
  }

  @Test("docs/metrics.md is what the code says")
  func metrics() throws {
    #expect(
      try Repository.text("docs/metrics.md") == MetricName.markdown,
      "out of step: meshrouter schema metrics > docs/metrics.md")
  }

  @Test("no two reasons share a word, and each explains itself")
  func reasons() {
    let word = /^[a-z]+\.[a-z_]+$/
    for reason in Reason.allCases {
      #expect(reason.rawValue.wholeMatch(of: word) != nil, "\(reason.rawValue)")
      #expect(reason.meaning.hasSuffix("."), "\(reason.rawValue)")
      #expect(!reason.remedies.isEmpty, "\(reason.rawValue)")
      #expect((400...599).contains(reason.status), "\(reason.rawValue)")
    }
    #expect(Set(Reason.allCases.map(\.rawValue)).count == Reason.allCases.count)
  }

  /// What GitHub makes of a heading: lower case, blanks as `-`, everything but letters, digits, `-` and `_` dropped.
  static func anchor(of heading: Substring) -> String {
    String(
      heading.lowercased().compactMap { character -> Character? in
        if character == " " { return "-" }
        return character.isLetter || character.isNumber || character == "-" || character == "_" ? character : nil
      })
  }

  /// Lines outside ``` fences.
  static func prose(_ path: String) throws -> [(number: Int, text: Substring)] {
    var fenced = false
    return try Repository.lines(path).enumerated().compactMap { index, line in
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        fenced.toggle()
        return nil
      }
      return fenced ? nil : (index + 1, line)
    }
  }

  static func anchors(_ path: String) throws -> Set<String> {
    Set(
      try prose(path).compactMap { line in
        let hashes = line.text.prefix { $0 == "#" }
        guard !hashes.isEmpty, line.text.dropFirst(hashes.count).first == " " else { return nil }
        return anchor(of: line.text.dropFirst(hashes.count + 1))
      })
  }

  @Test("each link inside the repository leads somewhere", arguments: pages)
  func links(page: String) throws {
    let link = /\[[^\]]*\]\(([^)\s]+)\)/
    for (number, text) in try Self.prose(page) {
      // A link inside a code span is an example, not a link.
      let visible = text.replacing(/`[^`]*`/, with: "code")
      for match in visible.matches(of: link) {
        let target = match.output.1
        if target.contains("://") || target.hasPrefix("mailto:") { continue }
        let halves = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        var path = page
        if !halves[0].isEmpty {
          let folder = page.split(separator: "/").dropLast().joined(separator: "/")
          path = URL(fileURLWithPath: "/" + folder).appendingPathComponent(String(halves[0])).standardized.path
          path = String(path.dropFirst())
          #expect(Repository.exists(path), "\(page):\(number): \(target)")
        }
        if halves.count == 2, path.hasSuffix(".md"), Repository.exists(path) {
          #expect(try Self.anchors(path).contains(String(halves[1])), "\(page):\(number): no heading for \(target)")
        }
      }
    }
  }

  /// Commands in ```sh and ```console blocks; in the latter those after `$ `.
  static func commands(_ path: String) throws -> [(number: Int, text: String)] {
    var language: Substring?
    var found: [(Int, String)] = []
    for (index, line) in try Repository.lines(path).enumerated() {
      let trimmed = line.drop { $0 == " " }
      if trimmed.hasPrefix("```") {
        language = language == nil ? trimmed.dropFirst(3) : nil
      } else if language == "sh" || language == "bash" {
        found.append((index + 1, String(trimmed)))
      } else if language == "console", trimmed.hasPrefix("$ ") {
        found.append((index + 1, String(trimmed.dropFirst(2))))
      }
    }
    return found
  }

  @Test("each command shown exists", arguments: pages)
  func shownCommands(page: String) throws {
    let subcommands = try Repository.files(in: "Sources/MeshRouterMain", suffixes: [".swift"]).flatMap {
      try Repository.text($0).matches(of: /commandName: "([a-z-]+)"/).map { String($0.output.1) }
    }
    for (number, command) in try Self.commands(page) {
      let words = command.split(separator: " ").map(String.init)
      for (index, word) in words.enumerated() {
        if word.hasPrefix("scripts/") || word.hasPrefix(".ci/") {
          #expect(Repository.isExecutable(word), "\(page):\(number): \(command)")
        } else if word == "meshrouter" || word.hasSuffix("/meshrouter"), index + 1 < words.count,
          words[index + 1].first?.isLetter == true
        {
          #expect(subcommands.contains(words[index + 1]), "\(page):\(number): \(command)")
        }
      }
    }
  }

  static let dtabs = Repository.files(in: "dtabs", suffixes: [".dtab"])

  @Test("each example dtab is valid and in its usual layout", arguments: dtabs)
  func exampleDtabs(path: String) throws {
    let text = try Repository.text(path)
    #expect(try formatted(dtab: text) == text, "meshrouter dtab fmt --write \(path)")
  }

  /// Lines `#   /name  ->  tree` of an example's comment: what its author says a name becomes.
  static func promises(_ text: String) -> [(name: Substring, tree: Substring)] {
    text.matches(of: /#\s+(\/\S+)\s+->\s+(\S.*)/).map { ($0.output.1, $0.output.2) }
  }

  @Test("names lead where the example's comment says", arguments: dtabs)
  func examplePromises(path: String) throws {
    let text = try Repository.text(path)
    let dtab = try Dtab(parsing: text)
    let promises = Self.promises(text)
    #expect(!promises.isEmpty)
    for (name, tree) in promises {
      // A namer that knows every name: what matters here is the way to it.
      let state = try bind(Path(parsing: name), dtab: dtab) { path -> LookupState<Path> in
        if let rewritten = SystemRewrite.rewrite(path) { return .tree(rewritten.map { .path($0) }) }
        return .tree(path.first?.text == "#" || path.first?.text == "$" ? .leaf(.bound(path)) : .neg)
      }
      #expect(state == .bound(try NameTree<Path>(parsing: tree)), "\(path): \(name)")
    }
  }

  @Test(
    "each example configuration is without errors and warnings",
    arguments: Repository.files(in: "dtabs", suffixes: [".yaml"]))
  func exampleConfigurations(path: String) throws {
    let text = try Repository.text(path)
    let (configuration, diagnostics) = ConfigLoader.load(
      text: text, name: path, environment: { _ in nil },
      readFile: { throw CocoaError(.fileNoSuchFile, userInfo: ["path": $0]) })
    #expect(configuration != nil)
    #expect(diagnostics.isEmpty, "\(diagnostics.terminalText(name: path, text: text))")
    #expect(text.hasPrefix(ConfigDocuments.schemaHint(path: "../docs/meshrouter.schema.json")))
  }
}

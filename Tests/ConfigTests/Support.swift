import Foundation
import Testing

@testable import Config

struct Loaded {
  var configuration: Configuration?
  var diagnostics: [Diagnostic]

  /// "14:5 error routers[0].servers[0].prot: unknown key. Did you mean "port"?", without hints.
  var lines: [String] {
    diagnostics.filter { $0.severity != .hint }.map { "\($0.line):\($0.column) \($0.severity) \($0.sentence)" }
  }

  var hints: [String] { diagnostics.filter { $0.severity == .hint }.map(\.sentence) }
}

struct NoSuchFile: Error, CustomStringConvertible {
  var description: String { "no such file" }
}

func load(_ text: String, environment: [String: String] = [:], files: [String: String] = [:]) -> Loaded {
  let result = ConfigLoader.load(
    text: text, name: "test.yaml", environment: { environment[$0] },
    readFile: { path in
      guard let text = files[path] else { throw NoSuchFile() }
      return text
    })
  return Loaded(configuration: result.configuration, diagnostics: result.diagnostics)
}

/// A file whose only router has these lines beside its protocol.
func router(_ lines: String) -> String {
  "routers:\n- protocol: http\n" + lines.split(separator: "\n").map { "  " + $0 + "\n" }.joined()
}

let repositoryRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

import Foundation
import Testing

@Suite("house rules")
struct HouseRuleTests {
  static let linesPerFileMax = 900

  @Test("a source file stays one concept long")
  func shortFiles() throws {
    for file in Repository.files(in: "Sources", suffixes: [".swift", ".c", ".h"]) {
      let count = try Repository.lines(file).count
      #expect(count <= Self.linesPerFileMax, "\(file) has \(count) lines, more than \(Self.linesPerFileMax)")
    }
  }

  @Test("nothing is marked as unfinished")
  func nothingUnfinished() throws {
    // Spelled in halves so that this file does not find itself.
    let marker = try Regex("\\b(TO" + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b|not[ ]implemented")
    var files = ["Sources", "Tests", "scripts", "docs", "dtabs"].flatMap {
      Repository.files(
        in: $0, suffixes: [".swift", ".c", ".h", ".sh", ".md", ".yaml", ".dtab", "run", "test", "bench"])
    }
    files += ["README.md", "CONTRIBUTING.md"].filter(Repository.exists)
    #expect(files.count > 20)
    for file in files where !file.contains("/FailCases/") {
      for (index, line) in try Repository.lines(file).enumerated() {
        #expect(line.firstMatch(of: marker) == nil, "\(file):\(index + 1): \(line)")
      }
    }
  }

  @Test("a module with code has no stand-in file")
  func noStandIns() throws {
    let files =
      Repository.files(in: "Sources", suffixes: [".swift"]) + Repository.files(in: "Tests", suffixes: [".swift"])
    let standIn = "_Place" + "holder.swift"
    for file in files where file.hasSuffix(standIn) {
      let folder = file.dropLast(standIn.count)
      #expect(!files.contains { $0.hasPrefix(folder) && $0 != file }, "\(file) has a real neighbour")
    }
  }

  @Test("each source file of ours is Swift or one of the two C shims")
  func languages() {
    let c = Repository.files(in: "Sources", suffixes: [".c", ".cc", ".cpp", ".m"])
    #expect(c.allSatisfy { $0.hasPrefix("Sources/CMeshShims/") }, "\(c)")
  }

  @Test("build output and resolved versions are ignored")
  func ignored() throws {
    let entries = try Repository.lines(".gitignore")
    #expect(entries.contains(".build*/"))
    #expect(entries.contains("Package.resolved"))
  }

  @Test("each script can be run and names its usage", arguments: ["run", "test", "bench", "soak", "format"])
  func scripts(name: String) throws {
    let path = "scripts/\(name)"
    #expect(Repository.isExecutable(path))
    let lines = try Repository.lines(path)
    #expect(lines.first == "#!/usr/bin/env bash")
    #expect(lines.dropFirst().first?.hasPrefix("# ") == true, "\(path) does not say what it does")
  }

  @Test("the checks of a change can be run")
  func ci() { #expect(Repository.isExecutable(".ci/run")) }
}

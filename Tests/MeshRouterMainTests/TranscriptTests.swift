import Foundation
import Testing

/// A command shown in a document with what it prints.
struct Transcript: CustomStringConvertible, Sendable {
  let page: String
  let line: Int
  let command: String
  let output: String

  var description: String { "\(page):\(line): \(command)" }

  /// Of the ```console blocks of the documents, those commands that need no router and show their output.
  static let offline: [Transcript] = {
    let docs = Command.root.appendingPathComponent("docs")
    let pages = ((try? FileManager.default.contentsOfDirectory(atPath: docs.path)) ?? []).map { "docs/" + $0 }
    return (["README.md"] + pages.sorted()).filter { $0.hasSuffix(".md") }.flatMap { all(in: $0) }.filter {
      !$0.output.isEmpty && !$0.output.contains("…")
        && $0.command.firstMatch(of: /meshrouter (errors|dtab (fmt|lookup)|check|schema)/) != nil
        && !$0.command.contains("--admin")
    }
  }()

  /// The commands of a page's ```console blocks in their order.
  static func all(in page: String) -> [Transcript] {
    let path = Command.root.appendingPathComponent(page)
    guard let text = try? String(contentsOf: path, encoding: .utf8) else { return [] }
    var found: [Transcript] = []
    var isConsole = false
    var current: (line: Int, command: String, output: String)?
    func end() {
      if let current {
        found.append(Transcript(page: page, line: current.line, command: current.command, output: current.output))
      }
      current = nil
    }
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("```") {
        end()
        isConsole = line == "```console"
      } else if isConsole, line.hasPrefix("$ ") {
        end()
        current = (index + 1, String(line.dropFirst(2)), "")
      } else if isConsole {
        current?.output += line + "\n"
      }
    }
    return found
  }
}

@Suite("documents show what the commands print")
struct TranscriptTests {
  @Test("a transcript is the command's own output", arguments: Transcript.offline)
  func transcript(_ transcript: Transcript) throws {
    let printed = try Command.shell(transcript.command).text
    #expect(printed.trimmedLines == transcript.output.trimmedLines, "\(transcript)")
  }

  @Test("the quickstart's commands do what it shows, one after the other")
  func quickstart() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0", "--traffic", "0")
    let router = try #require(demo.announced(/routing +http:\/\/(\S+)/))
    let admin = try #require(demo.announced(/admin +(http:\/\/\S+)/))
    let transcripts = Transcript.all(in: "docs/quickstart.md")
    #expect(transcripts.count >= 8)
    for transcript in transcripts {
      let command = transcript.command.replacing("localhost:4140", with: router).replacing("curl ", with: "curl -s ")
      let printed = try Command.shell("export MESHROUTER_ADMIN=\(admin); \(command)")
      // 0 and 1 are answers; 2 is a command that does not exist, 3 a router that is not there.
      #expect(printed.status <= 1, "\(transcript): \(printed.text)")
      #expect(!printed.text.isEmpty, "\(transcript)")
      if !transcript.output.isEmpty {
        #expect(printed.text.withoutPorts.trimmedLines == transcript.output.withoutPorts.trimmedLines, "\(transcript)")
      }
    }
    #expect(demo.end() == 0)
  }

  @Test("there are transcripts to look at")
  func found() { #expect(!Transcript.offline.isEmpty) }
}

extension String {
  /// Ports of the demo's services differ from run to run.
  fileprivate var withoutPorts: String { replacing(/127\.0\.0\.1:\d+/, with: "ADDRESS") }

  /// Without blanks at the ends of lines and empty lines at either end, which a document does not show.
  fileprivate var trimmedLines: String {
    split(separator: "\n", omittingEmptySubsequences: false)
      .map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
      .joined(separator: "\n").trimmingCharacters(in: .newlines)
  }
}

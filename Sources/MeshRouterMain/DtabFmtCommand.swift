import ArgumentParser
import Dtab
import Net

struct DtabFmtCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fmt",
    abstract: "Check a dtab and print it in its usual layout.",
    discussion: "Comments stay. An error is shown with its line and a caret.")

  @Argument(help: "A file with a dtab; - or nothing for standard input.", completion: .file())
  var files: [String] = ["-"]

  @Flag(name: .shortAndLong, help: "Change the files instead of printing.")
  var write = false

  @Flag(help: "Print nothing; end with 1 if a file would change.")
  var check = false

  func validate() throws {
    if write, check { throw ValidationError("--write and --check exclude each other.") }
    if write, files.contains("-") { throw ValidationError("--write needs a file.") }
  }

  func run() throws {
    var unformatted: [String] = []
    for file in files {
      let text = try inputText(file)
      let result = try parsed(text, file) { text throws(DtabError) in try formatted(dtab: text) }
      if check {
        if result != text { unformatted.append(file) }
      } else if write {
        if result != text { try replace(file, with: result) }
      } else {
        Console.write(result)
      }
    }
    if !unformatted.isEmpty {
      throw CommandFailure(
        .problem, "not in the usual layout: \(unformatted.joined(separator: ", "))",
        "Run: meshrouter dtab fmt --write \(unformatted.joined(separator: " "))")
    }
  }

  private func replace(_ file: String, with text: String) throws {
    do throws(SystemError) { try FileSystem.replace(file, with: Array(text.utf8)) } catch {
      throw CommandFailure(.usage, "cannot write \(file): \(error)")
    }
  }
}

/// Runs a parser of the dtab module; its error gets the place's name and the line with the caret.
func parsed<Result>(
  _ text: String, _ place: String, _ parse: (String) throws(DtabError) -> Result
) throws(CommandFailure) -> Result {
  do throws(DtabError) { return try parse(text) } catch {
    let name = place == "-" ? "standard input" : place
    let lines = error.caret(in: text).split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
    throw CommandFailure(
      .problem, "\(name):\(error.line):\(error.column): \(error.message)\n" + lines.joined(separator: "\n"))
  }
}

/// The dtab in a text; its error gets the place's name.
func parsedDtab(_ text: String, _ place: String) throws(CommandFailure) -> Dtab {
  try parsed(text, place) { text throws(DtabError) in try Dtab(parsing: text) }
}

import ArgumentParser
import Net

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Have a running router read its configuration file again, or say what that would do.",
    discussion: """
      A file with errors changes nothing: they are printed, and the command ends with 1. Otherwise the file is applied \
      as a whole, and no request fails for it.
      """)

  enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

  @Flag(help: "Change nothing: print what would be added, changed and removed, or everything that is wrong.")
  var dryRun = false

  @Option(name: .shortAndLong, help: "text or json.")
  var output = Output.text

  @OptionGroup var admin: AdminOptions

  private static let kinds = ["routers", "servers", "dtabs", "namers", "certificates", "settings"]

  func run() throws {
    let path = dryRun ? "/admin/reload?dryRun" : "/admin/reload"
    let response = try admin.request(path, method: "POST", expecting: [422], timeoutMilliseconds: 60_000)
    if output == .json {
      Console.write(response.text)
      if response.status >= 400 { throw CommandFailure.problemShown }
      return
    }
    guard let answer = JSONDocument(parsing: response.text) else {
      throw CommandFailure(.problem, response.text.trimmedEnd)
    }
    let file = answer["file"]?.text ?? ""
    if response.status >= 400 {
      Console.write((answer["diagnostics"]?.elements ?? []).map { line($0, file) }.joined())
      throw CommandFailure(.problem, answer["problem"]?.text ?? "nothing was changed")
    }
    Console.write(text(answer, file))
  }

  private func text(_ answer: JSONDocument, _ file: String) -> String {
    func labels(_ change: String, _ kinds: String) -> [String] {
      answer[change]?[kinds]?.elements.compactMap(\.text) ?? []
    }
    var lines = ["added", "changed", "removed"].flatMap { change in
      Self.kinds.flatMap { kinds in labels(change, kinds).map { "\(change) \(kinds.dropLast()) \($0)\n" } }
    }
    lines += (answer["needsRestart"]?.elements ?? []).map { "needs a restart or an upgrade: \($0.text ?? "")\n" }
    if lines.isEmpty { lines = ["nothing \(dryRun ? "would change" : "has changed")\n"] }
    let unchanged = Self.kinds.compactMap { kinds -> String? in
      let count = labels("unchanged", kinds).count
      return count == 0 ? nil : count == 1 ? "1 \(kinds.dropLast())" : "\(count) \(kinds)"
    }
    if !unchanged.isEmpty { lines.append("unchanged: \(unchanged.joined(separator: ", "))\n") }
    if dryRun { lines.append("this was a dry run: nothing was changed\n") }
    return ((answer["warnings"]?.elements ?? []).map { line($0, file) } + lines).joined()
  }

  /// A line, as compilers and editors have it.
  private func line(_ diagnostic: JSONDocument, _ file: String) -> String {
    let place = "\(file):\(diagnostic["line"]?.integer ?? 0):\(diagnostic["column"]?.integer ?? 0)"
    let key = diagnostic["key"]?.text.flatMap { $0.isEmpty ? nil : $0 + ": " } ?? ""
    let remedy = diagnostic["remedy"]?.text.flatMap { $0.isEmpty ? nil : " \($0)" } ?? ""
    return "\(place): \(diagnostic["severity"]?.text ?? "error"): \(key)\(diagnostic["message"]?.text ?? "")\(remedy)\n"
  }
}

import ArgumentParser
import MeshBase
import Net

struct ErrorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errors",
    abstract: "What a reason word means and what to do about it.",
    discussion: "The words stand in the answer's body, in l5d-err, in the access log and in the metrics.")

  @Argument(
    help: "Such as bind.neg; without it, all of them.", completion: .list(Reason.allCases.map(\.rawValue)))
  var code: String?

  @Flag(help: "Print docs/errors.md.")
  var markdown = false

  func validate() throws {
    if markdown, code != nil { throw ValidationError("--markdown prints all words; leave \(code ?? "") out.") }
  }

  func run() throws {
    if markdown { return Console.write(Reason.markdown) }
    guard let code else { return Console.write(Self.table) }
    if let reason = Reason(rawValue: code) { return Console.write(reason.explanation) }
    let words = Reason.allCases.map(\.rawValue)
    // `bind` alone asks for all words of the stage; a lone second half is what people remember.
    let related = words.filter { $0.hasPrefix(code + ".") || $0.hasSuffix("." + code) }
    let near = related.isEmpty ? nearNames(to: code, among: words) : related
    throw CommandFailure(
      .usage, "there is no reason word \(code)",
      near.isEmpty ? "`meshrouter errors` lists them." : "Did you mean \(near.joined(separator: ", "))?")
  }

  private static var table: String {
    let width = Reason.allCases.map(\.rawValue.utf8.count).max() ?? 0
    return Reason.allCases.map { reason in
      let padding = String(repeating: " ", count: width - reason.rawValue.utf8.count)
      return "\(reason.rawValue)\(padding)  \(reason.status)  \(reason.meaning)\n"
    }.joined()
  }
}

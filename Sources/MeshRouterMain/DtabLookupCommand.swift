import ArgumentParser
import Dtab
import Net

struct DtabLookupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lookup",
    abstract: "Follow a name through a dtab, step by step.",
    discussion: """
      With a file or --dtab nothing is contacted: the way ends where a namer (/#/...) or DNS (/$/inet/...) would be \
      asked. Without either, the running router is asked, with all that its namers know.
      Ends with 1 if the name leads nowhere.
      """)

  @Argument(help: "A name such as /svc/web.")
  var name: String

  @Argument(help: "A file with a dtab; - for standard input.", completion: .file())
  var file: String?

  @Option(name: .shortAndLong, help: "A dtab given here; later entries win, so it comes after the file's.")
  var dtab: String?

  @Option(help: "Label of the running router to ask; by default the first one.")
  var router: String?

  @OptionGroup var admin: AdminOptions

  func validate() throws {
    if file != nil || dtab != nil, router != nil { throw ValidationError("--router is for a running router.") }
  }

  func run() throws {
    if file == nil, dtab == nil { try lookUpLive() } else { try lookUpOffline() }
  }

  private func lookUpLive() throws {
    _ = try parsed(name, "name") { text throws(DtabError) in try Path(parsing: text) }
    let query = "path=\(ControlQuery.encode(name))" + (router.map { "&router=\(ControlQuery.encode($0))" } ?? "")
    let path = "/delegator.json?" + query
    Console.write(try admin.request(path, accept: "text/plain").text.trimmedEnd + "\n")
    let tree = JSONDocument(parsing: try admin.request(path, accept: "application/json").text)
    if tree.map(Self.hasTakenLeaf) != true { throw CommandFailure.problemShown }
  }

  private static func hasTakenLeaf(_ node: JSONDocument) -> Bool {
    if node["type"]?.text == "leaf" { return node["role"]?.text == "taken" }
    let branches = [node["delegate"]].compactMap { $0 } + (node["alt"]?.elements ?? [])
    return (branches + (node["union"]?.elements ?? []).compactMap { $0["tree"] }).contains(where: hasTakenLeaf)
  }

  private func lookUpOffline() throws {
    var table = Dtab.empty
    if let file {
      table = table + (try parsedDtab(try inputText(file), file))
    }
    if let dtab { table = table + (try parsedDtab(dtab, "--dtab")) }
    let path = try parsed(name, "name") { text throws(DtabError) in try Path(parsing: text) }

    let delegation = delegate(path, dtab: table, namer: OfflineNames.answer)
    Console.write(text(of: delegation) { OfflineNames.note($0) })
    switch delegation.state {
    case .bound(let tree):
      Console.write("\nresult  \(tree.printed(weights: .readable) { $0.description })\n")
      if case .none = tree.evaluated() { throw CommandFailure.problemShown }
    case .failed(let failure):
      throw CommandFailure(.problem, "\(failure)")
    case .pending:
      preconditionFailure("offline names always answer")
    }
  }
}

/// Names as far as they can be followed without asking anything: the built-in rewriting namers are applied, and a name
/// that a namer would be asked for stands for itself.
enum OfflineNames {
  static func answer(_ path: Path) -> LookupState<Path> {
    if let rewritten = SystemRewrite.rewrite(path) { return .tree(rewritten.map { .path($0) }) }
    guard path.count >= 2, let first = path.first else { return .tree(.neg) }
    let isNamed = first.text == "#" || first.text == "$" && ["inet", "fixedinet"].contains(path[1].text)
    return .tree(isNamed ? .leaf(.bound(path)) : .neg)
  }

  static func note(_ bound: Path) -> String {
    bound.first?.text == "$" ? "asks DNS" : "asks the namer \(bound.prefix(2))"
  }
}

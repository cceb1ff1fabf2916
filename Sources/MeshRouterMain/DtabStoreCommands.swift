import ArgumentParser
import Dtab
import Net

struct DtabListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "The namespaces of a running router's dtab store.")

  @OptionGroup var admin: AdminOptions

  func run() throws {
    for name in try DtabStoreClient(admin: admin).list() { Console.write(name + "\n") }
  }
}

struct DtabGetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Print a namespace's dtab, as it was entered.")

  @Argument(help: "A router uses the namespace of its own label, unless configured otherwise.")
  var namespace: String

  @Option(help: "An earlier version, from `meshrouter dtab history`.")
  var version: UInt64?

  @OptionGroup var admin: AdminOptions

  func run() throws {
    let store = DtabStoreClient(admin: admin)
    let text = try version.map { try store.text(namespace, version: $0) } ?? store.existing(namespace).text
    Console.write(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n")
  }
}

/// Who changes a dtab, and why.
struct ChangeOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "Why; kept in the history.")
  var message = ""

  @Option(help: "Who; by default USER@HOST.")
  var author: String?

  var signature: String { author ?? "\(Host.environment("USER") ?? "somebody")@\(Host.name)" }
}

struct DtabSetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Put a dtab in force, while traffic flows.",
    discussion: """
      The text is checked first. Shows what changes and how to undo it. If somebody else has changed the namespace \
      meanwhile, nothing happens.
      """)

  @Argument(help: "Made if it is not there.")
  var namespace: String

  @Argument(help: "A file with the whole dtab; - or nothing for standard input.", completion: .file())
  var file = "-"

  @Option(help: "Change this version only; without it, the one that is in force now.")
  var ifVersion: UInt64?

  @OptionGroup var change: ChangeOptions

  @OptionGroup var admin: AdminOptions

  @OptionGroup var color: ColorOption

  func run() throws {
    let text = try inputText(file)
    _ = try parsedDtab(text, file)
    let store = DtabStoreClient(admin: admin)
    let old = try store.get(namespace)
    if let ifVersion, ifVersion != old?.version {
      throw CommandFailure(
        .problem, "\(namespace) is at \(old.map { "version \($0.version)" } ?? "no version"), not \(ifVersion)",
        "Nothing was changed. Look at it again: meshrouter dtab get \(namespace)")
    }
    if let old, old.text == text {
      return Console.write("\(namespace) is that already, version \(old.version).\n")
    }
    let new = try store.put(
      namespace, text, replacing: old?.version, author: change.signature, reason: change.message)
    Console.write(LineDiff(from: old?.text ?? "", to: text).text(color: color.isUsed(on: .output)))
    Console.write("\(namespace): version \(new) is in force.")
    if let old { Console.write(" Undo: meshrouter dtab rollback \(namespace) \(old.version)") }
    Console.write("\n")
  }
}

struct DtabDiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compare what is in force with a file, or two versions.",
    discussion: "Ends with 1 if they differ.")

  @Argument(help: "The namespace.")
  var namespace: String

  @Argument(help: "A file with a dtab; - for standard input.", completion: .file())
  var file: String?

  @Option(help: "The older version; by default the one that is in force.")
  var from: UInt64?

  @Option(help: "The newer version; by default the one that is in force.")
  var to: UInt64?

  @OptionGroup var admin: AdminOptions

  @OptionGroup var color: ColorOption

  func validate() throws {
    if file == nil, from == nil, to == nil { throw ValidationError("Give a file, or a version by --from or --to.") }
    if file != nil, to != nil { throw ValidationError("A file and --to exclude each other.") }
  }

  func run() throws {
    let store = DtabStoreClient(admin: admin)
    func text(_ version: UInt64?) throws -> String {
      try version.map { try store.text(namespace, version: $0) } ?? store.existing(namespace).text
    }
    let new = try file.map { try inputText($0) } ?? text(to)
    let diff = LineDiff(from: try text(from), to: new)
    if diff.isEmpty { return }
    Console.write(diff.text(color: color.isUsed(on: .output)))
    throw CommandFailure.problemShown
  }
}

struct DtabHistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Who changed a namespace, when and why; newest first.")

  @Argument(help: "The namespace.")
  var namespace: String

  @Option(name: .shortAndLong, help: "So many changes at most.")
  var limit = 20

  @Flag(name: .shortAndLong, help: "Show what each change changed.")
  var patch = false

  @OptionGroup var admin: AdminOptions

  @OptionGroup var color: ColorOption

  func validate() throws {
    if limit < 1 { throw ValidationError("--limit is at least 1.") }
  }

  func run() throws {
    // One more than is shown, to compare the last of them with.
    let changes = try DtabStoreClient(admin: admin).history(namespace, limit: patch ? limit + 1 : limit)
    for (index, change) in changes.prefix(limit).enumerated() {
      let kind = change.kind.replacing("_", with: " ")
      let what = change.source.map { "\(kind) to \($0)" } ?? kind
      let why = change.reason.isEmpty ? "" : "  \(change.reason)"
      Console.write(
        "\(change.version)  \(Calendar.text(unixMilliseconds: change.unixMilliseconds))  \(what)  \(change.author)\(why)\n"
      )
      if patch {
        let before = index + 1 < changes.count ? changes[index + 1].text : ""
        Console.write(LineDiff(from: before, to: change.text).text(color: color.isUsed(on: .output)) + "\n")
      }
    }
  }
}

struct DtabRollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Put an earlier version in force again, as a new version.")

  @Argument(help: "The namespace.")
  var namespace: String

  @Argument(help: "A version from `meshrouter dtab history`.")
  var version: UInt64

  @OptionGroup var change: ChangeOptions

  @OptionGroup var admin: AdminOptions

  @OptionGroup var color: ColorOption

  func run() throws {
    let store = DtabStoreClient(admin: admin)
    let old = try store.get(namespace)
    let new = try store.rollback(namespace, to: version, author: change.signature, reason: change.message)
    let text = try store.text(namespace, version: version)
    Console.write(LineDiff(from: old?.text ?? "", to: text).text(color: color.isUsed(on: .output)))
    Console.write("\(namespace): version \(new) is in force, which is version \(version) again.\n")
  }
}

extension DtabStoreClient {
  /// Ends the command if there is no such namespace.
  func existing(_ namespace: String) throws -> Document {
    if let document = try get(namespace) { return document }
    let names = try list()
    throw CommandFailure(
      .problem, "there is no namespace \(namespace)",
      names.isEmpty ? "Nothing has been stored yet." : "There are \(names.joined(separator: ", ")).")
  }

  /// The text of a version that is still kept.
  func text(_ namespace: String, version: UInt64) throws -> String {
    let changes = try history(namespace, limit: 1_000_000)
    if let change = changes.first(where: { $0.version == version }) { return change.text }
    throw CommandFailure(
      .problem, "\(namespace) has no version \(version), or it is no longer kept",
      "See: meshrouter dtab history \(namespace)")
  }
}

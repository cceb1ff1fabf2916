import ArgumentParser
import Config
import MeshRouter
import Net

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Find everything that is wrong with a configuration, its dtabs included.",
    discussion: """
      Nothing is contacted and nothing is started. Ends with 1 if there is an error, with --strict also if there is a \
      warning.
      """)

  enum Output: String, CaseIterable, ExpressibleByArgument { case text, json, sarif, github }

  @Argument(
    help: "A file; - for standard input. By default \(ConfigurationInput.standardPath).",
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var config: String?

  @Flag(help: "Warnings are as bad as errors.")
  var strict = false

  @Option(name: .shortAndLong, help: "text for people, json, sarif for code scanning, github for Actions.")
  var output = Output.text

  @OptionGroup var color: ColorOption

  func run() throws {
    try Self.check(
      try ConfigurationInput(path: config), strict: strict, output: output, color: color.isUsed(on: .output))
  }

  static func check(_ input: ConfigurationInput, strict: Bool, output: Output, color: Bool) throws(CommandFailure) {
    let diagnostics = input.diagnostics
    switch output {
    case .text:
      Console.write(input.report(color: color))
      let summary = diagnostics.isEmpty ? "\(input.name): no problems" : diagnostics.summary
      Console.write(summary + ". Nothing was contacted.\n")
    case .json: Console.write(diagnostics.jsonText(name: input.name))
    case .sarif: Console.write(diagnostics.sarifText(name: input.name, version: ProductVersion.number))
    case .github: Console.write(diagnostics.githubText(name: input.name))
    }
    if diagnostics.hasErrors || strict && diagnostics.count(of: .warning) > 0 { throw .problemShown }
  }
}

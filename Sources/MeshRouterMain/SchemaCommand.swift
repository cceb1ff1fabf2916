import ArgumentParser
import Config
import Net

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print what describes the program's formats.",
    subcommands: [SchemaConfigCommand.self])
}

struct SchemaConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "The JSON Schema of the configuration, for completion and checks in editors.",
    discussion: """
      meshrouter schema config > meshrouter.schema.json, and as the first line of the configuration:
      \(ConfigDocuments.schemaHint(path: "./meshrouter.schema.json"))
      """)

  @Flag(help: "Print docs/configuration.md instead: each key with its default and meaning.")
  var markdown = false

  func run() { Console.write(markdown ? ConfigDocuments.markdown : ConfigDocuments.schema) }
}

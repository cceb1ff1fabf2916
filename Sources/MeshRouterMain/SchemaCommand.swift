import ArgumentParser
import Config
import Net
import Telemetry

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print what describes the program's formats.",
    subcommands: [SchemaConfigCommand.self, SchemaMetricsCommand.self])
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

struct SchemaMetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "Print docs/metrics.md: every family with its labels and meaning.")

  func run() { Console.write(MetricName.markdown) }
}

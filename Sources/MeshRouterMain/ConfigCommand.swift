import ArgumentParser
import Config
import Net

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show a configuration as it is understood.",
    subcommands: [ConfigDumpCommand.self])
}

struct ConfigDumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump",
    abstract: "Every setting in force, defaults included, as JSON.",
    discussion: "Secrets are masked. The output is a valid configuration again, but for those.")

  @Argument(
    help: "A file; - for standard input. By default \(ConfigurationInput.standardPath).",
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var config: String?

  @OptionGroup var color: ColorOption

  func run() throws {
    let configuration = try ConfigurationInput(path: config).usable(color: color.isUsed(on: .error))
    Console.write(configuration.effectiveJSON)
  }
}

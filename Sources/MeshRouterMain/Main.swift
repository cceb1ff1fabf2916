import ArgumentParser
import MeshRouter
import Net

/// Reads the arguments, runs the command and turns its outcome into the exit status.
@main
enum Main {
  static func main() {
    do {
      var command = try MeshRouterCommand.parseAsRoot()
      try command.run()
    } catch let failure as CommandFailure {
      if !failure.message.isEmpty { Console.writeError(failure.text + "\n") }
      Console.exit(failure.status.rawValue)
    } catch {
      let code = MeshRouterCommand.exitCode(for: error)
      let text = MeshRouterCommand.fullMessage(for: error)
      if code == .success {
        if !text.isEmpty { Console.write(text + "\n") }
        Console.exit(ExitStatus.ok.rawValue)
      }
      if !text.isEmpty { Console.writeError(text + "\n") }
      Console.exit(code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue)
    }
  }
}

struct MeshRouterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "meshrouter",
    abstract: "A router on every host: programs name what they want, a dtab decides where it is.",
    discussion: """
      Exit status: 0 all is well, 1 a problem was found, 2 wrong usage, 3 something cannot be reached.
      """,
    version: ProductVersion.description,
    groupedSubcommands: [
      CommandGroup(
        name: "The router:",
        subcommands: [RunCommand.self, ReloadCommand.self, UpgradeCommand.self, DrainCommand.self, DemoCommand.self]),
      CommandGroup(name: "Configuration:", subcommands: [CheckCommand.self, ConfigCommand.self, SchemaCommand.self]),
      CommandGroup(name: "Names:", subcommands: [WhyCommand.self, DtabCommand.self]),
      CommandGroup(name: "Help:", subcommands: [ErrorsCommand.self, CompletionCommand.self]),
    ])
}

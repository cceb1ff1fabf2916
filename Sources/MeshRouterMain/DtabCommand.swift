import ArgumentParser

struct DtabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dtab",
    abstract: "Read, check, explain and edit dtabs.",
    subcommands: [DtabFmtCommand.self, DtabLookupCommand.self])
}

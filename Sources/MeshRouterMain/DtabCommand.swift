import ArgumentParser

struct DtabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dtab",
    abstract: "Read, check, explain and edit dtabs.",
    groupedSubcommands: [
      CommandGroup(name: "Offline:", subcommands: [DtabFmtCommand.self, DtabLookupCommand.self]),
      CommandGroup(
        name: "In a running router:",
        subcommands: [
          DtabListCommand.self, DtabGetCommand.self, DtabSetCommand.self, DtabDiffCommand.self,
          DtabHistoryCommand.self, DtabRollbackCommand.self,
        ]),
    ])
}

import ArgumentParser
import Config
import MeshRouter
import Net

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the router until SIGTERM or SIGINT.",
    discussion: """
      A configuration with errors is refused. Sockets are bound before anything is accepted. The first signal drains, \
      the second ends at once. SIGHUP reads the file again and applies what has changed in it; one with errors changes \
      nothing, and the log has them. SIGUSR2 lets a new \
      process of the program take over, as `meshrouter upgrade` does.
      """)

  @Argument(
    help: "A file; - for standard input. By default \(ConfigurationInput.standardPath).",
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var config: String?

  @Option(help: "Route every request to this one backend, HOST:PORT or PORT, and need no configuration.")
  var to: String?

  @Flag(
    name: .customLong("validate"),
    help: "Check the configuration and start nothing, as linkerd's -validate; see `meshrouter check`.")
  var onlyCheck = false

  @OptionGroup var color: ColorOption

  func validate() throws {
    if to != nil, config != nil { throw ValidationError("--to needs no configuration; leave \(config ?? "") out.") }
  }

  func run() throws {
    if onlyCheck {
      return try CheckCommand.check(input(), strict: false, output: .text, color: color.isUsed(on: .output))
    }
    let inheritance = try RunningRouter.prepare()
    do {
      try run(inheritance)
    } catch {
      RunningRouter.tell(inheritance, of: error)
      throw error
    }
  }

  private func run(_ inheritance: Inheritance?) throws {
    let input = try self.input()
    let configuration = try input.usable(color: color.isUsed(on: .error))
    if !input.diagnostics.isEmpty { Console.writeError(input.report(color: color.isUsed(on: .error))) }
    // Standard input is read once, and not by another process.
    let program = config == "-" ? nil : SuccessorProgram(arguments: CommandLine.arguments)
    try RunningRouter.run(
      configuration, source: to == nil ? ConfigurationInput.source(path: config) : nil, program: program,
      inheritance: inheritance
    ) { router in
      for (router, addresses) in zip(configuration.routers, router.serverAddresses) {
        for (server, address) in zip(router.servers, addresses) {
          let scheme = server.tls?.enabled == true ? "https" : "http"
          Console.writeError("router \(router.label) listens on \(scheme)://\(address)\n")
        }
      }
    }
  }

  private func input() throws -> ConfigurationInput {
    guard let to else { return try ConfigurationInput(path: config) }
    guard let yaml = Configuration.singleBackendYAML(to: to) else {
      throw CommandFailure(.usage, "\"\(to)\" is no backend", "Write HOST:PORT, [IPv6]:PORT or PORT.")
    }
    Console.writeError("This is what --to stands for; save it to go on from there:\n\n\(yaml)\n")
    return ConfigurationInput(name: "--to \(to)", text: yaml)
  }
}

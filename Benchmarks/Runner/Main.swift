import ArgumentParser
import Glibc

/// `Benchmarks micro`: what single steps cost, as lines of JSON. `Benchmarks bars`: what holds of the whole router.
@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "Benchmarks", abstract: "What the router costs, and what it withstands.",
    subcommands: [Micro.self, Bars.self, BackendProcess.Command.self],
    defaultSubcommand: Micro.self)
}

struct Micro: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Nanoseconds of CPU and allocations per step, one line of JSON each.",
    discussion: "Fails if a figure with a bar is above it.")

  @Flag(help: "Show where the worker allocates during an exchange, as stacks on standard error.")
  var showMallocs = false

  @Option(help: "Only figures whose name starts so, such as exchange.")
  var only: String = ""

  func run() throws {
    var figures: [Figure] = []
    func add(_ group: [String], _ run: () throws -> [Figure]) rethrows {
      guard group.contains(where: { $0.hasPrefix(only) || only.hasPrefix($0) }) else { return }
      for figure in try run() where figure.name.hasPrefix(only) {
        print(figure.json)
        figures.append(figure)
      }
    }
    try add(["dtab", "balancer", "identify"]) { try NamingBenchmarks.run() }
    add(["http1"]) { HTTPBenchmarks.run() }
    add(["http2"]) { HTTP2Benchmarks.run() }
    try add(["exchange"]) { try ExchangeBenchmark.run(showsMallocs: showMallocs) }
    if !figures.allSatisfy(\.passes) { throw ExitCode(1) }
  }
}

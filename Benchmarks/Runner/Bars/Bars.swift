import ArgumentParser
import Glibc

struct Bars: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What must hold of the router as a whole: each figure with PASS or FAIL.",
    discussion: "Runs the product's binary as a child and fails if any figure is out of bounds.",
    subcommands: [Edits.self, Flap.self, Scrape.self, Why.self, Idle.self, Cluster.self, Soak.self])

  struct Target: ParsableArguments {
    @Option(help: "The meshrouter to run; by default the one built beside this program.")
    var router: String?

    var binary: String {
      if let router { return router }
      var buffer = [CChar](repeating: 0, count: 4_096)
      let count = readlink("/proc/self/exe", &buffer, buffer.count)
      let own = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/meshrouter"
    }
  }

  struct Length: ParsableArguments {
    @Option(help: "How long to measure.")
    var seconds = 20
  }

  struct Edits: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "20 dtab edits a second during load.")
    @OptionGroup var target: Target
    @OptionGroup var length: Length
    func run() throws { try Bars.verdict(EditsBar.run(binary: target.binary, seconds: length.seconds)) }
  }

  struct Flap: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "20 changes of an endpoint file a second during load.")
    @OptionGroup var target: Target
    @OptionGroup var length: Length
    func run() throws { try Bars.verdict(FlapBar.run(binary: target.binary, seconds: length.seconds)) }
  }

  struct Scrape: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Metrics of 1,000 clients read during load.")
    @OptionGroup var target: Target
    @OptionGroup var length: Length
    func run() throws { try Bars.verdict(ScrapeBar.run(binary: target.binary, seconds: length.seconds)) }
  }

  struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Explanations against real requests, with 10,000 names.")
    @OptionGroup var target: Target
    @Option(help: "Random requests to compare.")
    var cases = 10_000
    @Option(help: "Of the random requests.")
    var seed: UInt64 = 1
    func run() throws { try Bars.verdict(WhyBar.run(binary: target.binary, cases: cases, seed: seed)) }
  }

  struct Idle: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Memory per idle connection, 5,000 of them.")
    @OptionGroup var target: Target
    func run() throws { try Bars.verdict(IdleBar.run(binary: target.binary)) }
  }

  struct Soak: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Mixed load, edits, kills and broken peers.")
    @OptionGroup var target: Target
    @Option(help: "How long; ten minutes stand for a day.")
    var seconds = 600
    @Option(help: "Callers at a time.")
    var callers = 16
    @Option(help: "Of all that is random.")
    var seed: UInt64 = 1
    @Flag(help: "Do not ask for flat memory, as for a build with a sanitizer.")
    var anyMemory = false

    func run() throws {
      let options = SoakBar.Options(seconds: seconds, callers: callers, seed: seed, checksMemory: !anyMemory)
      try Bars.verdict(SoakBar.run(binary: target.binary, options: options))
    }
  }

  static func verdict(_ passes: Bool) throws {
    if !passes { throw ExitCode(1) }
  }
}

import ArgumentParser
import Glibc

struct Bars: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What must hold of the router as a whole: each figure with PASS or FAIL.",
    discussion: "Runs the product's binary as a child and fails if any figure is out of bounds.",
    subcommands: [
      Edits.self, Flap.self, Scrape.self, Why.self, Idle.self, Cluster.self, Soak.self, Streams.self, Download.self,
      Resume.self,
      Abuse.self, Resilience.self,
    ])

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

  struct Streams: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "10,000 streams of HTTP/2 at a time to a slow backend.")
    @OptionGroup var target: Target
    @Option(help: "How long, with each kind of backend.")
    var seconds = 8
    @Option(help: "Milliseconds until the backend answers.")
    var delay = 2_000
    func run() throws {
      try Bars.verdict(StreamsBar.run(binary: target.binary, seconds: seconds, delayMilliseconds: delay))
    }
  }

  struct Download: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "CPU per byte of a large body over TLS and HTTP/2, beside nghttpx.",
      discussion: "Needs nginx-light, nghttp2-proxy and nghttp2-client, and two cores.")
    @OptionGroup var target: Target
    @Option(help: "Size of the body.")
    var megabytes = 1_024
    @Option(help: "Downloads through each, in turn.")
    var rounds = 5
    func run() throws {
      try Bars.verdict(DownloadBar.run(binary: target.binary, megabytes: megabytes, rounds: rounds))
    }
  }

  struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Share of returning callers whose TLS session is resumed by its ticket.")
    @OptionGroup var target: Target
    @Option(help: "Connections with a ticket, for each version of TLS.")
    var reconnects = 1_000
    @Option(help: "Workers of the router, which share the keys of tickets.")
    var workers = 4
    func run() throws {
      try Bars.verdict(ResumeBar.run(binary: target.binary, reconnects: reconnects, workers: workers))
    }
  }

  struct Abuse: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "p99 of well-behaved callers of HTTP/2 while one connection floods the router, against none.")
    @OptionGroup var target: Target
    @Option(help: "Pairs of slices with and without the flood, for each kind of flood.")
    var pairs = 9
    @Option(help: "Milliseconds of a slice.")
    var slice = 1_000
    @Option(help: "Only floods whose name starts so, such as PING.")
    var only = ""
    func run() throws {
      try Bars.verdict(AbuseBar.run(binary: target.binary, pairs: pairs, milliseconds: slice, only: only))
    }
  }

  static func verdict(_ passes: Bool) throws {
    if !passes { throw ExitCode(1) }
  }
}

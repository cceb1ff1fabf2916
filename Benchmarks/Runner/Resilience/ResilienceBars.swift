import ArgumentParser

extension Bars {
  struct Resilience: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Backends that die, fail or hang: what callers see of it, and what the router adds to it.")

    enum Part: String, CaseIterable, ExpressibleByArgument {
      case kill, half, down, hang, line, upgrade, overload
    }

    @OptionGroup var target: Target
    @Argument(help: "Which of them; by default all: kill, half, down, hang, line, upgrade, overload.")
    var parts: [Part] = []
    @Option(help: "How long each; by default 60 with kills and overload, else 15; with upgrades 20 of them.")
    var seconds: Int?
    @Option(
      help: "Requests per second; by default half the most with kills, 10,000 with all backends down, else 2,000.")
    var rate: Double?

    func run() throws {
      var passes = true
      for part in parts.isEmpty ? Part.allCases : parts {
        let seconds = self.seconds ?? ([.kill, .overload].contains(part) ? 60 : 15)
        let rate = self.rate ?? (part == .down ? 10_000 : 2_000)
        switch part {
        case .kill: passes = try KillBar.run(binary: target.binary, seconds: seconds, rate: self.rate) && passes
        case .half: passes = try HalfBar.run(binary: target.binary, seconds: seconds, rate: rate) && passes
        case .down: passes = try DownBar.run(binary: target.binary, seconds: seconds, rate: rate) && passes
        case .hang: passes = try HangBar.run(binary: target.binary, seconds: seconds, rate: rate) && passes
        case .upgrade: passes = try UpgradeBar.run(binary: target.binary, rate: self.rate ?? 1_000) && passes
        case .overload: passes = try OverloadBar.run(binary: target.binary, seconds: seconds) && passes
        case .line: passes = try LineBar.run(binary: target.binary, seconds: seconds, rate: rate) && passes
        }
      }
      try Bars.verdict(passes)
    }
  }
}

/// What the bars of resilience share.
enum ResilienceStage {
  /// Of a service whose reads are tried again.
  static let retryableReads = "{responseClassifier: {kind: io.l5d.http.retryableRead5XX}}"

  static let request = BarFixture.get(host: "web")

  /// The load has come to its rate, and everything is connected.
  static func warmUp(_ load: LoadGenerator) { Harness.sleep(milliseconds: 2_000) }

  static func noteRetries(_ report: inout BarReport, _ router: RouterChild) throws {
    let metrics = try router.admin.metrics()
    let retries = "meshrouter_service_retries_total"
    report.note("retries sent", metrics.sum(retries, "kind=\"classified\"", "outcome=\"sent\""))
    report.note("retries the budget refused", metrics.sum(retries, "outcome=\"budget_exhausted\""))
    report.note("re-queues", metrics.sum("meshrouter_client_requeues_total"))
    report.note("endpoints ejected", metrics.sum("meshrouter_client_endpoint_ejections_total"))
  }
}

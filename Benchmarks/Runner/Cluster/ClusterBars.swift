import ArgumentParser
import Glibc

extension Bars {
  struct Cluster: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Names from a cluster's schedulers: delay of changes, bytes, memory, failures of the source.",
      discussion: "The schedulers and their tasks are simulated inside this program, over real sockets.")

    enum Part: String, CaseIterable, ExpressibleByArgument {
      case lazy, eager, sync, snapshot, events, deploy, outage
    }

    @OptionGroup var target: Target
    @Argument(help: "Which of them; by default all: lazy, eager, sync, snapshot, events, deploy, outage.")
    var parts: [Part] = []
    @Option(help: "Apps of the cluster, of five tasks each.")
    var apps = 10_000
    @Option(help: "Apps that are used.")
    var inUse = 100
    @Option(help: "Changes that are timed.")
    var changes = 200
    @Option(help: "How long events come, a thousand a second.")
    var eventSeconds = 60
    @Option(help: "How long the scheduler is away.")
    var awaySeconds = 60
    @Option(help: "Which scheduler the router asks: marathon or mesos; sync is Marathon's, snapshot Mesos's.")
    var source = ClusterSource.marathon

    func run() throws {
      let size = ClusterSize(source: source, apps: apps, tasksPerApp: 5, inUse: inUse)
      var passes = true
      for part in parts.isEmpty ? Part.allCases : parts {
        switch part {
        case .lazy:
          passes =
            try ChangeBar.run(binary: target.binary, mode: .lazy, size: size, changes: changes) && passes
        case .eager:
          passes =
            try ChangeBar.run(binary: target.binary, mode: .eager, size: size, changes: changes) && passes
        case .sync: passes = try SyncBar.run(binary: target.binary, size: size) && passes
        case .snapshot: passes = try SnapshotBar.run(binary: target.binary, size: size) && passes
        case .events: passes = try EventRateBar.run(binary: target.binary, size: size, seconds: eventSeconds) && passes
        case .deploy: passes = try DeployBar.run(binary: target.binary, source: source) && passes
        case .outage:
          passes = try OutageBar.run(binary: target.binary, source: source, awaySeconds: awaySeconds) && passes
        }
      }
      try Bars.verdict(passes)
    }
  }
}

/// How large the cluster of a bar is.
struct ClusterSize {
  var source: ClusterSource
  var apps: Int
  var tasksPerApp: Int
  var inUse: Int
}

/// How much of a cluster the router keeps up with.
enum ClusterMode: String {
  case lazy, eager
}

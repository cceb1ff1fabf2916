import ArgumentParser
import Glibc
import Net

/// A backend that is a process of its own, so that it can be killed as the kernel kills.
final class BackendProcess {
  let port: UInt16
  private let log: String
  private var child: ChildProcess

  /// Returns when it takes connections.
  init(port: UInt16, log: String) throws {
    self.port = port
    self.log = log
    child = try Self.start(port, log)
    try child.waitForPort(port)
  }

  private static func start(_ port: UInt16, _ log: String) throws -> ChildProcess {
    try ChildProcess(["/proc/self/exe", "backend", "--port", "\(port)"], log: log)
  }

  /// Returns when it is gone.
  func killNow() {
    Glibc.kill(child.process, SIGKILL)
    while child.isRunning { usleep(500) }
  }

  func restart() throws {
    child = try Self.start(port, log)
    try child.waitForPort(port)
  }

  /// The program that is run: `Benchmarks backend`.
  struct Command: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "backend", abstract: "A backend for the bars; ends with its parent.", shouldDisplay: false)
    @Option var port: UInt16

    func run() throws {
      let parent = getppid()
      let backend = try LoadBackend(port: port)
      while getppid() == parent { Harness.sleep(milliseconds: 200) }
      backend.stop()
    }
  }
}

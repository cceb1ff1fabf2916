import Glibc
import MeshBase
import Net

/// The product's own binary as a child process, with a configuration of the benchmark's.
final class RouterChild {
  private let child: ChildProcess
  let port: UInt16
  let admin: AdminClient
  var process: Int32 { child.process }
  var isRunning: Bool { child.isRunning }
  /// The router's standard error.
  var log: String { child.log }

  /// - Parameters:
  ///   - binary: the `meshrouter` to run.
  ///   - configuration: YAML; `PORT` and `ADMIN_PORT` stand for free ports.
  ///   - core: the one core that it may use; all by default.
  init(binary: String, configuration: String, folder: String, core: Int? = nil) throws {
    let port = try Harness.freePort()
    var adminPort = port
    while adminPort == port { adminPort = try Harness.freePort() }
    let text = configuration.replacing("ADMIN_PORT", with: "\(adminPort)").replacing("PORT", with: "\(port)")
    let file = "\(folder)/meshrouter.yaml"
    try Harness.write(text, to: file)
    self.port = port
    admin = AdminClient(port: adminPort)
    child = try ChildProcess([binary, "run", file], core: core, log: "\(folder)/router.log")
    try child.waitForPort(port)
  }

  /// Asks it to end and waits; throws if it does not end well within `seconds`.
  func end(seconds: Int = 30) throws {
    kill(process, SIGTERM)
    for _ in 0..<(seconds * 50) where child.isRunning { Harness.sleep(milliseconds: 20) }
    guard let status = child.status else {
      throw Harness.Failure("the router did not end within \(seconds) s of SIGTERM")
    }
    guard status == 0 else {
      throw Harness.Failure("the router ended with wait status \(status):\n\((Harness.read(log) ?? "").suffix(4_000))")
    }
  }

  /// CPU time of all its threads.
  var nanoseconds: UInt64 { ProcessTable.nanoseconds(process: process) }

  /// CPU time of the thread that serves the admin port, names and files.
  var controlNanoseconds: UInt64 {
    ProcessTable.threads(of: "\(process)").reduce(0) { sum, thread in
      thread.key.hasPrefix("worker-")
        ? sum : sum + ProcessTable.nanoseconds(process: "\(process)", thread: thread.value)
    }
  }

  /// Workers that have done more than to start.
  var busyWorkers: Int {
    ProcessTable.threads(of: "\(process)").filter { thread in
      thread.key.hasPrefix("worker-")
        && ProcessTable.nanoseconds(process: "\(process)", thread: thread.value) > 20_000_000
    }.count
  }

  var residentBytes: Int { ProcessTable.residentBytes(process: process) }
}

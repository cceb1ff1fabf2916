import Glibc
import MeshBase
import Net

/// The product's own binary as a child process, with a configuration of the benchmark's.
final class RouterChild {
  let process: Int32
  let port: UInt16
  let admin: AdminClient
  /// The router's standard error.
  let log: String
  private var status: Int32?

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
    let log = "\(folder)/router.log"
    process = try Self.spawn(ChildProcess.pinned([binary, "run", file], to: core), errors: log)
    self.log = log
    self.port = port
    admin = AdminClient(port: adminPort)
    try waitUntilReady()
  }

  deinit { if status == nil { kill(process, SIGKILL) } }

  private static func spawn(_ arguments: [String], errors: String) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var vector = arguments.map { strdup($0) } + [nil]
    defer { for case let pointer? in vector { free(pointer) } }
    var id: pid_t = 0
    let code = posix_spawn(&id, arguments[0], &actions, nil, &vector, environ)
    guard code == 0 else { throw SystemError("posix_spawn", code: code, subject: arguments[0]) }
    return id
  }

  private func waitUntilReady() throws {
    for _ in 0..<400 {
      if let file = Sockets.connect(port: port) {
        close(file)
        return
      }
      guard isRunning else { break }
      Harness.sleep(milliseconds: 25)
    }
    throw Harness.Failure("the router did not start:\n\(Harness.read(log) ?? "")")
  }

  var isRunning: Bool {
    if status != nil { return false }
    var result: Int32 = 0
    if waitpid(process, &result, WNOHANG) == process { status = result }
    return status == nil
  }

  /// Asks it to end and waits; throws if it does not end well within `seconds`.
  func end(seconds: Int = 30) throws {
    kill(process, SIGTERM)
    for _ in 0..<(seconds * 50) where isRunning { Harness.sleep(milliseconds: 20) }
    guard let status else { throw Harness.Failure("the router did not end within \(seconds) s of SIGTERM") }
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

import Glibc
import Net

/// A program of the system as a child, with its children: a peer to compare with, a load generator, a backend.
final class ChildProcess {
  let process: Int32
  /// Of its end, as `waitpid` has it.
  private(set) var status: Int32?
  /// Where its output goes.
  let log: String

  /// - Parameters:
  ///   - arguments: the program, which is looked for on the path and in /usr/sbin, and its arguments.
  ///   - core: the one core that it may use, where there are several.
  init(_ arguments: [String], core: Int? = nil, log: String) throws {
    self.log = log
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    guard let program = Self.find(arguments[0]) else {
      throw Harness.Failure("\(arguments[0]) is not there. \(Self.package(of: arguments[0]))")
    }
    let all = Self.pinned([program] + arguments.dropFirst(), to: core)
    var vector = all.map { strdup($0) } + [nil]
    defer { for case let pointer? in vector { free(pointer) } }
    var id: pid_t = 0
    let code = posix_spawn(&id, all[0], &actions, nil, &vector, environ)
    guard code == 0 else { throw SystemError("posix_spawn", code: code, subject: all[0]) }
    process = id
  }

  deinit { if isRunning { kill(process, SIGKILL) } }

  /// The command, made to run on that core alone.
  private static func pinned(_ command: [String], to core: Int?) -> [String] {
    guard let core, let taskset = find("taskset") else { return command }
    return [taskset, "-c", "\(core)"] + command
  }

  private static func find(_ program: String) -> String? {
    if program.contains("/") { return program }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    // Daemons live in sbin, which is not on every user's path.
    for folder in (path + ":/usr/sbin:/sbin").split(separator: ":")
    where access("\(folder)/\(program)", X_OK) == 0 {
      return "\(folder)/\(program)"
    }
    return nil
  }

  private static func package(of program: String) -> String {
    let packages = [
      "nginx": "nginx-light", "nghttpx": "nghttp2-proxy", "nghttp": "nghttp2-client", "h2load": "nghttp2-client",
      "openssl": "openssl",
    ]
    return packages[program].map { "Install it: apt-get install \($0)" } ?? ""
  }

  var isRunning: Bool {
    if status != nil { return false }
    var result: Int32 = 0
    if waitpid(process, &result, WNOHANG) == process { status = result }
    return status == nil
  }

  /// Waits until it ends of its own accord; throws if it fails.
  func wait() throws {
    while isRunning { usleep(2_000) }
    if status != 0 { throw Harness.Failure("ended with wait status \(status ?? -1): \(Harness.read(log) ?? "")") }
  }

  static func run(_ arguments: [String], core: Int? = nil, log: String) throws {
    try ChildProcess(arguments, core: core, log: log).wait()
  }

  /// Returns when the port takes connections.
  func waitForPort(_ port: UInt16) throws {
    for _ in 0..<400 {
      if let file = Sockets.connect(port: port) {
        close(file)
        return
      }
      guard isRunning else { break }
      Harness.sleep(milliseconds: 25)
    }
    throw Harness.Failure("nobody listens on port \(port):\n\(Harness.read(log) ?? "")")
  }

  func end() {
    guard isRunning else { return }
    kill(process, SIGTERM)
    for _ in 0..<250 where isRunning { Harness.sleep(milliseconds: 20) }
    if isRunning { kill(process, SIGKILL) }
    while isRunning { Harness.sleep(milliseconds: 5) }
  }

  /// CPU time of it and its children.
  var nanoseconds: UInt64 { Self.nanoseconds(process) }

  private static func nanoseconds(_ process: Int32) -> UInt64 {
    let children = (Harness.read("/proc/\(process)/task/\(process)/children") ?? "").split(separator: " ")
    return ProcessTable.nanoseconds(process: process)
      + children.compactMap { Int32($0) }.reduce(0) { $0 + nanoseconds($1) }
  }
}

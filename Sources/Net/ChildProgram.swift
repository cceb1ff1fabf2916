import Glibc

/// Another program, started by this process with descriptors of its choice and no others but the standard streams.
public final class ChildProgram: Sendable {
  public let processID: Int32
  private let wait = Locked<Int32?>(nil)

  private init(processID: Int32) { self.processID = processID }

  /// Starts a successor of this process: with its environment, its standard streams, these listening sockets under
  /// these names and, behind them, the channel. They stay open here. Signals that are blocked here are not there.
  public static func startSuccessor(
    _ path: String, arguments: [String], sockets: [(descriptor: Int32, name: String)], channel: Int32
  ) throws(SystemError) -> ChildProgram {
    let variables = DescriptorTable.variables(names: sockets.map(\.name), predecessor: getpid())
    return try start(
      path, arguments: arguments, environment: environment(adding: variables),
      descriptors: sockets.map(\.descriptor) + [channel])
  }

  /// Ours, without what it says of the descriptors that this process was started with.
  private static func environment(adding variables: [(name: String, value: String)]) -> [String] {
    var lines: [String] = []
    var next = environ
    while let line = next.pointee {
      let text = String(cString: line)
      if !DescriptorTable.names.contains(where: { text.hasPrefix($0 + "=") }) { lines.append(text) }
      next += 1
    }
    return lines + variables.map { "\($0.name)=\($0.value)" }
  }

  /// `descriptors` become 3, 4 and so on.
  private static func start(
    _ path: String, arguments: [String], environment: [String], descriptors: [Int32]
  ) throws(SystemError) -> ChildProgram {
    // Out of the way first, so that none is overwritten before it is in its place.
    let first = DescriptorTable.first
    let floor = first + Int32(descriptors.count)
    var copies: [Int32] = []
    defer { for copy in copies { close(copy) } }
    for descriptor in descriptors {
      let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, floor)
      guard copy >= 0 else { throw SystemError("fcntl") }
      copies.append(copy)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (index, copy) in copies.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, copy, first + Int32(index))
    }
    // Whatever was opened without O_CLOEXEC, by whichever library.
    for name in (try? FileSystem.list("/proc/self/fd")) ?? [] {
      guard let open = Int32(name), open > STDERR_FILENO, fcntl(open, F_GETFD) & FD_CLOEXEC == 0 else { continue }
      if open < first || open >= floor { posix_spawn_file_actions_addclose(&actions, open) }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var pipes = sigset_t()
    sigemptyset(&pipes)
    sigaddset(&pipes, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &pipes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup($0) } + [nil]
    defer { for case let pointer? in argv + envp { free(pointer) } }
    var id: pid_t = 0
    let code = posix_spawn(&id, path, &actions, &attributes, &argv, &envp)
    guard code == 0 else { throw SystemError("posix_spawn", code: code, subject: path) }
    return ChildProgram(processID: id)
  }

  /// How it ended, in words; `nil` while it runs.
  public var ending: String? {
    let status = wait.withLock { status -> Int32? in
      if status == nil {
        var found: Int32 = 0
        if waitpid(processID, &found, WNOHANG) == processID { status = found }
      }
      return status
    }
    guard let status else { return nil }
    let signal = status & 0x7f
    return signal == 0 ? "it ended with exit status \(status >> 8 & 0xff)" : "signal \(signal) ended it"
  }

  /// False if it has ended.
  @discardableResult
  public func signal(_ number: Int32) -> Bool {
    // Until its end has been waited for, nobody else gets its id.
    if ending != nil { return false }
    return Glibc.kill(processID, number) == 0
  }

  /// Ends it at once.
  public func kill() { signal(SIGKILL) }

  /// Ends it if it runs, and returns when it is gone, saying how it ended.
  @ControlActor public func end() async -> String {
    kill()
    while true {
      if let ending { return ending }
      try? await ControlActor.sleep(milliseconds: 2)
    }
  }
}

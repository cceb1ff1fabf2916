import Foundation

import class Net.Locked

/// A program that a test starts: what of Foundation's `Process` tests use, under the same names.
///
/// `Process` of Swift 6.3 copies a whole `dirent` from the end of a buffer when this process has more than some 1,300
/// descriptors, and may crash. This one has no such bound; the child gets its three standard streams and nothing else.
public final class SpawnedProcess: @unchecked Sendable {
  public var executableURL: URL?
  public var arguments: [String] = []
  /// That of this process unless set.
  public var environment: [String: String]? = ProcessInfo.processInfo.environment
  public var currentDirectoryURL: URL?
  /// Each is a `Pipe` or a `FileHandle`; inherited unless set.
  public var standardInput: Any?
  public var standardOutput: Any?
  public var standardError: Any?

  public struct StartError: Error, CustomStringConvertible {
    public let description: String
  }

  public private(set) var processIdentifier: pid_t = 0
  /// As `waitpid` has it; nil while the program runs.
  private let ended = Locked<Int32?>(nil)
  private var hasStarted = false

  // Behind _GNU_SOURCE in glibc's headers, so not imported.
  private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
  private static let addCloseFrom = unsafeBitCast(
    dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"), to: (@convention(c) (Actions, Int32) -> Int32).self)
  private static let addChangeOfDirectory = unsafeBitCast(
    dlsym(nil, "posix_spawn_file_actions_addchdir_np"),
    to: (@convention(c) (Actions, UnsafePointer<CChar>) -> Int32).self)

  public init() {}

  public func run() throws {
    guard let program = executableURL?.path else { throw StartError(description: "no program is named") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let directory = currentDirectoryURL?.path { _ = Self.addChangeOfDirectory(&actions, directory) }
    for (place, stream) in [standardInput, standardOutput, standardError].enumerated() {
      if stream as? FileHandle === FileHandle.nullDevice {
        posix_spawn_file_actions_addopen(&actions, Int32(place), "/dev/null", O_RDWR, 0)
        continue
      }
      let handle = place == 0 ? (stream as? Pipe)?.fileHandleForReading : (stream as? Pipe)?.fileHandleForWriting
      guard let open = (handle ?? stream as? FileHandle)?.fileDescriptor else { continue }
      posix_spawn_file_actions_adddup2(&actions, open, Int32(place))
    }
    _ = Self.addCloseFrom(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    var variables = (environment ?? [:]).map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for case let pointer? in words + variables { free(pointer) } }
    let code = posix_spawn(&processIdentifier, program, &actions, &attributes, &words, &variables)
    guard code == 0 else { throw StartError(description: "\(program): \(String(cString: strerror(code)))") }
    hasStarted = true
    reap()
    // The other ends are the child's now: a reader is to see the end of its output.
    for stream in [standardOutput, standardError] { try? (stream as? Pipe)?.fileHandleForWriting.close() }
    try? (standardInput as? Pipe)?.fileHandleForReading.close()
  }

  /// At once, whoever asks: exit tests wait for any child, and would see this one again and again.
  private func reap() {
    let (child, ended) = (processIdentifier, ended)
    let thread = Thread {
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0, errno == EINTR {}
      ended.withLock { $0 = status }
    }
    thread.stackSize = 1 << 16
    thread.start()
  }

  public var isRunning: Bool { hasStarted && ended.withLock { $0 } == nil }

  public func waitUntilExit() { while isRunning { usleep(1_000) } }

  /// The exit status, or the signal that ended it.
  public var terminationStatus: Int32 {
    waitUntilExit()
    let status = ended.withLock { $0 } ?? -1
    return status & 0x7f == 0 ? (status >> 8) & 0xff : status & 0x7f
  }

  public func terminate() { if isRunning { kill(processIdentifier, SIGTERM) } }
}

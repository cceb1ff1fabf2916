import CMeshShims
import Glibc
import Synchronization

/// A file, or standard output, that threads append to without ever waiting for the disk or a pipe's reader.
///
/// A thread of its own writes. What it has not written yet is bounded; beyond, new text is refused and its lines are
/// counted as dropped.
public final class BackgroundFile: Sendable {
  private struct Shared {
    var backlog: [UInt8] = []
    var reopenWanted = false
    var isFinished = false
  }
  private let shared = Locked(Shared())
  private let wakeup: Int32
  private let path: String
  private let dropped = Atomic<Int>(0)

  private static let backlogBytesMax = 8 << 20

  /// `path` "-" is standard output. Throws if the file cannot be opened for appending.
  public init(path: String) throws(SystemError) {
    self.path = path
    let descriptor = try Self.open(path)
    wakeup = eventfd(0, Int32(EFD_CLOEXEC))
    guard wakeup >= 0 else { throw SystemError("eventfd") }
    Thread.start(name: "log") { [self] in run(descriptor) }
  }

  private static func open(_ path: String) throws(SystemError) -> Int32 {
    if path == "-" { return STDOUT_FILENO }
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw SystemError("open", subject: path) }
    return descriptor
  }

  /// Lines lost because the disk was full or slow, or the pipe's reader lagged.
  public var droppedLines: Int { dropped.load(ordering: .relaxed) }

  /// Takes whole lines; false, and they are counted as dropped, if the writer lags too far behind.
  @discardableResult
  public func append(_ text: [UInt8], lines: Int) -> Bool {
    let taken = shared.withLock { shared in
      guard shared.backlog.count + text.count <= Self.backlogBytesMax else { return false }
      shared.backlog += text
      return true
    }
    if taken { wake() } else { dropped.add(lines, ordering: .relaxed) }
    return taken
  }

  /// Opens the file anew, after logrotate has moved it.
  public func reopen() {
    shared.withLock { $0.reopenWanted = true }
    wake()
  }

  /// Writes what it has taken, then closes the file and ends its thread. Nothing is appended afterwards.
  public func finish() {
    shared.withLock { $0.isFinished = true }
    wake()
  }

  private func wake() {
    var one: UInt64 = 1
    _ = Glibc.write(wakeup, &one, 8)
  }

  private func run(_ first: Int32) {
    var descriptor = first
    while true {
      var count: UInt64 = 0
      _ = read(wakeup, &count, 8)
      let (batch, reopen, isFinished) = shared.withLock { shared in
        defer {
          shared.backlog = []
          shared.reopenWanted = false
        }
        return (shared.backlog, shared.reopenWanted, shared.isFinished)
      }
      write(batch, to: descriptor)
      if isFinished {
        if path != "-" { close(descriptor) }
        close(wakeup)
        return
      }
      if reopen, path != "-", let new = try? Self.open(path) {
        close(descriptor)
        descriptor = new
      }
    }
  }

  private func write(_ batch: [UInt8], to descriptor: Int32) {
    var offset = 0
    while offset < batch.count {
      let written = batch.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + offset, batch.count - offset) }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else {
        dropped.add(batch[offset...].count { $0 == UInt8(ascii: "\n") }, ordering: .relaxed)
        return
      }
      offset += written
    }
  }
}

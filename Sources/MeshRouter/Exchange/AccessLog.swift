import CMeshShims
import Config
import Glibc
import HTTP
import MeshBase
import Net
import Synchronization
import Telemetry

/// What one line of the access log tells. The head's bytes are borrowed for the call.
struct AccessLogEntry {
  var head: UnsafeRawBufferPointer
  var peer: SocketAddress?
  var status: Int
  var bytes: UInt64
  var reason: Reason?
  /// Logical name, or "-".
  var name: String
  var client: String?
  var endpoint: SocketAddress?
  var microseconds: UInt64
  var requeues: Int
}

/// Writes access log lines from all workers to a file or standard output, on a thread of its own.
///
/// Workers never wait: each gathers its lines and hands them over at the end of its turn; if the writer lags by more
/// than `backlogBytesMax`, lines are dropped and counted.
final class AccessLogWriter: Sendable {
  private struct Shared {
    var backlog: [UInt8] = []
    var isClosed = false
    var reopenWanted = false
  }
  private let shared = Mutex(Shared())
  private let wakeup: Int32
  private let path: String
  private let format: Configuration.Router.AccessLogFormat
  /// Indexed by worker, each touched only by that worker.
  nonisolated(unsafe) private let pending: UnsafeMutablePointer<Pending>
  private let workerCount: Int

  private struct Pending {
    var lines: [UInt8] = []
    var lineCount = 0
    var request = RequestHead()
  }

  private static let backlogBytesMax = 8 << 20
  private static let flushBytes = 65_536

  /// `path` "-" is standard output. Throws if the file cannot be opened for appending.
  init(path: String, format: Configuration.Router.AccessLogFormat, workers: Int) throws {
    self.path = path
    self.format = format
    workerCount = workers
    pending = .allocate(capacity: workers)
    pending.initialize(repeating: Pending(), count: workers)
    wakeup = eventfd(0, Int32(EFD_CLOEXEC))
    let descriptor = try Self.open(path)
    Thread.start(name: "access-log") { [self] in run(descriptor) }
  }

  deinit {
    pending.deinitialize(count: workerCount)
    pending.deallocate()
    close(wakeup)
  }

  private static func open(_ path: String) throws(SystemError) -> Int32 {
    if path == "-" { return 1 }
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw SystemError("open", subject: path) }
    return descriptor
  }

  /// Called by the worker that served the request.
  func record(_ entry: AccessLogEntry, worker: Worker) {
    let wall = Clock.wallNanoseconds
    let slot = pending + worker.index
    switch format {
    case .common: commonLine(entry, request: &slot.pointee.request, wall: wall, to: &slot.pointee.lines)
    case .json: jsonLine(entry, request: &slot.pointee.request, wall: wall, to: &slot.pointee.lines)
    }
    lineAdded(worker)
  }

  /// A request that never became one: its head could not be parsed.
  func refused(_ connection: ServerConnection, status: Int, reason: Reason, worker: Worker) {
    record(
      AccessLogEntry(
        head: UnsafeRawBufferPointer(start: nil, count: 0), peer: connection.peer, status: status, bytes: 0,
        reason: reason, name: "-", client: nil, endpoint: nil, microseconds: 0, requeues: 0),
      worker: worker)
  }

  private func lineAdded(_ worker: Worker) {
    pending[worker.index].lineCount += 1
    if pending[worker.index].lines.count >= Self.flushBytes { handOver(worker.index) }
  }

  /// Called at the end of a worker's turn.
  func flush(worker index: Int) {
    if pending[index].lineCount > 0 { handOver(index) }
  }

  private func handOver(_ index: Int) {
    let taken = shared.withLock { shared in
      guard shared.backlog.count + pending[index].lines.count <= Self.backlogBytesMax else { return false }
      shared.backlog += pending[index].lines
      return true
    }
    if !taken {
      droppedLines.add(pending[index].lineCount, ordering: .relaxed)
    }
    pending[index].lines.removeAll(keepingCapacity: true)
    pending[index].lineCount = 0
    var one: UInt64 = 1
    if taken { _ = write(wakeup, &one, 8) }
  }

  /// Lines lost because the disk or the reader of the pipe lagged.
  let droppedLines = Atomic<Int>(0)

  /// Opens the file anew, after logrotate has moved it.
  func reopen() {
    shared.withLock { $0.reopenWanted = true }
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }

  private func run(_ first: Int32) {
    var descriptor = first
    while true {
      var count: UInt64 = 0
      _ = read(wakeup, &count, 8)
      let (batch, reopen) = shared.withLock { shared in
        defer {
          shared.backlog = []
          shared.reopenWanted = false
        }
        return (shared.backlog, shared.reopenWanted)
      }
      if reopen, path != "-", let new = try? Self.open(path) {
        close(descriptor)
        descriptor = new
      }
      var offset = 0
      while offset < batch.count {
        let written = batch.withUnsafeBytes { write(descriptor, $0.baseAddress! + offset, batch.count - offset) }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else {
          droppedLines.add(batch[offset...].count { $0 == 0x0a }, ordering: .relaxed)
          break
        }
        offset += written
      }
    }
  }
}

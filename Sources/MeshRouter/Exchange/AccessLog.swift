import Config
import HTTP
import MeshBase
import Net
import Telemetry

/// What one line of the access log tells. The head's bytes are borrowed for the call.
struct AccessLogEntry {
  var head: UnsafeRawBufferPointer
  /// The caller's request came over HTTP/2; its head has the form of HTTP/1 all the same.
  var isHTTP2 = false
  var peer: SocketAddress?
  var status: Int
  var bytes: UInt64
  var reason: Reason?
  /// Logical name, or "-".
  var name: String
  var client: String?
  /// Who the caller is by its verified certificate; `nil`: it has shown none.
  var caller: String?
  var endpoint: SocketAddress?
  var microseconds: UInt64
  var requeues: Int
}

/// Access log lines from all workers. Each worker gathers its lines and hands them over at the end of its turn, so no
/// request waits for the disk.
final class AccessLogWriter: Sendable {
  private let file: BackgroundFile
  private let format: Configuration.Router.AccessLogFormat
  /// Indexed by worker, each touched only by that worker.
  nonisolated(unsafe) private let pending: UnsafeMutablePointer<Pending>
  private let workerCount: Int

  private struct Pending {
    var lines: [UInt8] = []
    var lineCount = 0
    var request = RequestHead()
  }

  private static let handOverBytes = 65_536

  /// `path` "-" is standard output. Throws if the file cannot be opened for appending.
  init(path: String, format: Configuration.Router.AccessLogFormat, workers: Int) throws {
    self.format = format
    workerCount = workers
    file = try BackgroundFile(path: path)
    pending = .allocate(capacity: workers)
    pending.initialize(repeating: Pending(), count: workers)
  }

  deinit {
    file.finish()
    pending.deinitialize(count: workerCount)
    pending.deallocate()
  }

  /// Called by the worker that served the request.
  func record(_ entry: AccessLogEntry, worker: Worker) {
    let slot = pending + worker.index
    let time = CivilTime(wallNanoseconds: Clock.wallNanoseconds)
    switch format {
    case .common: commonLine(entry, request: &slot.pointee.request, time: time, to: &slot.pointee.lines)
    case .json: jsonLine(entry, request: &slot.pointee.request, time: time, to: &slot.pointee.lines)
    }
    slot.pointee.lineCount += 1
    if slot.pointee.lines.count >= Self.handOverBytes { handOver(worker) }
  }

  /// A request that never became one: its head could not be parsed.
  func refused(_ connection: CallerChannel, status: Int, reason: Reason, worker: Worker) {
    record(
      AccessLogEntry(
        head: UnsafeRawBufferPointer(start: nil, count: 0), peer: connection.peer, status: status, bytes: 0,
        reason: reason, name: "-", client: nil, caller: connection.identity?.name, endpoint: nil, microseconds: 0,
        requeues: 0),
      worker: worker)
  }

  /// Called at the end of a worker's turn.
  func flush(_ worker: Worker) {
    if pending[worker.index].lineCount > 0 { handOver(worker) }
  }

  private func handOver(_ worker: Worker) {
    let slot = pending + worker.index
    if !file.append(slot.pointee.lines, lines: slot.pointee.lineCount) {
      for _ in 0..<slot.pointee.lineCount { worker.stats.accessLogLineDropped() }
    }
    slot.pointee.lines.removeAll(keepingCapacity: true)
    slot.pointee.lineCount = 0
  }

  func reopen() { file.reopen() }
}

import Config
import HTTP
import MeshBase
import Telemetry

/// Where copies of the requests for one logical name go.
final class MirrorPlan {
  /// The shadow's logical name in printed form.
  let name: [UInt8]
  /// 0 to 1.
  let share: Double
  let bodyBytesMax: Int
  /// On each worker, those of all names together.
  let inFlightMax: Int
  let timeoutMilliseconds: UInt64

  /// `nil`: nothing is copied.
  init?(_ configuration: Configuration.Mirror?) {
    guard let configuration, configuration.percent > 0 else { return nil }
    name = Array(configuration.name.utf8)
    share = configuration.percent / 100
    bodyBytesMax = configuration.maxBodyBytes
    inFlightMax = configuration.maxInFlight
    timeoutMilliseconds = UInt64(configuration.timeoutMilliseconds)
  }
}

/// The copy of one request, from when its name is bound to when its answer is thrown away. Confined to one worker.
final class MirrorCopy {
  let plan: MirrorPlan
  /// Of the name that the request was for.
  let stats: ServiceStats
  let method: Method
  /// Field lines up to where those of the branch would follow. Pooled.
  let head: ByteBuffer
  /// Pooled; `nil`: nothing has come of it, or none is.
  var body: ByteBuffer?
  let bodyIsChunked: Bool
  let isGRPC: Bool
  let callerSpokeHTTP1: Bool
  let namesOriginal: Bool
  let ringHashes: RingHashes
  /// When the caller will have given up.
  let deadline: MonotonicInstant?
  let deadlineIsOfCall: Bool

  init(_ exchange: Exchange, _ plan: MirrorPlan, _ stats: ServiceStats, head: ByteBuffer) {
    self.plan = plan
    self.stats = stats
    self.head = head
    head.append(exchange.requestHead.readable)
    method = exchange.method
    bodyIsChunked = exchange.bodyIsChunked
    isGRPC = exchange.isGRPC
    callerSpokeHTTP1 = exchange.callerSpokeHTTP1
    namesOriginal = exchange.namesOriginal
    ringHashes = exchange.ringHashes
    deadline = exchange.deadline
    deadlineIsOfCall = exchange.deadlineIsOfCall
  }

  /// False: the body is too long to be copied.
  func add(_ bytes: UnsafeRawBufferPointer, _ worker: Worker) -> Bool {
    let buffer = body ?? worker.takeBuffer()
    body = buffer
    if buffer.count + bytes.count > plan.bodyBytesMax { return false }
    buffer.append(bytes)
    return true
  }

  /// Gives back what it holds of the worker's.
  func release(to worker: Worker) {
    worker.giveBack(head)
    if let body { worker.giveBack(body) }
    body = nil
  }
}

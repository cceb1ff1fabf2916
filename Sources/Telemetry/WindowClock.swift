import MeshBase

/// When the windows of the linkerd reports end: every 60 s, but only while somebody asks for such reports, since they
/// cost memory and a pass over all histograms.
struct WindowClock {
  static let windowNanoseconds: UInt64 = 60_000_000_000
  /// Five windows without a question: nobody reads these reports.
  static let patienceNanoseconds: UInt64 = 300_000_000_000

  enum Due { case nothing, rotate, drop }

  private var asked: MonotonicInstant?
  private var began: MonotonicInstant?
  private var isKept = false

  mutating func ask(at now: MonotonicInstant) {
    asked = now
    if began == nil { began = now }
  }

  mutating func due(at now: MonotonicInstant) -> Due {
    guard let asked, let began else { return .nothing }
    if now.nanoseconds(since: asked) > Self.patienceNanoseconds { return isKept ? .drop : .nothing }
    return now.nanoseconds(since: began) >= Self.windowNanoseconds ? .rotate : .nothing
  }

  mutating func rotated(at now: MonotonicInstant) {
    began = now
    isKept = true
  }

  mutating func dropped() {
    asked = nil
    began = nil
    isKept = false
  }
}

/// The share of the time between two measurements that each worker's loop was awake.
struct BusyRatios {
  /// Shorter spans are too coarse: a turn is counted when it ends.
  static let spanNanosecondsMin: UInt64 = 1_000_000_000

  private(set) var ratios: [Double]
  private var busy: [UInt64]
  private var measured: MonotonicInstant?

  init(workers: Int) {
    ratios = Array(repeating: 0, count: workers)
    busy = Array(repeating: 0, count: workers)
  }

  mutating func measure(_ workers: [WorkerStats], at now: MonotonicInstant) {
    let span = measured.map { now.nanoseconds(since: $0) }
    if let span, span < Self.spanNanosecondsMin { return }
    for (i, worker) in workers.enumerated() {
      let total = worker.load(WorkerStats.Word.busyNanoseconds)
      if let span { ratios[i] = min(1, Double(total &- busy[i]) / Double(span)) }
      busy[i] = total
    }
    measured = now
  }
}

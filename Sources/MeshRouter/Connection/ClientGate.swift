import Config
import MeshBase
import Net
import Resilience
import Telemetry

/// The adaptive limit of one client on one worker: attempts that are out, and requests that wait until they may begin one.
/// Nothing is shared; each worker learns by itself what the endpoints can take of it.
final class ClientGate: TimerOwner {
  private var limit: ConcurrencyLimit
  private var line: WaitLine<UInt64>
  private let shares: [Double]
  private let worker: Worker
  private let stats: ClientStats
  private var isPumpDue = false
  private var isClosed = false
  /// The limit that the statistics have.
  private var told = 0

  /// - Parameter shares: of the limit, by class of importance.
  init?(_ configuration: Configuration.ConcurrencyLimit, shares: [Double], worker: Worker, stats: ClientStats) {
    guard let limit = ConcurrencyLimit(configuration) else { return nil }
    self.limit = limit
    self.shares = shares
    self.worker = worker
    self.stats = stats
    line = WaitLine(
      sizeMax: configuration.queue.size, waitNanoseconds: UInt64(configuration.queue.waitMilliseconds) * 1_000_000,
      classes: shares.count)
    super.init()
    tellLimit()
  }

  var max: Int { limit.limit }

  /// The last class of importance.
  var leastImportant: Int { shares.count - 1 }

  func mayBegin(class place: Int) -> Bool { !line.isBefore(class: place) && limit.mayBegin(share: shares[place]) }

  /// For one that may not begin.
  func arrive(_ ticket: UInt64, class place: Int) -> WaitLine<UInt64>.Arrival {
    line.arrive(ticket, class: place, at: worker.loop.now)
  }

  /// True if it waited.
  func cancel(_ ticket: UInt64, class place: Int) -> Bool { line.remove(ticket, class: place) }

  // MARK: Attempts

  func begin() { limit.begin() }

  func end() {
    limit.end()
    if line.isEmpty || isPumpDue { return }
    // Those who wait begin when whoever has just ended is done.
    isPumpDue = true
    worker.loop.deferToEndOfTurn(self)
  }

  /// An endpoint's answer has begun. A failing endpoint may be quick: what it says tells nothing of how long work takes.
  func answered(status: Int, after nanoseconds: UInt64) {
    if status >= 500 || status == 429 { return }
    limit.answered(after: nanoseconds, at: worker.loop.now, using: &worker.random)
    tellLimit()
  }

  /// An attempt that came to no answer.
  func failed(_ reason: Reason, after nanoseconds: UInt64) {
    switch reason {
    case .outcomeAttemptTimeout, .outcomeTotalTimeout, .relayIdleTimeout:
      limit.timedOut(after: nanoseconds, at: worker.loop.now, using: &worker.random)
      tellLimit()
    default: break
    }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    isPumpDue = false
    while let ticket = line.next(at: now, mayGo: { limit.mayBegin(share: shares[$0]) }) {
      worker.take(ticket) { $0.clientPlaceIsFree() }
    }
  }

  private func tellLimit() {
    let limit = isClosed ? 0 : limit.limit
    if limit == told { return }
    stats.concurrencyLimitChanged(from: told, to: limit)
    told = limit
  }

  /// Attempts that are out end; there will be no others.
  func close() {
    isClosed = true
    tellLimit()
  }
}

extension ConcurrencyLimit {
  /// `nil`: there is none.
  init?(_ configuration: Configuration.ConcurrencyLimit) {
    let law: Law
    switch configuration.law {
    case .none: return nil
    case .gradient(let gradient):
      law = .gradient(
        tolerance: gradient.tolerance, remeasureNanoseconds: UInt64(gradient.remeasureMilliseconds) * 1_000_000)
    case .aimd(let aimd):
      law = .aimd(decrease: aimd.decrease, latencyNanoseconds: UInt64(aimd.latencyMilliseconds) * 1_000_000)
    }
    self.init(law, initial: configuration.initial, least: configuration.min, most: configuration.max)
  }
}

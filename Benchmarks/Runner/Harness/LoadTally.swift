import Glibc
import MeshBase
import Net
import Synchronization

/// What a load has come to so far: written by its thread, read by everyone.
final class LoadTally: Sendable {
  private let completedCount = Atomic<UInt64>(0)
  private let failedCount = Atomic<UInt64>(0)
  private let phaseIndex = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()
  fileprivate let latencies = [LatencyHistogram(), LatencyHistogram()]
  fileprivate let refusals = LatencyHistogram()
  fileprivate let firstFailure = Locked<String?>(nil)

  fileprivate var completedSoFar: UInt64 { completedCount.load(ordering: .relaxed) }
  fileprivate var failedSoFar: UInt64 { failedCount.load(ordering: .relaxed) }

  fileprivate var phase: Int {
    get { phaseIndex.load(ordering: .relaxed) }
    set { phaseIndex.store(newValue, ordering: .relaxed) }
  }

  /// No new requests are wanted.
  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  fileprivate func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  /// Nothing more comes.
  func end() { ended.fulfil(()) }

  /// A good answer is there whole; `start`: when its request was sent.
  func completed(since start: UInt64) {
    latencies[phase].record(nanoseconds: Clock.now.nanoseconds - start)
    completedCount.add(1, ordering: .relaxed)
  }

  /// A whole answer is there that is no good one.
  func refused(_ text: @autoclosure () -> String, since start: UInt64) {
    refusals.record(nanoseconds: Clock.now.nanoseconds - start)
    failed(text())
  }

  func failed(_ text: @autoclosure () -> String, count: UInt64 = 1) {
    failedCount.add(count, ordering: .relaxed)
    firstFailure.withLock { if $0 == nil { $0 = text() } }
  }
}

/// Requests that are made on a thread of their own until they are stopped.
protocol Load: Sendable {
  var tally: LoadTally { get }
}

extension Load {
  var completed: UInt64 { tally.completedSoFar }
  var failed: UInt64 { tally.failedSoFar }
  var firstFailure: String? { tally.firstFailure.withLock { $0 } }
  /// By phase, see `phase`.
  var latencies: [LatencyHistogram] { tally.latencies }

  /// Of answers with another status than 200.
  var refusals: LatencyHistogram { tally.refusals }

  /// 0 or 1: which histogram takes the latencies of requests that are answered from now on.
  var phase: Int {
    get { tally.phase }
    nonmutating set { tally.phase = newValue }
  }

  /// Sends no more, waits for the answers that are due, closes.
  func stop() { tally.stop() }

  /// Returns when so many more requests have been answered or have failed.
  func waitForCompleted(_ count: UInt64) {
    let target = completed + failed + count
    while completed + failed < target { usleep(500) }
  }
}

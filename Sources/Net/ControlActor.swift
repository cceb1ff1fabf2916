import CMeshShims
import Glibc
import MeshBase

/// The control plane: namers, stores, DNS, admin and telemetry are `async` code on this one actor, whose executor is
/// an event loop on a thread of its own, away from the workers.
@globalActor
public actor ControlActor {
  public static let shared = ControlActor()

  public nonisolated var unownedExecutor: UnownedSerialExecutor { ControlThread.shared.asUnownedSerialExecutor() }

  /// Runs synchronously, for callbacks that the control loop itself makes; traps on any other thread.
  public static func assumeIsolated<Result>(_ operation: @ControlActor () throws -> Result) rethrows -> Result {
    typealias Isolated = @ControlActor () throws -> Result
    typealias Plain = () throws -> Result
    precondition(ControlThread.shared.isCurrent, "not on the control thread")
    // As MainActor.assumeIsolated does: the check above makes dropping the isolation sound.
    return try withoutActuallyEscaping(operation) { (body: @escaping Isolated) throws -> Result in
      try unsafeBitCast(body, to: Plain.self)()
    }
  }

  /// Suspends for so long without holding a thread. Ends early, throwing, when the task is cancelled.
  @ControlActor public static func sleep(milliseconds: UInt64) async throws {
    try await ControlThread.shared.sleep(milliseconds: milliseconds)
  }

  /// Blocks the calling (non-control) thread until the operation has ended; for `main` and tests.
  public static func runBlocking<Result: Sendable>(
    _ operation: @escaping @ControlActor @Sendable () async throws -> Result
  ) throws -> Result {
    precondition(!ControlThread.shared.isCurrent, "would wait for itself")
    let promise = Promise<Swift.Result<Result, any Error>>()
    Task { @ControlActor in
      do { promise.fulfil(.success(try await operation())) } catch { promise.fulfil(.failure(error)) }
    }
    return try promise.wait().get()
  }
}

/// The thread behind `ControlActor`: an event loop that also runs Swift jobs. Started on first use, never ends.
public final class ControlThread: SerialExecutor {
  public static let shared = ControlThread()

  private struct Shared {
    var jobs: [UnownedJob] = []
    var thread: pthread_t?
  }
  private let shared = Locked(Shared())
  private let wakeup: Int32
  /// Touched only on the control thread.
  nonisolated(unsafe) private var loopStorage: EventLoop?

  private init() {
    wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    precondition(wakeup >= 0, "eventfd: \(SystemError.text(errno))")
    Thread.start(name: "control") { [self] in main() }
  }

  /// The loop; only code that runs on the control thread may ask for it.
  @ControlActor public var loop: EventLoop {
    guard let loopStorage else { preconditionFailure("control loop not started") }
    return loopStorage
  }

  public var isCurrent: Bool { shared.withLock { $0.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false } }

  public func enqueue(_ job: consuming ExecutorJob) {
    let unowned = UnownedJob(job)
    let wasEmpty = shared.withLock { shared in
      shared.jobs.append(unowned)
      return shared.jobs.count == 1
    }
    if wasEmpty {
      var one: UInt64 = 1
      _ = write(wakeup, &one, 8)
    }
  }

  public func checkIsolated() { precondition(isCurrent, "not on the control thread") }

  private func main() {
    shared.withLock { $0.thread = pthread_self() }
    do {
      let loop = try EventLoop()
      loopStorage = loop
      let wake = WakeChannel(loop: loop, descriptor: Descriptor(owning: wakeup))
      wake.drain = { [self] in runJobs() }
      try wake.register(edges: EPOLLIN.rawValue | EPOLLET.rawValue)
      loop.run()
    } catch {
      fatalError("control loop: \(error)")
    }
  }

  private func runJobs() {
    let batch = shared.withLock { shared in
      let batch = shared.jobs
      shared.jobs = []
      return batch
    }
    for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  @ControlActor fileprivate func sleep(milliseconds: UInt64) async throws {
    let sleeper = Sleeper()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        sleeper.start(continuation, milliseconds: milliseconds)
      }
    } onCancel: {
      Task { @ControlActor in sleeper.cancel() }
    }
    try Task.checkCancellation()
  }
}

private final class WakeChannel: Channel {
  var drain: () -> Void = {}

  override func ready(_ events: ReadyEvents) {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    drain()
  }
}

/// One sleeping task.
private final class Sleeper: TimerOwner, @unchecked Sendable {
  // Confined to the control thread.
  private var continuation: CheckedContinuation<Void, any Error>?
  private var timer = TimerID.none
  private var isCancelled = false

  @ControlActor func start(_ continuation: CheckedContinuation<Void, any Error>, milliseconds: UInt64) {
    if isCancelled { return continuation.resume(throwing: CancellationError()) }
    self.continuation = continuation
    let loop = ControlThread.shared.loop
    timer = loop.schedule(self, tag: 0, at: Clock.now.advanced(byMilliseconds: milliseconds))
  }

  @ControlActor func cancel() {
    isCancelled = true
    ControlThread.shared.loop.cancel(timer)
    continuation?.resume(throwing: CancellationError())
    continuation = nil
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    continuation?.resume()
    continuation = nil
  }
}

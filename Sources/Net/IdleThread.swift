import CMeshShims
import Glibc
import MeshBase
import Synchronization

/// A thread for work of the control plane that may take milliseconds and must not delay a request by as much: it runs
/// only where nothing else wants the processor, and whatever wakes up there takes its place at once (SCHED_IDLE).
///
/// A thread of ordinary priority, however nice, finishes its time slice of a millisecond first. The price is that on a
/// machine without a moment to spare it hardly runs, so that every piece of work needs somebody who does it instead.
///
/// One piece of work at a time, in order. Neither hand-over takes a lock, as its holder could be kept from going on.
@ControlActor
public final class IdleThread {
  public static let shared = IdleThread()

  /// Less is not worth the way there and back.
  nonisolated static let bulkBytes = 32 * 1_024
  /// For how long anybody should wait for it: a machine without a moment to spare is to be seen into none the less.
  public nonisolated static let patienceMilliseconds: UInt64 = 20

  private let line = Line()
  /// The first one is with the thread.
  private var jobs: [Job] = []
  private var channel: DoneChannel?

  private init() {}

  /// What `work` returns, or `nil` if it has not begun within `patienceMilliseconds`: then it never will, and whoever
  /// asked does it himself. Once begun it is waited for.
  public func run<Result: Sendable>(
    patienceMilliseconds: UInt64, _ work: @escaping @Sendable () -> Result
  ) async -> Result? {
    guard start() else { return nil }
    let outcome = Outcome<Result>()
    let isDone = await withCheckedContinuation { continuation in
      let job = Job({ outcome.value = work() }, continuation, patienceMilliseconds)
      jobs.append(job)
      if jobs.count == 1 { line.hand(job.work) }
    }
    return isDone ? outcome.value : nil
  }

  /// Written by the thread, read on the control thread once it has said that it is done.
  private final class Outcome<Result>: @unchecked Sendable {
    var value: Result?
  }

  /// False: the system lacks what it takes.
  private func start() -> Bool {
    if channel != nil { return true }
    guard line.wanted >= 0, line.done >= 0 else { return false }
    let made = DoneChannel(loop: ControlThread.shared.loop, descriptor: Descriptor(owning: line.done)) { [self] in
      ControlActor.assumeIsolated { firstEnded() }
    }
    do { try made.register(edges: EPOLLIN.rawValue | EPOLLET.rawValue) } catch { return false }
    channel = made
    Thread.start(name: "idle") { [line] in line.serve() }
    return true
  }

  private func firstEnded() {
    jobs.removeFirst().end()
    // Those that have waited for too long are somebody else's by now.
    jobs.removeAll(where: \.hasEnded)
    if let next = jobs.first { line.hand(next.work) }
  }

  /// One piece of work, and who waits for it. Confined to the control thread.
  private final class Job: TimerOwner {
    let work: Work
    private var continuation: CheckedContinuation<Bool, Never>?
    private var timer = TimerID.none

    @ControlActor
    init(_ body: @escaping @Sendable () -> Void, _ continuation: CheckedContinuation<Bool, Never>, _ patience: UInt64) {
      work = Work(body)
      self.continuation = continuation
      super.init()
      timer = ControlThread.shared.loop.schedule(self, tag: 0, at: Clock.now.advanced(byMilliseconds: patience))
    }

    var hasEnded: Bool { continuation == nil }

    @ControlActor
    func end() {
      ControlThread.shared.loop.cancel(timer)
      continuation?.resume(returning: true)
      continuation = nil
    }

    override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
      guard work.claim() else { return }
      continuation?.resume(returning: false)
      continuation = nil
    }
  }
}

/// Done once, by whoever claims it first.
private final class Work: Sendable {
  private let isClaimed = Atomic<Bool>(false)
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  func claim() -> Bool { !isClaimed.exchange(true, ordering: .acquiringAndReleasing) }

  func run() { if claim() { body() } }
}

/// What the control thread and the idle one say to each other.
private final class Line: Sendable {
  /// The address of retained `Work`, 0 when it has been taken.
  private let slot = Atomic<UInt>(0)
  let wanted = eventfd(0, Int32(EFD_CLOEXEC))
  let done = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))

  /// Only when what was handed before is done.
  func hand(_ work: Work) {
    slot.store(UInt(bitPattern: Unmanaged.passRetained(work).toOpaque()), ordering: .releasing)
    say(wanted)
  }

  func serve() {
    mesh_idle_thread()
    while true {
      var count: UInt64 = 0
      _ = read(wanted, &count, 8)
      guard let address = UnsafeRawPointer(bitPattern: slot.exchange(0, ordering: .acquiringAndReleasing)) else {
        continue
      }
      Unmanaged<Work>.fromOpaque(address).takeRetainedValue().run()
      say(done)
    }
  }

  private func say(_ descriptor: Int32) {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }
}

private final class DoneChannel: Channel {
  private let ended: () -> Void

  init(loop: EventLoop, descriptor: consuming Descriptor, ended: @escaping () -> Void) {
    self.ended = ended
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    ended()
  }
}

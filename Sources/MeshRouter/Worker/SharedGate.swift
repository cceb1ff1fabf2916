import MeshBase
import Net
import Resilience
import Synchronization

/// Places that all workers share, with a line of those who wait for one: at most `maxConcurrentRequests` are held.
/// Exists only where a limit is configured, so that the usual request touches nothing shared.
///
/// As long as nobody waits, to enter and to leave is one step on one word each. The line has a lock, since a place that
/// one worker gives back may be for a request of another, which hears of it through its mailbox.
///
/// Invariant: each `entered`, and each ticket of which `tell` says that it is granted, is followed by exactly one `leave`.
final class SharedGate: Sendable {
  /// A request that waits.
  struct Ticket: Equatable, Sendable {
    var worker: Int
    /// Unique on its worker.
    var number: UInt64
    /// Of importance; 0 is the highest.
    var importance: Int
  }

  enum Admission: Equatable {
    case entered
    case waits(nanoseconds: UInt64)
    case refused
  }

  private struct Queue {
    var line: WaitLine<Ticket>
    /// Of the limit, by class.
    var shares: [Double]
  }

  private let limit: Atomic<Int>
  private let count = Atomic<Int>(0)
  private let waiting = Atomic<Int>(0)
  private let queue: Locked<Queue>
  /// Hands a ticket's fate to its worker: a place is its own from now on, or it had to make room for another.
  private let tell: @Sendable (SharedGate, Ticket, _ isGranted: Bool) -> Void

  init(
    max: Int, queueMax: Int = 0, waitMilliseconds: Int = 0, shares: [Double] = [1],
    tell: @escaping @Sendable (SharedGate, Ticket, _ isGranted: Bool) -> Void
  ) {
    limit = Atomic(max)
    self.tell = tell
    queue = Locked(
      Queue(
        line: WaitLine(
          sizeMax: queueMax, waitNanoseconds: UInt64(waitMilliseconds) * 1_000_000, classes: shares.count),
        shares: shares))
  }

  var max: Int { limit.load(ordering: .relaxed) }
  /// Places that are held.
  var held: Int { count.load(ordering: .relaxed) }
  /// Requests that wait for one.
  var waiters: Int { waiting.load(ordering: .relaxed) }

  /// From now on; places that are held stay held.
  func configure(max: Int, queueMax: Int, waitMilliseconds: Int, shares: [Double], at now: MonotonicInstant) {
    limit.store(max, ordering: .relaxed)
    queue.withLock { queue in
      queue.line.configure(
        sizeMax: queueMax, waitNanoseconds: UInt64(waitMilliseconds) * 1_000_000, classes: shares.count)
      queue.shares = shares
    }
    admitWaiting(at: now)
  }

  /// Takes a place, or a place in the line.
  /// - Parameter share: of the limit that the ticket's class may use.
  func enter(_ ticket: Ticket, share: Double, at now: MonotonicInstant) -> Admission {
    if waiting.load(ordering: .sequentiallyConsistent) == 0, tryEnter(share) { return .entered }
    var displaced: Ticket?
    let admission = queue.withLock { queue -> Admission in
      // Told before the last look: whoever leaves after that look sees it.
      waiting.add(1, ordering: .sequentiallyConsistent)
      if !queue.line.isBefore(class: ticket.importance), tryEnter(share) {
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        return .entered
      }
      switch queue.line.arrive(ticket, class: ticket.importance, at: now) {
      case .waits(let nanoseconds): return .waits(nanoseconds: nanoseconds)
      case .waitsInsteadOf(let other, let nanoseconds):
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        displaced = other
        return .waits(nanoseconds: nanoseconds)
      case .refused:
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        return .refused
      }
    }
    if let displaced { tell(self, displaced, false) }
    return admission
  }

  /// The ticket waits no longer. False: it has been told its fate, or will be.
  func cancel(_ ticket: Ticket) -> Bool {
    queue.withLock { queue in
      guard queue.line.remove(ticket, class: ticket.importance) else { return false }
      waiting.subtract(1, ordering: .sequentiallyConsistent)
      return true
    }
  }

  /// Gives a place back.
  func leave(at now: MonotonicInstant) {
    count.subtract(1, ordering: .sequentiallyConsistent)
    if waiting.load(ordering: .sequentiallyConsistent) > 0 { admitWaiting(at: now) }
  }

  private func admitWaiting(at now: MonotonicInstant) {
    var granted: [Ticket] = []
    queue.withLock { queue in
      let shares = queue.shares
      while let ticket = queue.line.next(at: now, mayGo: { tryEnter($0 < shares.count ? shares[$0] : 1) }) {
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        granted.append(ticket)
      }
    }
    for ticket in granted { tell(self, ticket, true) }
  }

  private func tryEnter(_ share: Double) -> Bool {
    let max = share < 1 ? Swift.max(1, Int(Double(self.max) * share)) : self.max
    var seen = count.load(ordering: .sequentiallyConsistent)
    while seen < max {
      let (exchanged, original) = count.compareExchange(
        expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
      if exchanged { return true }
      seen = original
    }
    return false
  }
}

import Dispatch
import MeshBase
import Net
import Testing

@testable import MeshRouter

private func at(_ milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 9_000_000_000).advanced(byMilliseconds: milliseconds)
}

@Suite("Shared gate") struct SharedGateTests {
  private typealias Told = Locked<[(number: UInt64, isGranted: Bool)]>

  private func ticket(_ number: UInt64, importance: Int = 0) -> SharedGate.Ticket {
    SharedGate.Ticket(worker: 0, number: number, importance: importance)
  }

  @Test("a place that comes free is the first waiter's, and a newcomer does not overtake it")
  func order() {
    let told = Told([])
    let gate = SharedGate(max: 1, queueMax: 2, waitMilliseconds: 100) { _, ticket, isGranted in
      told.withLock { $0.append((ticket.number, isGranted)) }
    }
    #expect(gate.enter(ticket(1), share: 1, at: at(0)) == .entered)
    #expect(gate.enter(ticket(2), share: 1, at: at(0)) == .waits(nanoseconds: 100_000_000))
    #expect(gate.enter(ticket(3), share: 1, at: at(0)) == .waits(nanoseconds: 100_000_000))
    #expect(gate.enter(ticket(4), share: 1, at: at(0)) == .refused)
    #expect(gate.cancel(ticket(2)) && !gate.cancel(ticket(2)))
    gate.leave(at: at(1))
    #expect(told.withLock { $0.map(\.number) } == [3] && gate.held == 1 && gate.waiters == 0)
    gate.leave(at: at(2))
    #expect(gate.held == 0)
  }

  @Test("without a queue nobody waits, and a limit that is raised lets waiters in")
  func limits() {
    let told = Told([])
    let gate = SharedGate(max: 2) { _, ticket, isGranted in told.withLock { $0.append((ticket.number, isGranted)) } }
    #expect(gate.enter(ticket(1), share: 0.5, at: at(0)) == .entered)
    #expect(gate.enter(ticket(2), share: 0.5, at: at(0)) == .refused)
    #expect(gate.enter(ticket(3), share: 1, at: at(0)) == .entered)
    gate.configure(max: 2, queueMax: 5, waitMilliseconds: 50, shares: [1, 0.5], at: at(0))
    for number in 4...6 as ClosedRange<UInt64> {
      #expect(gate.enter(ticket(number, importance: 1), share: 0.5, at: at(0)) == .waits(nanoseconds: 50_000_000))
    }
    gate.configure(max: 6, queueMax: 5, waitMilliseconds: 50, shares: [1, 0.5], at: at(1))
    #expect(told.withLock { $0.map(\.number) } == [4] && gate.held == 3)
    // An important one finds what the share of the others leaves.
    #expect(gate.enter(ticket(7), share: 1, at: at(1)) == .entered)
  }

  @Test("threads: never more than the limit at once, each place comes back, nobody is forgotten")
  func threads() {
    let (threads, rounds) = (4, 4_000)
    let granted = (0..<threads).map { _ in Locked<[UInt64: Bool]>([:]) }
    let gate = SharedGate(max: 3, queueMax: 2, waitMilliseconds: 1_000) { _, ticket, isGranted in
      granted[ticket.worker].withLock { $0[ticket.number] = isGranted }
    }
    let inside = Locked(0)
    let most = Locked(0)
    let fates = Locked([0, 0, 0])
    DispatchQueue.concurrentPerform(iterations: threads) { worker in
      func served() {
        let count = inside.withLock { count in
          count += 1
          return count
        }
        most.withLock { $0 = max($0, count) }
        inside.withLock { $0 -= 1 }
        gate.leave(at: at(0))
      }
      for round in 0..<rounds {
        let ticket = SharedGate.Ticket(worker: worker, number: UInt64(round), importance: 0)
        switch gate.enter(ticket, share: 1, at: at(0)) {
        case .entered:
          fates.withLock { $0[0] += 1 }
          served()
        case .refused: fates.withLock { $0[1] += 1 }
        case .waits:
          fates.withLock { $0[2] += 1 }
          if round % 7 == 0, gate.cancel(ticket) { continue }
          var fate: Bool?
          while fate == nil { fate = granted[worker].withLock { $0.removeValue(forKey: ticket.number) } }
          if fate == true { served() }
        }
      }
    }
    #expect(gate.held == 0 && gate.waiters == 0)
    #expect(most.withLock { $0 } <= 3)
    #expect(fates.withLock { $0.reduce(0, +) } == threads * rounds)
  }
}

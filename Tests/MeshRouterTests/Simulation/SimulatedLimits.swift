import Config
import MeshBase
import Net
import Resilience

@testable import MeshRouter

/// The places that all workers of a run share: the real gate, with mailboxes that take their time.
final class SimulatedGate {
  let gate: SharedGate
  let shares: [Double]
  /// What it has told the workers, and nobody has read yet.
  private let told: Locked<[(ticket: SharedGate.Ticket, isGranted: Bool)]>

  init(_ plan: SimulationPlan.Gate) {
    let told = Locked<[(ticket: SharedGate.Ticket, isGranted: Bool)]>([])
    self.told = told
    shares = plan.shares
    gate = SharedGate(
      max: plan.max, queueMax: plan.queueMax, waitMilliseconds: plan.waitMilliseconds, shares: plan.shares
    ) { _, ticket, isGranted in told.withLock { $0.append((ticket, isGranted)) } }
  }

  func takeTold() -> [(ticket: SharedGate.Ticket, isGranted: Bool)] {
    told.withLock { told in
      let all = told
      told = []
      return all
    }
  }
}

/// One worker's concurrency limit with its line: what `ClientGate` does around the real ones.
struct SimulatedClientGate {
  var limit: ConcurrencyLimit
  /// Numbers of exchanges.
  var line: WaitLine<Int>
  let shares: [Double]
  var isPumpDue = false

  init?(_ plan: SimulationPlan) {
    guard let limit = ConcurrencyLimit(plan.limit) else { return nil }
    self.limit = limit
    shares = plan.shares
    line = WaitLine(
      sizeMax: plan.limit.queue.size, waitNanoseconds: UInt64(plan.limit.queue.waitMilliseconds) * 1_000_000,
      classes: shares.count)
  }

  func mayBegin(class place: Int) -> Bool { !line.isBefore(class: place) && limit.mayBegin(share: shares[place]) }
}

// How one request passes the limits: `Exchange+Overload` without bytes.
extension SimulatedExchange {
  enum Place: Equatable {
    case none, held
    case awaited(SharedGate.Ticket)
  }

  /// Whether it goes on; if not it has ended, or waits.
  func passesServer() -> Bool {
    guard let gate = simulation.gate else { return true }
    let ticket = SharedGate.Ticket(worker: worker.index, number: UInt64(number), importance: importance)
    switch gate.gate.enter(ticket, share: gate.shares[importance], at: now) {
    case .entered:
      place = .held
      return true
    case .refused: perform(machine.handle(.failed(.serverMaxConnections)))
    case .waits(let nanoseconds):
      place = .awaited(ticket)
      simulation.schedule(.exchange(self, .placeTimeout, number: nil), after: nanoseconds)
    }
    return false
  }

  func placeDecided(_ ticket: SharedGate.Ticket, isGranted: Bool) {
    guard !isOver else {
      if isGranted { simulation.gate?.gate.leave(at: now) }
      return
    }
    simulation.expect(place == .awaited(ticket), "a place for one that does not wait")
    place = isGranted ? .held : .none
    perform(machine.handle(isGranted ? .identified : .failed(.serverMaxConnections)))
  }

  func placeTimedOut() {
    guard case .awaited(let ticket) = place, simulation.gate?.gate.cancel(ticket) == true else { return }
    place = .none
    perform(machine.handle(.failed(.serverMaxConnections)))
  }

  /// Whether an attempt may begin; if not it has ended, or waits.
  func passesClient() -> Bool {
    guard let gate = worker.clientGate, !gate.mayBegin(class: importance) else { return true }
    if isBackup {
      perform(machine.handle(.failed(.pickOverload)))
      return false
    }
    switch worker.clientGate?.line.arrive(number, class: importance, at: now) {
    case .waits(let nanoseconds): awaitsClient(nanoseconds)
    case .waitsInsteadOf(let other, let nanoseconds):
      awaitsClient(nanoseconds)
      simulation.exchange(other).clientPlaceIsLost()
    case .refused, nil: perform(machine.handle(.failed(.pickOverload)))
    }
    return false
  }

  private func awaitsClient(_ nanoseconds: UInt64) {
    isInClientLine = true
    timer += 1
    simulation.schedule(.exchange(self, .clientPlaceTimeout, number: timer), after: nanoseconds)
  }

  func clientPlaceIsFree() {
    simulation.expect(isInClientLine && !isOver, "called out of a line in which it does not stand")
    isInClientLine = false
    timer += 1
    take()
  }

  private func clientPlaceIsLost() {
    isInClientLine = false
    perform(machine.handle(.failed(.pickOverload)))
  }

  func clientPlaceTimedOut() {
    leaveClientLine()
    perform(machine.handle(.failed(.pickOverload)))
  }

  private func leaveClientLine() {
    guard isInClientLine else { return }
    isInClientLine = false
    let wasThere = worker.clientGate?.line.remove(number, class: importance) ?? false
    simulation.expect(wasThere, "not in the line in which it stands")
  }

  /// The request is over: gives back what it holds.
  func leaveLimits() {
    leaveClientLine()
    switch place {
    case .none: break
    case .held: simulation.gate?.gate.leave(at: now)
    // A place on its way is given back when it arrives.
    case .awaited(let ticket): _ = simulation.gate?.gate.cancel(ticket)
    }
    place = .none
  }
}

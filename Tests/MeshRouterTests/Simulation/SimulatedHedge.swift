import Balancers
import HTTP
import MeshBase

@testable import MeshRouter

/// A second attempt at another endpoint: what `Exchange+Hedge` does around the real policy.
extension SimulatedExchange {
  var isBackup: Bool { primary != nil }

  /// The request is on its way.
  func awaitHedge() {
    guard !isHedgeDue, let wait = worker.policy.hedging?.delay else { return }
    isHedgeDue = true
    simulation.schedule(.exchange(self, .hedge, number: hedgeRound), after: wait)
  }

  /// It has taken long enough.
  func hedge() {
    isHedgeDue = false
    guard machine.mayRetry, bodyBytes == 0 || bodyHasCome, backup == nil, worker.balancer.openCount > 1 else { return }
    guard worker.paysForHedge() else { return }
    let backup = SimulatedExchange(backupOf: self)
    self.backup = backup
    _ = backup.machine.handle(.identified)
    backup.perform(backup.machine.handle(.bound))
  }

  /// Copies what an attempt needs.
  convenience init(backupOf primary: SimulatedExchange) {
    // What is under way already matters least.
    self.init(
      primary.number, primary.simulation, primary.worker, method: primary.method, hash: primary.hash,
      importance: primary.simulation.plan.shares.count - 1)
    self.primary = primary
    bodyBytes = primary.bodyBytes
    bodyHasCome = primary.bodyHasCome
    keptBodyMax = primary.keptBodyMax
    tried = primary.tried
    tried.insert(primary.slot)
  }

  /// The head of the backup's response has come. Returns whether its primary goes on with it.
  func handOver(_ status: Int) -> Bool {
    if worker.policy.isSuccess(status: status) {
      primary?.takeOver(self, insteadOf: .relaySuperseded)
      return true
    }
    attemptIsOut = false
    worker.attemptEnded(slot, startedAt: attemptStartedAt, ok: false)
    endBackup(.relayBadResponse)
    return false
  }

  func endBackup(_ reason: Reason) {
    endAttempt(failed: reason)
    primary?.backup = nil
    endings += 1
    simulation.expect(endings == 1, "a backup ended \(endings) times")
  }

  /// The attempt that is out has failed for this reason: whether the backup's takes its place.
  func goesOnWithBackup(insteadOf reason: Reason) -> Bool {
    guard let backup, backup.machine.state == .awaitingResponse, backup.attemptIsOut else { return false }
    takeOver(backup, insteadOf: reason)
    return true
  }

  /// It was answered, but not well.
  func goesOnWithBackup(insteadOfAnswered status: Int) -> Bool {
    guard let backup, machine.mayRetry, !worker.policy.isSuccess(status: status) else { return false }
    guard backup.machine.state == .awaitingResponse, backup.attemptIsOut else { return false }
    attemptIsOut = false
    worker.attemptEnded(slot, startedAt: attemptStartedAt, ok: false)
    takeOver(backup, insteadOf: .relayBadResponse)
    return true
  }

  func dropBackup() { backup?.endBackup(.relaySuperseded) }

  func answeredInTime() {
    hedgeRound += 1
    isHedgeDue = false
    dropBackup()
    worker.policy.hedging?.took(nanoseconds: now.nanoseconds(since: attemptStartedAt), at: now)
  }

  private func takeOver(_ backup: SimulatedExchange, insteadOf reason: Reason) {
    simulation.expect(machine.state == .awaitingResponse, "a backup taken over in \(machine.state)")
    simulation.expect(slot != backup.slot, "the backup asked the same endpoint")
    if reason == .relaySuperseded, attemptIsOut {
      worker.policy.hedging?.took(nanoseconds: now.nanoseconds(since: attemptStartedAt), at: now)
    }
    endAttempt(failed: reason)
    // What was on its way for the own attempt comes too late; what was for the backup's comes here.
    attempt += 1
    timer += 1
    slot = backup.slot
    port = backup.port
    tried = backup.tried
    attemptStartedAt = backup.attemptStartedAt
    attemptIsOut = true
    backup.attemptIsOut = false
    machine.tookOver(backup.machine)
    backup.heir = (self, attempt)
    worker.takenOver += 1
    if let limit = simulation.plan.attemptTimeoutMilliseconds {
      let end = attemptStartedAt.advanced(byMilliseconds: limit)
      let left = end > now ? end.nanoseconds(since: now) : 0
      simulation.schedule(.exchange(self, .attemptTimeout, number: timer), after: left)
    }
    backup.endBackup(.relaySuperseded)
  }
}

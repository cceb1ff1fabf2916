import Balancers
import MeshBase
import Resilience

@testable import MeshRouter

/// One worker's side of a bound name: what `Client` holds, over the real balancer, budgets and accrual.
final class SimulatedWorker {
  let index: Int
  unowned let simulation: Simulation
  var random: SeededRandom
  let balancer: Balancer
  var policy: ServicePolicy
  private var requeueBudget: RetryBudget
  private var health: EndpointHealth
  private var requeueAudit: BudgetAudit
  private var retryAudit: BudgetAudit
  /// Connections that wait for a request, by port.
  var idle: [UInt16: Int] = [:]

  // What the counters must add up from.
  var begun = 0
  var ended = 0
  var abandoned = 0
  var retriesPaid = 0
  var requeuesPaid = 0

  init(_ index: Int, _ simulation: Simulation) {
    let plan = simulation.plan
    self.index = index
    self.simulation = simulation
    random = SeededRandom(seed: plan.seed &* 31 &+ UInt64(index))
    balancer = Balancer(kind: plan.balancer, seed: random.next())
    policy = ServicePolicy(plan.service, workerCount: plan.workers)
    requeueBudget = RetryBudget(plan.requeueBudget, workerCount: plan.workers)
    health = EndpointHealth(plan.accrual)
    requeueAudit = BudgetAudit(requeueBudget, ttlSeconds: plan.requeueBudget.ttlSeconds)
    retryAudit = BudgetAudit(policy.budget, ttlSeconds: plan.service.retries.budget.ttlSeconds)
  }

  private var now: MonotonicInstant { simulation.now }

  // MARK: Budgets

  func requestBegan() {
    policy.budget.deposit(at: now)
    retryAudit.deposited(at: now)
  }

  func requestSent() {
    requeueBudget.deposit(at: now)
    requeueAudit.deposited(at: now)
  }

  func paysForRetry() -> Bool {
    let isPaid = policy.budget.tryWithdraw(at: now)
    simulation.expect(retryAudit.withdrew(isPaid, at: now), "the retry budget paid \(isPaid) against its deposits")
    if isPaid { retriesPaid += 1 }
    return isPaid
  }

  func paysForRequeue() -> Bool {
    let isPaid = requeueBudget.tryWithdraw(at: now)
    simulation.expect(requeueAudit.withdrew(isPaid, at: now), "the requeue budget paid \(isPaid) against its deposits")
    if isPaid { requeuesPaid += 1 }
    return isPaid
  }

  // MARK: Attempts

  func pick(hash: UInt64, avoiding tried: SlotSet) -> Int? {
    reviveRested()
    guard let slot = balancer.pick(at: now, using: &random, hash: hash, avoiding: tried) else { return nil }
    begun += 1
    balancer.begin(slot, at: now)
    if health.isTroubled, health.requestBegins(at: slot) { balancer.setStatus(.busy, of: slot) }
    return slot
  }

  func attemptEnded(_ slot: Int, startedAt: MonotonicInstant, ok: Bool) {
    ended += 1
    balancer.end(slot, startedAt: startedAt, at: now, ok: ok)
    switch health.record(ok: ok, at: slot, now: now, using: &random) {
    case .ejected(let until):
      leaveOut(slot, until: until)
      simulation.ejected(balancer.address(of: slot), by: index, until: until)
    case .revived: balancer.setStatus(.open, of: slot)
    case nil: break
    }
    forgetFreed()
  }

  func attemptAbandoned(_ slot: Int) {
    abandoned += 1
    balancer.abandon(slot, at: now)
    if health.isTroubled, health.probeWasAbandoned(at: slot) { balancer.setStatus(.open, of: slot) }
    forgetFreed()
  }

  func ejectedElsewhere(_ address: SocketAddress, until: MonotonicInstant) {
    guard let slot = balancer.slot(of: address), health.ejectedElsewhere(slot, until: until) else { return }
    leaveOut(slot, until: until)
  }

  private func leaveOut(_ slot: Int, until: MonotonicInstant) {
    balancer.setStatus(.closed, of: slot)
    health.leaveOut(slot, until: until)
  }

  func rest(_ slot: Int) {
    guard balancer.status(of: slot) == .open else { return }
    balancer.setStatus(.busy, of: slot)
    health.leaveOut(slot, until: now.advanced(byMilliseconds: EndpointHealth.restAfterRefusalMilliseconds))
  }

  func reviveRested() {
    guard health.isTroubled else { return }
    health.takeDue(at: now) { slot, _ in balancer.setStatus(.open, of: slot) }
  }

  func update(_ endpoints: [Endpoint]) {
    balancer.update(endpoints)
    forgetFreed()
  }

  private func forgetFreed() {
    balancer.takeFreedSlots { slot, _ in health.forget(slot) }
  }

  // MARK: The end

  /// After the last request: everything that was lent is back.
  func checkAtRest() {
    simulation.expect(begun == ended + abandoned, "\(begun) attempts begun, \(ended) ended, \(abandoned) abandoned")
    simulation.expect(balancer.totalOutstanding == 0, "\(balancer.totalOutstanding) outstanding at the end")
    for slot in balancer.slotsInUse {
      simulation.expect(balancer.outstanding(of: slot) == 0, "slot \(slot) has requests out at the end")
      simulation.expect(!balancer.isDraining(slot), "slot \(slot) still drains at the end")
    }
    // Once every wait is over, each endpoint is chosen again or is to be probed.
    reviveRested()
    for slot in balancer.slotsInUse {
      simulation.expect(
        balancer.status(of: slot) == .open, "slot \(slot) is \(balancer.status(of: slot)) long after its last request")
    }
  }
}

/// What a budget is worth, counted from its deposits and withdrawals again.
struct BudgetAudit {
  private let deposit: Int
  private let cost: Int
  private let reserve: Int
  private let windowNanoseconds: UInt64
  /// What each tenth of the budget's time brought and took, oldest first.
  private var tenths: [(number: UInt64, tokens: Int)] = []

  init(_ budget: RetryBudget, ttlSeconds: Int) {
    deposit = budget.deposit
    cost = budget.cost
    reserve = budget.reserve
    windowNanoseconds = UInt64(ttlSeconds) * 100_000_000
  }

  mutating func deposited(at now: MonotonicInstant) {
    advance(to: now)
    tenths[tenths.count - 1].tokens += deposit
  }

  /// Whether a withdrawal was rightly paid or refused.
  mutating func withdrew(_ isPaid: Bool, at now: MonotonicInstant) -> Bool {
    advance(to: now)
    let left = tenths.reduce(reserve - cost) { $0 + $1.tokens }
    if isPaid { tenths[tenths.count - 1].tokens -= cost }
    return isPaid == (left >= 0)
  }

  private mutating func advance(to now: MonotonicInstant) {
    let current = now.nanoseconds / windowNanoseconds
    while let oldest = tenths.first, oldest.number + 10 <= current {
      tenths.removeFirst()
      var debt = max(0, -oldest.tokens)
      for index in tenths.indices {
        let taken = min(debt, max(0, tenths[index].tokens))
        tenths[index].tokens -= taken
        debt -= taken
      }
    }
    if tenths.last?.number != current { tenths.append((current, 0)) }
  }
}

import Balancers
import Config
import MeshBase
import Resilience
import Telemetry

@testable import MeshRouter

/// One worker's side of a bound name: what `Client` holds, over the real endpoints and budgets.
final class SimulatedWorker {
  let index: Int
  unowned let simulation: Simulation
  var random: SeededRandom
  private let endpoints: BalancedEndpoints
  private let stats = ClientStats()
  var policy: ServicePolicy
  private var requeueBudget: RetryBudget
  private var requeueAudit: BudgetAudit
  private var retryAudit: BudgetAudit
  private var hedgeAudit: BudgetAudit?
  var clientGate: SimulatedClientGate?
  /// Connections that wait for a request, by port.
  var idle: [UInt16: Int] = [:]

  // What the counters must add up from.
  var begun = 0
  var ended = 0
  var abandoned = 0
  var retriesPaid = 0
  var requeuesPaid = 0
  var hedgesPaid = 0
  /// Requests that went on with their second attempt.
  var takenOver = 0

  init(_ index: Int, _ simulation: Simulation) {
    let plan = simulation.plan
    self.index = index
    self.simulation = simulation
    random = SeededRandom(seed: plan.seed &* 31 &+ UInt64(index))
    endpoints = BalancedEndpoints(plan.client, seed: random.next(), stats: stats)
    policy = ServicePolicy(plan.service, workerCount: plan.workers)
    requeueBudget = RetryBudget(plan.requeueBudget, workerCount: plan.workers)
    clientGate = SimulatedClientGate(plan)
    requeueAudit = BudgetAudit(requeueBudget, ttlSeconds: plan.requeueBudget.ttlSeconds)
    retryAudit = BudgetAudit(policy.budget, ttlSeconds: plan.service.retries.budget.ttlSeconds)
    hedgeAudit = plan.service.hedge.map { hedge in
      BudgetAudit(
        RetryBudget(percentCanRetry: hedge.maxExtraPercent / 100, minRetriesPerSecond: 0),
        ttlSeconds: Configuration.RetryBudget().ttlSeconds)
    }
  }

  private var now: MonotonicInstant { simulation.now }
  var balancer: Balancer { endpoints.balancer }

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

  /// A request that may be sent a second time.
  func hedgeable() {
    policy.hedging?.requestBegan(at: now)
    hedgeAudit?.deposited(at: now)
  }

  func paysForHedge() -> Bool {
    let isPaid = policy.hedging?.pays(at: now) ?? false
    simulation.expect(
      hedgeAudit?.withdrew(isPaid, at: now) == true, "the hedges' budget paid \(isPaid) against its deposits")
    if isPaid { hedgesPaid += 1 }
    return isPaid
  }

  // MARK: Attempts

  func pick(hash: UInt64, avoiding tried: SlotSet) -> Int? {
    guard let slot = endpoints.pick(at: now, using: &random, hash: hash, avoiding: tried) else { return nil }
    begun += 1
    clientGate?.limit.begin()
    return slot
  }

  func attemptEnded(_ slot: Int, startedAt: MonotonicInstant, ok: Bool) {
    ended += 1
    placeIsFree()
    if let ejection = endpoints.end(slot, startedAt: startedAt, at: now, ok: ok, using: &random) {
      checkShare()
      simulation.ejected(balancer.address(of: slot), by: index, ejection)
    }
    endpoints.takeFreed { _ in }
  }

  func attemptAbandoned(_ slot: Int) {
    abandoned += 1
    placeIsFree()
    endpoints.abandon(slot, at: now)
    endpoints.takeFreed { _ in }
  }

  /// Its caller, or its primary, waits no longer.
  func attemptCutShort(_ slot: Int, startedAt: MonotonicInstant) {
    abandoned += 1
    placeIsFree()
    endpoints.cutShort(slot, startedAt: startedAt, at: now)
    endpoints.takeFreed { _ in }
  }

  // MARK: The concurrency limit

  private func placeIsFree() {
    clientGate?.limit.end()
    guard let gate = clientGate, !gate.line.isEmpty, !gate.isPumpDue else { return }
    clientGate?.isPumpDue = true
    simulation.schedule(.pump(worker: index), after: 0)
  }

  func answered(after nanoseconds: UInt64) {
    clientGate?.limit.answered(after: nanoseconds, at: now, using: &random)
  }

  /// Those who wait begin, as far as there are places.
  func pump() {
    clientGate?.isPumpDue = false
    while let gate = clientGate,
      let number = clientGate?.line.next(at: now, mayGo: { gate.limit.mayBegin(share: gate.shares[$0]) })
    {
      simulation.exchange(number).clientPlaceIsFree()
    }
  }

  func ejectedElsewhere(_ address: SocketAddress, _ ejection: BalancedEndpoints.Ejection) {
    let before = balancer.closedCount
    endpoints.ejectedElsewhere(address, ejection)
    if balancer.closedCount > before { checkShare() }
  }

  func rest(_ slot: Int) { endpoints.rest(slot, at: now, milliseconds: EndpointHealth.restAfterRefusalMilliseconds) }

  func sweep() {
    endpoints.sweep(at: now) { slot, ejection in
      checkShare()
      simulation.ejected(balancer.address(of: slot), by: index, ejection)
    }
  }

  /// One more is left out, or the list is another: not too many are.
  private func checkShare() {
    let most = max(1, balancer.pickableCount * simulation.plan.client.maxEjectedPercent / 100)
    simulation.expect(balancer.closedCount <= most, "\(balancer.closedCount) endpoints are out, not \(most) at most")
  }

  func update(_ list: [Endpoint]) {
    endpoints.update(list, at: now)
    checkShare()
    endpoints.takeFreed { _ in }
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
    if let gate = clientGate {
      simulation.expect(gate.limit.inFlight == 0, "\(gate.limit.inFlight) places of the client not given back")
      simulation.expect(gate.line.isEmpty, "\(gate.line.count) still wait for a place of the client")
    }
    // Once every wait is over, each endpoint is chosen again or is to be probed.
    endpoints.sweep(at: now) { _, _ in }
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

import Balancers
import HTTP
import MeshBase

@testable import MeshRouter

/// One request on its way: what `Exchange` does around the real machine, without bytes.
final class SimulatedExchange {
  /// What happens to it from outside.
  enum Happening {
    case connected
    case connectFailed(Reason)
    case head(status: Int)
    case whole
    case lost(amidHead: Bool)
    case garbage
    case refused(connectionIsLeaving: Bool)
    case body
    case attemptTimeout
    case totalTimeout
    case backOffIsOver
    case callerGone
    case placeTimeout
    case clientPlaceTimeout
    case hedge
  }

  let number: Int
  let worker: SimulatedWorker
  let method: HTTP.Method
  unowned let simulation: Simulation
  var machine: ExchangeMachine
  var tried = SlotSet()
  var slot = -1
  /// Of the endpoint in `slot`; the slot may be free again once the attempt has ended.
  var port: UInt16 = 0
  var attemptIsOut = false
  var attemptStartedAt = MonotonicInstant(nanoseconds: 0)
  private var status = 0
  let hash: UInt64

  /// The request's body has still to come, so many bytes.
  var bodyBytes = 0
  var keptBodyMax = 0
  var bodyHasCome = false

  /// What is scheduled for an attempt or a wait counts only while its number is still this.
  var attempt = 0
  var timer = 0

  // Of a second attempt at another endpoint, see `SimulatedHedge`.
  var hedges = false
  var hedgeRound = 0
  var isHedgeDue = false
  /// Of the one that waits for an answer, another exchange of the same request.
  var backup: SimulatedExchange?
  weak var primary: SimulatedExchange?
  /// Who goes on with its attempt, and as which one of its own.
  var heir: (exchange: SimulatedExchange, attempt: Int)?

  /// Class of importance.
  let importance: Int
  var place = Place.none
  var isInClientLine = false

  var endings = 0
  private var hasPassedBytes = false
  /// Times that the request went to a backend which may have acted on it.
  private var mayHaveBeenProcessed = 0
  /// It went out at least once.
  private var sends = 0
  private var backOffs = 0

  var isOver: Bool { endings > 0 }

  convenience init(_ number: Int, _ simulation: Simulation, _ worker: SimulatedWorker) {
    let method: HTTP.Method = [.get, .get, .put, .post][worker.random.below(4)]
    let bodyBytes = method == .get ? 0 : worker.random.below(200)
    let hash = worker.random.next()
    let importance = worker.random.below(simulation.plan.shares.count)
    self.init(number, simulation, worker, method: method, hash: hash, importance: importance)
    self.bodyBytes = bodyBytes
  }

  init(
    _ number: Int, _ simulation: Simulation, _ worker: SimulatedWorker, method: HTTP.Method, hash: UInt64,
    importance: Int
  ) {
    self.number = number
    self.simulation = simulation
    self.worker = worker
    self.method = method
    self.hash = hash
    self.importance = importance
    machine = ExchangeMachine(isIdempotent: method.isIdempotent)
  }

  var now: MonotonicInstant { simulation.now }

  // MARK: What happens

  func begin() {
    let plan = simulation.plan
    if let total = plan.totalTimeoutMilliseconds {
      simulation.schedule(.exchange(self, .totalTimeout, number: nil), after: total * 1_000_000)
    }
    if worker.random.below(10) == 0 {
      simulation.schedule(.exchange(self, .callerGone, number: nil), after: UInt64(worker.random.below(100_000_000)))
    }
    if passesServer() { perform(machine.handle(.identified)) }
  }

  /// - Parameter number: of the attempt or of the wait that it belongs to; nil for the whole request.
  func happen(_ what: Happening, number: Int?) {
    if let heir, number == attempt { return heir.exchange.happen(what, number: heir.attempt) }
    guard !isOver else { return }
    switch what {
    case .hedge: if number != hedgeRound { return }
    case .attemptTimeout, .backOffIsOver, .clientPlaceTimeout: if number != timer { return }
    case .totalTimeout, .callerGone, .placeTimeout: break
    default: if number != attempt { return }
    }
    switch what {
    case .connected: perform(machine.handle(.connected(reused: false)))
    case .connectFailed(let reason): connectFailed(reason)
    case .head(let status): responseBegan(status)
    case .whole: perform(machine.handle(.completed))
    case .lost(let amidHead): backendLost(amidHead: amidHead)
    case .garbage:
      if !retry(after: .relayBadResponse) { perform(machine.handle(.failed(.relayBadResponse))) }
    case .refused(let isLeaving):
      mayHaveBeenProcessed -= 1
      perform(machine.handle(.refused(connectionIsLeaving: isLeaving)))
    case .body: bodyCame()
    case .attemptTimeout:
      if !retry(after: .outcomeAttemptTimeout) { perform(machine.handle(.failed(.outcomeAttemptTimeout))) }
    case .totalTimeout: perform(machine.handle(.failed(.outcomeTotalTimeout)))
    case .backOffIsOver: perform(machine.handle(.backOffIsOver))
    case .placeTimeout: placeTimedOut()
    case .clientPlaceTimeout: clientPlaceTimedOut()
    case .hedge: hedge()
    case .callerGone:
      _ = machine.handle(.failed(.relayResetByClient))
      endAttempt(failed: .relayResetByClient)
      finish(.gone)
    }
  }

  private func bodyCame() {
    guard machine.state == .awaitingResponse || machine.state == .relaying, !bodyHasCome else { return }
    bodyHasCome = true
    if keptBodyMax == 0 || bodyBytes > keptBodyMax { _ = machine.handle(.bodyConsumed) }
  }

  private func responseBegan(_ status: Int) {
    if isBackup, !handOver(status) { return }
    if let primary, heir != nil { return primary.responseBegan(status) }
    if status >= 500, goesOnWithBackup(insteadOfAnswered: status) { return }
    if status >= 500, worker.policy.retries(method, status: status), machine.mayRetry, worker.paysForRetry() {
      attemptIsOut = false
      worker.attemptEnded(slot, startedAt: attemptStartedAt, ok: false)
      return perform(machine.handle(.retry))
    }
    _ = machine.handle(.responseBegan)
    if hedges { answeredInTime() }
    worker.answered(after: now.nanoseconds(since: attemptStartedAt))
    simulation.expect(machine.state == .relaying, "a response's head in \(machine.state)")
    timer += 1
    self.status = status
    hasPassedBytes = true
  }

  private func retry(after reason: Reason) -> Bool {
    if isBackup { return false }
    if goesOnWithBackup(insteadOf: reason) { return true }
    guard worker.policy.retries(method), machine.mayRetry, worker.paysForRetry() else { return false }
    endAttempt(failed: reason)
    perform(machine.handle(.retry))
    return true
  }

  private func backendLost(amidHead: Bool) {
    let isHeadCut = amidHead && machine.state == .awaitingResponse
    if isHeadCut || !machine.wouldResend, retry(after: .relayResetByServer) { return }
    perform(machine.handle(isHeadCut ? .failed(.relayResetByServer) : .backendLost))
  }

  private func connectFailed(_ reason: Reason) {
    worker.rest(slot)
    perform(machine.handle(.connectFailed(reason)))
  }

  // MARK: The machine's wishes

  func perform(_ action: ExchangeMachine.Action) {
    simulation.expect(!isOver || action == .wait, "\(action) after the end")
    switch action {
    case .pick, .connect, .send, .requeue, .resend, .backOff:
      simulation.expect(!hasPassedBytes, "\(action) after the first byte of the response")
    default: break
    }
    switch action {
    case .wait: break
    case .bind:
      worker.requestBegan()
      if let hedging = worker.policy.hedging, hedging.covers(method) {
        hedges = true
        worker.hedgeable()
      }
      if bodyBytes > 0, hedges || worker.policy.retries(method) { keptBodyMax = worker.policy.keptBodyMax }
      perform(machine.handle(.bound))
    case .pick: pick()
    case .connect: connect(fresh: false)
    case .send: send()
    case .requeue(let reason): requeue(after: reason)
    case .resend:
      attempt += 1
      dropBackup()
      connect(fresh: true)
    case .backOff: backOff()
    case .answer(let reason):
      if isBackup { return endBackup(reason) }
      endAttempt(failed: reason)
      finish(.failed)
    case .breakOff(let reason):
      simulation.expect(hasPassedBytes, "broken off before a byte was out")
      endAttempt(failed: reason)
      finish(.failed)
    case .finish:
      let ok = worker.policy.isSuccess(status: status)
      if attemptIsOut {
        attemptIsOut = false
        worker.attemptEnded(slot, startedAt: attemptStartedAt, ok: ok)
      }
      if bodyBytes == 0 || bodyHasCome { worker.idle[port, default: 0] += 1 }
      finish(ok ? .succeeded : .failed)
    }
  }

  private func pick() {
    if passesClient() { take() }
  }

  /// An attempt begins.
  func take() {
    guard let slot = worker.pick(hash: hash, avoiding: tried) else {
      return perform(machine.handle(.failed(.pickNoEndpoints)))
    }
    if tried.contains(slot) {
      let others = worker.balancer.slotsInUse.filter { !tried.contains($0) && !worker.balancer.isDraining($0) }
      simulation.expect(others.isEmpty, "slot \(slot) again, which had failed this request; there were \(others)")
    }
    self.slot = slot
    port = worker.balancer.address(of: slot).port
    attemptStartedAt = now
    attemptIsOut = true
    if isBackup, tried.contains(slot) { return perform(machine.handle(.failed(.relaySuperseded))) }
    perform(machine.handle(.picked))
  }

  private func connect(fresh: Bool) {
    attempt += 1
    if !fresh, let count = worker.idle[port], count > 0 {
      worker.idle[port] = count - 1
      return perform(machine.handle(.connected(reused: true)))
    }
    switch simulation.backends[Int(port)].connect(&worker.random) {
    case .connected:
      simulation.schedule(
        .exchange(self, .connected, number: attempt), after: UInt64(worker.random.below(300_000)))
    case .refused:
      // At times at once, while the exchange is still being driven.
      if worker.random.below(2) == 0 { return connectFailed(.connectRefused) }
      simulation.schedule(.exchange(self, .connectFailed(.connectRefused), number: attempt), after: 50_000)
    case .timeOut:
      simulation.schedule(.exchange(self, .connectFailed(.connectTimeout), number: attempt), after: 30_000_000)
    }
  }

  private func send() {
    worker.requestSent()
    sends += 1
    mayHaveBeenProcessed += 1
    checkRepetition()
    if let limit = simulation.plan.attemptTimeoutMilliseconds {
      timer += 1
      simulation.schedule(.exchange(self, .attemptTimeout, number: timer), after: limit * 1_000_000)
    }
    if bodyBytes > 0, !bodyHasCome {
      simulation.schedule(
        .exchange(self, .body, number: attempt), after: UInt64(worker.random.below(2_000_000)))
    }
    func later(_ what: Happening, _ wait: UInt64) {
      simulation.schedule(.exchange(self, what, number: attempt), after: wait)
    }
    // A pooled connection may have been closed meanwhile.
    if machine.isOnReusedConnection, worker.random.below(6) == 0 { return later(.lost(amidHead: false), 10_000) }
    if hedges { awaitHedge() }
    switch simulation.backends[Int(port)].serve(&worker.random) {
    case .answer(let status, let head, let end):
      later(.head(status: status), head)
      later(.whole, max(head, end))
    case .lost(let wait, let amidHead): later(.lost(amidHead: amidHead), wait)
    case .cut(let head, let wait):
      later(.head(status: 200), head)
      later(.lost(amidHead: false), head + wait)
    case .garbage(let wait): later(.garbage, wait)
    case .refused(let wait, let isLeaving): later(.refused(connectionIsLeaving: isLeaving), wait)
    case .hang: break
    }
  }

  /// What nobody allowed to be repeated may have been acted on once.
  private func checkRepetition() {
    guard mayHaveBeenProcessed > 1 else { return }
    let mayRepeat = method.isIdempotent || worker.policy.retries(method)
    simulation.expect(mayRepeat, "a \(method) sent again that a backend may have acted on")
    // Its body is sent whole: from memory, or none of it had been taken.
    simulation.expect(
      !bodyHasCome || (keptBodyMax > 0 && bodyBytes <= keptBodyMax), "sent again without the body it had")
  }

  private func requeue(after reason: Reason) {
    attempt += 1
    timer += 1
    if reason != .relayRefused || worker.balancer.pickableCount > 1 { tried.insert(slot) }
    endAttempt(failed: reason)
    dropBackup()
    guard tried.count < worker.balancer.pickableCount, worker.paysForRequeue() else {
      return perform(machine.requeueRefused(reason))
    }
    perform(.pick)
  }

  private func backOff() {
    attempt += 1
    timer += 1
    backOffs += 1
    dropBackup()
    tried.insert(slot)
    if tried.count >= worker.balancer.pickableCount {
      tried = SlotSet()
      tried.insert(slot)
    }
    let wait = worker.policy.backOff(retry: machine.retries, using: &worker.random)
    if wait == 0 { return perform(machine.handle(.backOffIsOver)) }
    simulation.schedule(.exchange(self, .backOffIsOver, number: timer), after: wait)
  }

  func endAttempt(failed reason: Reason) {
    guard attemptIsOut else { return }
    attemptIsOut = false
    switch reason {
    case _ where !reason.isEndpointsFault: worker.attemptAbandoned(slot)
    case .relayResetByClient, .relaySuperseded, .outcomeTotalTimeout:
      worker.attemptCutShort(slot, startedAt: attemptStartedAt)
    default: worker.attemptEnded(slot, startedAt: attemptStartedAt, ok: false)
    }
  }

  private func finish(_ end: Simulation.End) {
    endings += 1
    dropBackup()
    leaveLimits()
    simulation.expect(endings == 1, "ended \(endings) times")
    simulation.expect(!attemptIsOut, "ended with an attempt out")
    simulation.expect(machine.state == .ended, "ended in \(machine.state)")
    simulation.expect(machine.retries == backOffs, "\(machine.retries) retries, \(backOffs) waits")
    simulation.expect(
      machine.retries <= ExchangeMachine.retriesMax && machine.requeues <= ExchangeMachine.requeuesMax,
      "\(machine.retries) retries, \(machine.requeues) re-queues")
    simulation.ended(self, end, retries: machine.retries, sends: sends)
  }
}

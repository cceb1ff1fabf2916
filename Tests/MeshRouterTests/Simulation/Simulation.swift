import Balancers
import MeshBase

@testable import MeshRouter

/// Many requests of several workers in virtual time, over backends that fail in every way; checks what must always hold.
final class Simulation {
  enum End { case succeeded, failed, gone }

  enum Event {
    case arrival
    case exchange(SimulatedExchange, SimulatedExchange.Happening, number: Int?)
    /// A worker hears from another that an endpoint is left out.
    case ejected(SocketAddress, worker: Int, BalancedEndpoints.Ejection)
    /// Housekeeping.
    case sweep
    /// A worker reads what has become of a ticket.
    case place(SharedGate.Ticket, isGranted: Bool)
    case pump(worker: Int)
    case mood
    case endpoints
    case leap
  }

  let plan: SimulationPlan
  var backends: [SimulatedBackend] = []
  /// What the code is told; stands still during a turn, never goes back.
  private(set) var now = MonotonicInstant(nanoseconds: 3_000_000_000_000)
  /// What did not hold.
  private(set) var violations: [String] = []
  private(set) var events = 0
  private(set) var ends: [End: Int] = [:]
  /// Requests that went on with a second attempt.
  var takenOver: Int { workers.reduce(0) { $0 + $1.takenOver } }

  /// The server's places.
  let gate: SimulatedGate?

  private var queue = EventQueue<Event>()
  private var random: SeededRandom
  private var workers: [SimulatedWorker] = []
  private var exchanges: [SimulatedExchange] = []
  private var retries = 0
  private var sends = 0
  private var current = -1

  init(_ plan: SimulationPlan) {
    self.plan = plan
    random = SeededRandom(seed: plan.seed ^ 0x5eed)
    gate = plan.gate.map { SimulatedGate($0) }
    backends = (0..<plan.backends).map { SimulatedBackend(port: UInt16($0)) }
    workers = (0..<plan.workers).map { SimulatedWorker($0, self) }
  }

  /// Bound on a run; far beyond what requests with bounded retries can come to.
  private static let eventsMax = 100_000

  func run() {
    changeEndpoints(all: true)
    for event in [Event.arrival, .mood, .sweep] { schedule(event, after: 0) }
    if plan.listChanges { schedule(.endpoints, after: 5 * plan.spacing) }
    if plan.leaps { schedule(.leap, after: 10 * plan.spacing) }
    while events < Self.eventsMax, let (time, event) = queue.next() {
      events += 1
      // After a leap what was due meanwhile comes late, all in one turn.
      now = max(now, time)
      handle(event)
      for (ticket, isGranted) in gate?.takeTold() ?? [] {
        schedule(.place(ticket, isGranted: isGranted), after: UInt64(random.below(1_000_000)))
      }
    }
    expect(events < Self.eventsMax, "no end in sight")
    checkAtRest()
  }

  private func handle(_ event: Event) {
    switch event {
    case .arrival:
      let worker = workers[random.below(workers.count)]
      let exchange = SimulatedExchange(exchanges.count, self, worker)
      exchanges.append(exchange)
      current = exchange.number
      exchange.begin()
      if exchanges.count < plan.requests { schedule(.arrival, after: UInt64(random.below(Int(2 * plan.spacing)))) }
    case .exchange(let exchange, let what, let number):
      current = exchange.number
      exchange.happen(what, number: number)
    case .ejected(let address, let worker, let ejection): workers[worker].ejectedElsewhere(address, ejection)
    case .sweep:
      for worker in workers { worker.sweep() }
      if exchanges.count < plan.requests { schedule(.sweep, after: 1_000_000_000) }
    case .place(let ticket, let isGranted):
      current = Int(ticket.number)
      exchanges[current].placeDecided(ticket, isGranted: isGranted)
    case .pump(let worker): workers[worker].pump()
    case .mood:
      backends[random.below(backends.count)].mood = plan.moods[random.below(plan.moods.count)]
      if exchanges.count < plan.requests { schedule(.mood, after: UInt64(random.below(Int(8 * plan.spacing)))) }
    case .endpoints:
      let isLast = exchanges.count >= plan.requests
      changeEndpoints(all: isLast)
      if !isLast { schedule(.endpoints, after: UInt64(random.below(Int(20 * plan.spacing)))) }
    case .leap:
      now = now.advanced(byNanoseconds: [1_000_000, 500_000_000, 20_000_000_000, 86_400_000_000_000][random.below(4)])
      if exchanges.count < plan.requests { schedule(.leap, after: UInt64(random.below(Int(30 * plan.spacing)))) }
    }
    current = -1
  }

  private func changeEndpoints(all: Bool) {
    for worker in workers {
      let listed = backends.filter { _ in all || random.below(3) > 0 }
      worker.update(
        listed.map { Endpoint(.loopback(port: $0.port), weight: all ? 1 : Double(1 + random.below(3))) })
    }
  }

  // MARK: What takes part in it calls

  func schedule(_ event: Event, after wait: UInt64) {
    queue.schedule(event, at: now.advanced(byNanoseconds: wait))
  }

  func exchange(_ number: Int) -> SimulatedExchange { exchanges[number] }

  func ejected(_ address: SocketAddress, by worker: Int, _ ejection: BalancedEndpoints.Ejection) {
    for other in workers where other.index != worker {
      schedule(.ejected(address, worker: other.index, ejection), after: UInt64(random.below(3_000_000)))
    }
  }

  func ended(_ exchange: SimulatedExchange, _ end: End, retries: Int, sends: Int) {
    ends[end, default: 0] += 1
    self.retries += retries
    self.sends += sends
  }

  func expect(_ holds: Bool, _ text: @autoclosure () -> String) {
    guard !holds, violations.count < 5 else { return }
    let place = current < 0 ? "" : "request \(current) (\(exchanges[current].method)): "
    violations.append("\(now.nanoseconds) ns: \(place)\(text())")
  }

  // MARK: The end

  private func checkAtRest() {
    let unanswered = exchanges.filter { !$0.isOver }.map(\.number)
    expect(unanswered.isEmpty, "requests \(unanswered) never ended")
    expect(ends.values.reduce(0, +) == plan.requests, "\(ends) of \(plan.requests) requests")
    expect(retries == workers.reduce(0) { $0 + $1.retriesPaid }, "\(retries) retries were not what was paid")
    let begun = workers.reduce(0) { $0 + $1.begun }
    let paid = workers.reduce(0) { $0 + $1.retriesPaid + $1.requeuesPaid + $1.hedgesPaid }
    expect(begun <= plan.requests + paid, "\(begun) attempts of \(plan.requests) requests with \(paid) paid for")
    if let gate {
      expect(gate.gate.held == 0, "\(gate.gate.held) places of the server not given back")
      expect(gate.gate.waiters == 0, "\(gate.gate.waiters) still wait for a place of the server")
    }
    now = now.advanced(byMilliseconds: 86_400_000)
    // A last window's latencies may leave somebody out once more.
    for worker in workers { worker.sweep() }
    now = now.advanced(byMilliseconds: 86_400_000)
    for worker in workers { worker.checkAtRest() }
  }
}

import MeshBase

@testable import Balancers

/// A server of the simulation.
struct SimulatedServer {
  var index: Int
  var weight = 1.0
  /// Requests served at once; 0 is without limit.
  var parallel = 0
  /// Service time in microseconds for a request that starts at `seconds`.
  var service: (_ seconds: Double, _ random: inout SeededRandom) -> Double
  /// Whether a request that starts at `seconds` fails; it then takes `failureMicroseconds`.
  var fails: (_ seconds: Double) -> Bool = { _ in false }
  var failureMicroseconds = 50.0

  /// Service time: a fixed part and an exponential one, in microseconds.
  static func exponential(_ index: Int, fixed: Double, mean: Double, weight: Double = 1, parallel: Int = 0) -> Self {
    Self(index: index, weight: weight, parallel: parallel) { _, random in
      fixed + mean * -naturalLogarithm(1 - random.unit())
    }
  }
}

/// ln x for 0 < x ≤ 1, by Newton's method on `exponential`.
func naturalLogarithm(_ x: Double) -> Double {
  var y = Double(x.exponent) * 0.693_147_180_559_945_3 + (x.significand - 1) * 0.693
  for _ in 0..<4 { y += x * exponential(-y) - 1 }
  return y
}

/// Poisson arrivals for servers behind one balancer, on virtual time.
struct Simulation {
  var kind: BalancerKind
  var servers: [SimulatedServer]
  var requestsPerSecond: Double
  var seconds: Double
  var seed: UInt64
  /// What the list is from the given second on; all servers from the start if empty.
  var lists: [(second: Double, servers: [Int])] = []
  /// Requests before this second are not counted.
  var countedFrom = 0.0

  struct Report {
    var latencies: [Double] = []
    var shares: [Double]
    var failed = 0
    /// Most requests out at once, by server.
    var peakOutstanding: [Int]
    /// Most requests given to a server that had not answered any yet.
    var peakUnanswered: [Int]
    var counts: [Int]

    /// Microseconds.
    func percentile(_ p: Double) -> Double {
      latencies.isEmpty ? 0 : latencies[min(latencies.count - 1, Int(Double(latencies.count) * p / 100))]
    }
  }

  private struct Departure {
    var nanoseconds: UInt64
    var slot: Int
    var server: Int
    var start: UInt64
    var ok: Bool
  }

  func run() -> Report {
    var random = SeededRandom(seed: seed)
    var luck = SeededRandom(seed: seed ^ 0xffff)
    let balancer = Balancer(kind: kind, seed: seed)
    var report = Report(
      shares: servers.map { _ in 0 }, peakOutstanding: servers.map { _ in 0 }, peakUnanswered: servers.map { _ in 0 },
      counts: servers.map { _ in 0 })
    let origin: UInt64 = 3_600_000_000_000
    var freeAt = servers.map { [UInt64](repeating: 0, count: $0.parallel) }
    var answered = servers.map { _ in false }
    var departures = EventHeap<Departure> { $0.nanoseconds < $1.nanoseconds }
    var pendingLists = lists.isEmpty ? [(second: 0.0, servers: servers.map(\.index))] : lists
    pendingLists.reverse()
    var clock = 0.0
    while true {
      clock += -naturalLogarithm(1 - random.unit()) / requestsPerSecond
      if clock >= seconds { break }
      let arrival = origin + UInt64(clock * 1e9)
      while let next = departures.first, next.nanoseconds <= arrival {
        departures.removeFirst()
        balancer.end(
          next.slot, startedAt: MonotonicInstant(nanoseconds: next.start),
          at: MonotonicInstant(nanoseconds: next.nanoseconds), ok: next.ok)
        answered[next.server] = true
      }
      while let next = pendingLists.last, next.second <= clock {
        pendingLists.removeLast()
        balancer.update(next.servers.map { Endpoint(address($0), weight: servers[$0].weight) })
        balancer.takeFreedSlots { _, freed in answered[servers.firstIndex { address($0.index) == freed }!] = false }
      }
      let now = MonotonicInstant(nanoseconds: arrival)
      guard let slot = balancer.pick(at: now, using: &luck, hash: random.next(), avoiding: SlotSet()) else { continue }
      balancer.begin(slot, at: now)
      let picked = balancer.address(of: slot)
      let server = servers.firstIndex { address($0.index) == picked }!
      report.peakOutstanding[server] = max(report.peakOutstanding[server], balancer.outstanding(of: slot))
      if !answered[server] {
        report.peakUnanswered[server] = max(report.peakUnanswered[server], balancer.outstanding(of: slot))
      }
      // First come, first served by whichever place is free first.
      let place = freeAt[server].indices.min { freeAt[server][$0] < freeAt[server][$1] }
      let begins = place.map { max(arrival, freeAt[server][$0]) } ?? arrival
      let fails = servers[server].fails(clock)
      let service = fails ? servers[server].failureMicroseconds : servers[server].service(clock, &random)
      let ends = begins + UInt64(service * 1_000)
      if let place { freeAt[server][place] = ends }
      departures.insert(Departure(nanoseconds: ends, slot: slot, server: server, start: arrival, ok: !fails))
      if clock < countedFrom { continue }
      report.counts[server] += 1
      if fails { report.failed += 1 } else { report.latencies.append(Double(ends - arrival) / 1_000) }
    }
    report.latencies.sort()
    let total = Double(report.counts.reduce(0, +))
    report.shares = report.counts.map { Double($0) / total }
    return report
  }
}

/// A binary heap of events.
struct EventHeap<Event> {
  private var events: [Event] = []
  private let isBefore: (Event, Event) -> Bool

  init(isBefore: @escaping (Event, Event) -> Bool) { self.isBefore = isBefore }

  var first: Event? { events.first }

  mutating func insert(_ event: Event) {
    events.append(event)
    var child = events.count - 1
    while child > 0, isBefore(events[child], events[(child - 1) / 2]) {
      events.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    events.swapAt(0, events.count - 1)
    events.removeLast()
    var parent = 0
    while 2 * parent + 1 < events.count {
      var child = 2 * parent + 1
      if child + 1 < events.count && isBefore(events[child + 1], events[child]) { child += 1 }
      if !isBefore(events[child], events[parent]) { break }
      events.swapAt(child, parent)
      parent = child
    }
  }
}

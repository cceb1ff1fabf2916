import MeshBase
import Testing

import func Foundation.log

@testable import Resilience

private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

/// A service of so many servers, each busy for a fixed time with a request; more wait in one line. Callers come at random
/// at a rate, and are turned away where the limit says so.
private struct Service {
  var servers: Int
  var serviceNanoseconds: UInt64
  var rate: Double
  /// A later run goes on later.
  private var begins = MonotonicInstant(nanoseconds: 1_000_000_000_000)

  init(servers: Int, serviceNanoseconds: UInt64, rate: Double) {
    self.servers = servers
    self.serviceNanoseconds = serviceNanoseconds
    self.rate = rate
  }

  struct Run {
    /// Answered a second.
    var goodput = 0.0
    /// Of answers, as times of the service's own time.
    var p50 = 0.0
    var p99 = 0.0
    var limit = 0
  }

  /// - Parameter measureFrom: seconds that are not counted.
  mutating func run(_ limit: inout ConcurrencyLimit, seconds: Double, measureFrom: Double, seed: UInt64) -> Run {
    begins = begins.advanced(byMilliseconds: 1_000_000)
    var random = SeededRandom(seed: seed)
    var freeAt = Array(repeating: UInt64(0), count: servers)
    /// Ends of what is out, in order.
    var out: [(end: UInt64, began: UInt64)] = []
    var latencies: [Double] = []
    var time: UInt64 = 0
    let last = UInt64(seconds * 1e9)
    while time < last {
      time += UInt64(-log(1 - random.unit()) / rate * 1e9) + 1
      while let first = out.first, first.end <= time {
        out.removeFirst()
        limit.end()
        limit.answered(after: first.end - first.began, at: begins.advanced(byNanoseconds: first.end), using: &random)
        if Double(first.began) > measureFrom * 1e9 {
          latencies.append(Double(first.end - first.began) / Double(serviceNanoseconds))
        }
      }
      guard limit.mayBegin() else { continue }
      limit.begin()
      let server = freeAt.indices.min { freeAt[$0] < freeAt[$1] }!
      let jitter = UInt64(random.below(Int(serviceNanoseconds / 20)))
      let end = max(freeAt[server], time) + serviceNanoseconds + jitter
      freeAt[server] = end
      let place = out.lastIndex { $0.end <= end }.map { $0 + 1 } ?? 0
      out.insert((end, time), at: place)
    }
    for _ in out { limit.end() }
    latencies.sort()
    guard !latencies.isEmpty else { return Run() }
    return Run(
      goodput: Double(latencies.count) / (seconds - measureFrom), p50: latencies[latencies.count / 2],
      p99: latencies[latencies.count * 99 / 100], limit: limit.limit)
  }

  var capacity: Double { Double(servers) * 1e9 / (Double(serviceNanoseconds) * 1.025) }
}

@Suite("Concurrency limit") struct ConcurrencyLimitTests {
  private static func gradient(initial: Int = 20) -> ConcurrencyLimit {
    ConcurrencyLimit(
      .gradient(tolerance: 1.25, remeasureNanoseconds: 60_000_000_000), initial: initial, least: 5, most: 1_000)
  }

  @Test(
    "gradient: three times too much leaves 90 % of the capacity and less than twice the latency",
    arguments: [(8, 20_000_000), (40, 20_000_000), (10, 3_000_000)] as [(Int, UInt64)])
  func overload(servers: Int, nanoseconds: UInt64) {
    let seed = UInt64(servers) &* 31 &+ nanoseconds
    var service = Service(servers: servers, serviceNanoseconds: nanoseconds, rate: 0)
    service.rate = 3 * service.capacity
    var limit = Self.gradient()
    let run = service.run(&limit, seconds: 20, measureFrom: 8, seed: seed)
    #expect(run.goodput > 0.9 * service.capacity, "seed \(seed): \(run), capacity \(service.capacity)")
    #expect(run.p99 < 2, "seed \(seed): \(run)")
  }

  @Test("gradient: the limit does not creep up over hours of overload, measurements and all")
  func hours() {
    var service = Service(servers: 10, serviceNanoseconds: 50_000_000, rate: 0)
    service.rate = 2 * service.capacity
    var limit = ConcurrencyLimit(
      .gradient(tolerance: 1.25, remeasureNanoseconds: 10_000_000_000), initial: 20, least: 3, most: 1_000)
    let run = service.run(&limit, seconds: 900, measureFrom: 850, seed: 7)
    #expect(run.p50 < 2 && run.goodput > 0.9 * service.capacity, "\(run)")
  }

  @Test("gradient: half of the capacity is let through whole, whatever the limit began with", arguments: [5, 20, 500])
  func underLoad(initial: Int) {
    var service = Service(servers: 40, serviceNanoseconds: 20_000_000, rate: 0)
    service.rate = 0.5 * service.capacity
    var limit = Self.gradient(initial: initial)
    let run = service.run(&limit, seconds: 40, measureFrom: 20, seed: 3)
    #expect(run.goodput > 0.985 * service.rate, "\(run), offered \(service.rate)")
    #expect(run.p99 < 1.2, "\(run)")
  }

  @Test("gradient: a service that becomes slower, faster, smaller or larger is given what it can do then")
  func changes() {
    var service = Service(servers: 40, serviceNanoseconds: 20_000_000, rate: 0)
    service.rate = 1.5 * service.capacity
    var limit = Self.gradient()
    _ = service.run(&limit, seconds: 10, measureFrom: 5, seed: 1)
    for (servers, nanoseconds) in [(40, 60_000_000), (40, 15_000_000), (6, 15_000_000), (30, 15_000_000)] {
      (service.servers, service.serviceNanoseconds) = (servers, UInt64(nanoseconds))
      service.rate = 1.5 * service.capacity
      let run = service.run(&limit, seconds: 16, measureFrom: 11, seed: 2)
      #expect(run.goodput > 0.9 * service.capacity, "\(servers), \(nanoseconds): \(run), capacity \(service.capacity)")
      #expect(run.p50 < 2, "\(servers), \(nanoseconds): \(run)")
    }
  }

  @Test("aimd: late answers take a share, punctual ones add one")
  func aimd() {
    var random = SeededRandom(seed: 1)
    var limit = ConcurrencyLimit(
      .aimd(decrease: 0.5, latencyNanoseconds: 10_000_000), initial: 20, least: 4, most: 22)
    var time: UInt64 = 0
    func window(_ latency: UInt64, busy: Int, isTimeout: Bool = false) {
      for _ in 0..<busy { limit.begin() }
      for _ in 0..<busy { limit.end() }
      for index in 0..<12 {
        time += 10_000_000
        let now = start.advanced(byNanoseconds: time)
        if isTimeout && index == 0 {
          limit.timedOut(after: latency, at: now, using: &random)
        } else {
          limit.answered(after: latency, at: now, using: &random)
        }
      }
    }
    window(1_000_000, busy: 20)
    let first = limit.limit
    #expect((20...21).contains(first))
    for _ in 0..<5 { window(1_000_000, busy: 20) }
    #expect(limit.limit == 22)
    window(20_000_000, busy: 20)
    #expect(limit.limit <= 11 + 1)
    for _ in 0..<5 { window(20_000_000, busy: 4) }
    #expect(limit.limit == 4)
    // Nobody needs more, so it does not grow.
    for _ in 0..<5 { window(1_000_000, busy: 1) }
    #expect(limit.limit == 4)
    for _ in 0..<10 { window(1_000_000, busy: 22) }
    let before = limit.limit
    for _ in 0..<3 { window(1_000_000, busy: 22, isTimeout: true) }
    #expect(limit.limit < before)
  }

  @Test("places are counted, and the less important may use their share only")
  func places() {
    var limit = ConcurrencyLimit(
      .gradient(tolerance: 1.25, remeasureNanoseconds: 1), initial: 10, least: 1, most: 10)
    for _ in 0..<5 { limit.begin() }
    #expect(!limit.mayBegin(share: 0.5) && limit.mayBegin(share: 0.6) && limit.mayBegin())
    for _ in 0..<5 { limit.begin() }
    #expect(!limit.mayBegin())
    for _ in 0..<10 { limit.end() }
    #expect(limit.inFlight == 0 && limit.mayBegin(share: 0.01))
  }

  @Test("stays within its bounds, whatever is answered when", arguments: 0..<20 as Range<UInt64>)
  func bounds(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let laws: [ConcurrencyLimit.Law] = [
      .gradient(tolerance: 1 + random.unit(), remeasureNanoseconds: UInt64(random.below(2_000_000_000))),
      .aimd(decrease: 0.1 + 0.8 * random.unit(), latencyNanoseconds: UInt64(random.below(50_000_000))),
    ]
    let least = 1 + random.below(10)
    let most = least + random.below(100)
    var limit = ConcurrencyLimit(laws[random.below(2)], initial: random.below(200), least: least, most: most)
    var out = 0
    var time: UInt64 = 0
    for step in 0..<20_000 {
      time += UInt64(random.below(random.below(100) == 0 ? 3_000_000_000 : 5_000_000))
      let now = start.advanced(byNanoseconds: time)
      if random.below(2) == 0, limit.mayBegin() {
        limit.begin()
        out += 1
      } else if out > 0 {
        limit.end()
        out -= 1
        let latency = random.below(10) == 0 ? UInt64.max >> UInt64(random.below(40)) : UInt64(random.below(60_000_000))
        if random.below(8) == 0 {
          limit.timedOut(after: min(latency, 1 << 50), at: now, using: &random)
        } else {
          limit.answered(after: min(latency, 1 << 50), at: now, using: &random)
        }
      }
      #expect((least...most).contains(limit.limit) && limit.inFlight == out, "seed \(seed), step \(step)")
    }
  }
}

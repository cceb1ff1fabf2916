import MeshBase
import Testing

@testable import Net

@Suite struct TimerWheelTests {
  private final class Owner: TimerOwner {
    let id: Int
    init(_ id: Int) { self.id = id }
  }

  /// What the wheel should be: a list that is looked through.
  private struct Model {
    var currentTick: UInt64
    var timers: [(id: Int, tick: UInt64, handle: TimerID)] = []
  }

  @Test("fires what a sorted list would, in its order, whatever is scheduled, cancelled and skipped")
  func law() {
    for seed in 1...100 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      var now = MonotonicInstant(nanoseconds: random.next() >> 20)
      var wheel = TimerWheel(now: now)
      var model = Model(currentTick: now.nanoseconds / 1_000_000)
      var nextID = 0
      var fired: [TimerID] = []
      for step in 0..<200 {
        switch random.below(10) {
        case 0..<5:
          // From nothing to far beyond the wheel's horizon, in the past as well.
          let delay = random.next() >> UInt64(8 + random.below(56))
          let deadline =
            random.below(10) == 0
            ? MonotonicInstant(nanoseconds: now.nanoseconds / 2) : now.advanced(byNanoseconds: delay)
          let handle = wheel.schedule(Owner(nextID), tag: UInt8(nextID & 255), at: deadline)
          let tick = deadline.nanoseconds.addingReportingOverflow(999_999)
          let wanted = (tick.overflow ? .max : tick.partialValue) / 1_000_000
          model.timers.append((nextID, max(wanted, model.currentTick + 1), handle))
          nextID += 1
        case 5:
          if let place = model.timers.indices.randomElement(using: &random) {
            wheel.cancel(model.timers.remove(at: place).handle)
          }
          // A timer that has fired or was cancelled is nobody else's timer.
          if let stale = fired.randomElement(using: &random) { wheel.cancel(stale) }
        default:
          let wait = wheel.millisecondsUntilNext(now: now, limit: 60_000)
          let target = now.nanoseconds / 1_000_000
          if let next = model.timers.map(\.tick).min() {
            #expect(
              UInt64(wait) <= max(next, target) - target, "sleeps through a timer: seed \(seed), step \(step)")
            #expect(wait > 0 || next <= target || model.currentTick < target, "spins: seed \(seed), step \(step)")
          } else {
            #expect(wait == 60_000)
          }
          now = now.advanced(
            byNanoseconds: random.below(2) == 0
              ? UInt64(wait) * 1_000_000 : random.next() >> UInt64(21 + random.below(34)))
          let reached = now.nanoseconds / 1_000_000
          let due = model.timers.filter { $0.tick <= reached }
          let got = wheel.takeDue(now: now)
          #expect(
            Set(got.map { ($0.owner as! Owner).id }) == Set(due.map(\.id)) && got.count == due.count,
            "seed \(seed), step \(step)")
          let ticks = got.map { timer in due.first { $0.id == (timer.owner as! Owner).id }?.tick ?? 0 }
          #expect(ticks == ticks.sorted(), "out of order: seed \(seed), step \(step)")
          #expect(got.allSatisfy { UInt8(($0.owner as! Owner).id & 255) == $0.tag })
          model.timers.removeAll { $0.tick <= reached }
          model.currentTick = max(model.currentTick, reached)
          fired += due.map(\.handle)
        }
        #expect(wheel.count == model.timers.count, "seed \(seed), step \(step)")
      }
    }
  }

  @Test("lets go of an owner that fired or was cancelled")
  func releases() {
    var now = MonotonicInstant(nanoseconds: 5_000_000)
    var wheel = TimerWheel(now: now)
    weak var one: Owner?
    weak var two: Owner?
    var handle = TimerID.none
    do {
      let (a, b) = (Owner(1), Owner(2))
      (one, two) = (a, b)
      handle = wheel.schedule(a, tag: 0, at: now.advanced(byMilliseconds: 1))
      _ = wheel.schedule(b, tag: 0, at: now.advanced(byMilliseconds: 1))
    }
    #expect(one != nil && two != nil)
    wheel.cancel(handle)
    #expect(one == nil)
    now = now.advanced(byMilliseconds: 2)
    #expect(wheel.takeDue(now: now).count == 1)
    #expect(two == nil)
  }
}

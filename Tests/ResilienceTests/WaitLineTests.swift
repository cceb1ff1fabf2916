import MeshBase
import Testing

@testable import Resilience

private func at(_ milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 5_000_000_000).advanced(byMilliseconds: milliseconds)
}

private func line(size: Int, wait: UInt64 = 100, classes: Int = 1) -> WaitLine<Int> {
  WaitLine(sizeMax: size, waitNanoseconds: wait * 1_000_000, classes: classes)
}

@Suite("Waiting line") struct WaitLineTests {
  @Test("the first to come goes first, and who finds it full is refused")
  func order() {
    var line = line(size: 3)
    for waiter in 0..<3 {
      let result = line.arrive(waiter, class: 0, at: at(0)) == .waits(nanoseconds: 100_000_000)
      #expect(result)
    }
    #expect(line.arrive(3, class: 0, at: at(0)) == .refused)
    #expect(line.next(at: at(50)) == 0)
    #expect(line.next(at: at(50)) == 1)
    #expect(line.count == 1)
    let removed = (line.remove(2, class: 0), line.remove(2, class: 0))
    #expect(removed == (true, false))
    #expect(line.next(at: at(50)) == nil)
    #expect(line.isEmpty)
  }

  @Test("when it has not been empty for long, the last to come goes first, and waits a twentieth")
  func standing() {
    var line = line(size: 100)
    for waiter in 0..<4 { _ = line.arrive(waiter, class: 0, at: at(0)) }
    #expect(line.next(at: at(90)) == 0)
    #expect(line.arrive(4, class: 0, at: at(120)) == .waits(nanoseconds: 5_000_000))
    #expect(line.next(at: at(121)) == 4)
    #expect(line.next(at: at(121)) == 3)
    for waiter in 1...2 {
      let result = line.remove(waiter, class: 0)
      #expect(result)
    }
    // It was empty: a burst may wait again.
    #expect(line.arrive(5, class: 0, at: at(130)) == .waits(nanoseconds: 100_000_000))
  }

  @Test("the important go first, and take the place of others in a full line")
  func importance() {
    var line = line(size: 3, classes: 3)
    for (waiter, place) in [(0, 2), (1, 1), (2, 2)] { _ = line.arrive(waiter, class: place, at: at(0)) }
    #expect(line.arrive(3, class: 2, at: at(0)) == .refused)
    #expect(line.arrive(4, class: 0, at: at(0)) == .waitsInsteadOf(2, nanoseconds: 100_000_000))
    #expect(line.arrive(5, class: 1, at: at(0)) == .waitsInsteadOf(0, nanoseconds: 100_000_000))
    #expect(line.arrive(6, class: 1, at: at(0)) == .refused)
    #expect(line.isBefore(class: 0) && line.isBefore(class: 2))
    #expect(line.next(at: at(1)) { $0 > 0 } == 1)
    #expect(line.next(at: at(1)) == 4)
    #expect(!line.isBefore(class: 0) && line.isBefore(class: 1))
    #expect(line.next(at: at(1)) == 5)
  }

  @Test("nobody is lost and nobody goes twice, whatever comes and goes", arguments: 0..<50 as Range<UInt64>)
  func laws(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let classes = 1 + random.below(4)
    let size = random.below(40)
    var line = line(size: size, wait: UInt64(1 + random.below(50)), classes: classes)
    var waiting: [Int: Int] = [:]
    var time: UInt64 = 0
    for waiter in 0..<3_000 {
      time += UInt64(random.below(4))
      switch random.below(5) {
      case 0...1:
        let place = random.below(classes)
        let isFull = waiting.count >= size
        switch line.arrive(waiter, class: place, at: at(time)) {
        case .waits:
          #expect(!isFull, "seed \(seed)")
          waiting[waiter] = place
        case .waitsInsteadOf(let other, _):
          let was = waiting.removeValue(forKey: other)
          #expect(
            isFull && was != nil && was! > place && was == waiting.values.max().map { max($0, was!) }, "seed \(seed)")
          waiting[waiter] = place
        case .refused:
          #expect(isFull && (waiting.values.max() ?? 0) <= place, "seed \(seed)")
        }
      case 2...3:
        let least = random.below(classes)
        let next = line.next(at: at(time), mayGo: { $0 >= least })
        let wanted = waiting.values.filter { $0 >= least }.min()
        #expect(next.flatMap { waiting[$0] } == wanted, "seed \(seed)")
        if let next { waiting[next] = nil }
      default:
        guard let (one, place) = waiting.randomElement(using: &random) else { continue }
        let isRemoved = line.remove(one, class: place)
        #expect(isRemoved, "seed \(seed)")
        waiting[one] = nil
      }
      #expect(line.count == waiting.count, "seed \(seed)")
    }
    while let next = line.next(at: at(time)) {
      let place = waiting.removeValue(forKey: next)
      #expect(place != nil, "seed \(seed)")
    }
    #expect(waiting.isEmpty, "seed \(seed)")
  }
}

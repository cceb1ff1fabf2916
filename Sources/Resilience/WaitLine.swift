import MeshBase

/// Who waits for a place: bounded in number and in time, the important first.
///
/// As long as the line is empty now and then, it absorbs bursts: the first to come is the first to go, and each waits up
/// to `waitNanoseconds`. Once it has not been empty for that long, there is more to do than can be done: newcomers wait a
/// twentieth of it at most, and the last to come is the first to go, since whoever has waited long is about to give up.
/// Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015: controlled delay (5 ms in place of 100 ms) and adaptive LIFO.
///
/// Whoever uses it watches the time: a waiter whose time is over is taken out with `remove`.
/// Invariant: `count` is the number of waiters and never more than `sizeMax`.
public struct WaitLine<Waiter: Equatable & Sendable>: Sendable {
  public enum Arrival: Equatable, Sendable {
    case waits(nanoseconds: UInt64)
    /// The line was full, and this less important one had to go.
    case waitsInsteadOf(Waiter, nanoseconds: UInt64)
    case refused
  }

  /// Of one class: the first to come first. Empty places are those of waiters that gave up.
  private struct Lane: Sendable {
    var waiters: [Waiter?] = []
    var start = 0
    var count = 0
  }

  public private(set) var sizeMax: Int
  public private(set) var waitNanoseconds: UInt64
  /// By class, the most important first.
  private var lanes: [Lane]
  public private(set) var count = 0
  /// Since when there always was somebody.
  private var standsSince: MonotonicInstant?

  private static var hurry: UInt64 { 20 }

  /// - Parameter classes: of importance, at least 1; 0 is the most important.
  public init(sizeMax: Int, waitNanoseconds: UInt64, classes: Int = 1) {
    self.sizeMax = max(sizeMax, 0)
    self.waitNanoseconds = waitNanoseconds
    lanes = Array(repeating: Lane(), count: max(classes, 1))
  }

  /// Other bounds for those who come from now on. Who waits goes on waiting.
  public mutating func configure(sizeMax: Int, waitNanoseconds: UInt64, classes: Int) {
    self.sizeMax = max(sizeMax, 0)
    self.waitNanoseconds = waitNanoseconds
    while lanes.count < classes { lanes.append(Lane()) }
  }

  public var isEmpty: Bool { count == 0 }

  /// Whether one of this class would have to let somebody go first.
  public func isBefore(class place: Int) -> Bool {
    count > 0 && lanes[...min(place, lanes.count - 1)].contains { $0.count > 0 }
  }

  /// Whether there is more to do than can be done.
  public func isStanding(at now: MonotonicInstant) -> Bool {
    standsSince.map { now.nanoseconds(since: $0) > waitNanoseconds } ?? false
  }

  public mutating func arrive(_ waiter: Waiter, class place: Int, at now: MonotonicInstant) -> Arrival {
    var displaced: Waiter?
    if count >= sizeMax {
      guard let lowest = lanes.indices.last(where: { lanes[$0].count > 0 }), lowest > place else { return .refused }
      // It has the longest wait before it: in a standing line that is the first to come.
      displaced = isStanding(at: now) ? takeFirst(of: lowest) : takeLast(of: lowest)
    }
    let wait = isStanding(at: now) ? waitNanoseconds / Self.hurry : waitNanoseconds
    if standsSince == nil { standsSince = now }
    lanes[place].waiters.append(waiter)
    lanes[place].count += 1
    count += 1
    if let displaced { return .waitsInsteadOf(displaced, nanoseconds: wait) }
    return .waits(nanoseconds: wait)
  }

  /// Takes out whoever is to go now.
  /// - Parameter mayGo: whether there is a place for one of that class; asked for the important first.
  public mutating func next(at now: MonotonicInstant, mayGo: (_ class: Int) -> Bool = { _ in true }) -> Waiter? {
    if count == 0 { return nil }
    for place in lanes.indices where lanes[place].count > 0 && mayGo(place) {
      return isStanding(at: now) ? takeLast(of: place) : takeFirst(of: place)
    }
    return nil
  }

  /// True if it waited.
  public mutating func remove(_ waiter: Waiter, class place: Int) -> Bool {
    let lane = lanes[place]
    guard let index = lane.waiters[lane.start...].firstIndex(of: waiter) else { return false }
    lanes[place].waiters[index] = nil
    left(place)
    return true
  }

  private mutating func takeFirst(of place: Int) -> Waiter? {
    while lanes[place].start < lanes[place].waiters.count {
      let index = lanes[place].start
      lanes[place].start += 1
      guard let waiter = lanes[place].waiters[index] else { continue }
      lanes[place].waiters[index] = nil
      left(place)
      return waiter
    }
    return nil
  }

  private mutating func takeLast(of place: Int) -> Waiter? {
    while lanes[place].waiters.count > lanes[place].start {
      guard let waiter = lanes[place].waiters.removeLast() else { continue }
      left(place)
      return waiter
    }
    return nil
  }

  private mutating func left(_ place: Int) {
    lanes[place].count -= 1
    count -= 1
    if count == 0 { standsSince = nil }
    let lane = lanes[place]
    if lane.count == 0 {
      lanes[place].waiters.removeAll(keepingCapacity: true)
      lanes[place].start = 0
    } else if lane.waiters.count > 2 * lane.count + 64 {
      lanes[place].waiters.removeAll { $0 == nil }
      lanes[place].start = 0
    }
  }
}

import MeshBase

/// Something that wants to be told when its time has come. Confined to one loop.
open class TimerOwner {
  public init() {}

  /// Called in the loop's turn in which the deadline has passed; `tag` is what the timer was scheduled with.
  open func timerFired(_ tag: UInt8, now: MonotonicInstant) {}
}

/// Names one scheduled timer; stays harmless after the timer has fired or was cancelled.
public struct TimerID: Equatable, Sendable {
  fileprivate var index: Int32
  fileprivate var generation: UInt32

  public static let none = TimerID(index: -1, generation: 0)
}

/// Hierarchical timer wheel (Varghese, Lauck 1987): five levels of 64 slots, one tick a millisecond.
///
/// Scheduling and cancelling are O(1); a timer never fires early and at most one tick late, besides the loop's own
/// delay. Holds a strong reference to the owner until the timer fires or is cancelled.
public struct TimerWheel {
  private struct Node {
    var next: Int32
    var previous: Int32
    var deadlineTick: UInt64
    var owner: TimerOwner?
    var generation: UInt32
    var slot: Int16
    var tag: UInt8
  }

  private static let levels = 5
  private static let slotBits: UInt64 = 6
  private static let nanosecondsPerTick: UInt64 = 1_000_000

  private var nodes: [Node] = []
  private var freeHead: Int32 = -1
  private var heads = [Int32](repeating: -1, count: levels << Int(slotBits))
  /// One bit a slot, so that empty ticks are skipped.
  private var occupied = [UInt64](repeating: 0, count: levels)
  private var currentTick: UInt64
  public private(set) var count = 0

  public init(now: MonotonicInstant) { currentTick = now.nanoseconds / Self.nanosecondsPerTick }

  public mutating func schedule(_ owner: TimerOwner, tag: UInt8, at deadline: MonotonicInstant) -> TimerID {
    let (rounded, overflow) = deadline.nanoseconds.addingReportingOverflow(Self.nanosecondsPerTick - 1)
    let tick = max((overflow ? .max : rounded) / Self.nanosecondsPerTick, currentTick + 1)
    let index: Int32
    if freeHead >= 0 {
      index = freeHead
      freeHead = nodes[Int(index)].next
    } else {
      index = Int32(nodes.count)
      nodes.append(Node(next: -1, previous: -1, deadlineTick: 0, owner: nil, generation: 0, slot: -1, tag: 0))
    }
    nodes[Int(index)].owner = owner
    nodes[Int(index)].tag = tag
    nodes[Int(index)].deadlineTick = tick
    count += 1
    link(index)
    return TimerID(index: index, generation: nodes[Int(index)].generation)
  }

  /// Forgets the timer; does nothing if it has fired already.
  public mutating func cancel(_ id: TimerID) {
    guard id.index >= 0, nodes[Int(id.index)].generation == id.generation, nodes[Int(id.index)].owner != nil else {
      return
    }
    unlink(id.index)
    _ = free(id.index)
  }

  /// Milliseconds until the wheel has something to do, at most `limit`; 0 if it is due now.
  public func millisecondsUntilNext(now: MonotonicInstant, limit: Int32) -> Int32 {
    guard count > 0 else { return limit }
    // An upper level only has to be looked at when its slot cascades, so its slot's start bounds the sleep.
    var best = UInt64.max
    for level in 0..<Self.levels where occupied[level] != 0 {
      let shift = UInt64(level) * Self.slotBits
      let position = (currentTick >> shift) & 63
      let ahead =
        (occupied[level] &>> ((position + 1) & 63)) | (occupied[level] &<< ((64 - ((position + 1) & 63)) & 63))
      let distance = UInt64(ahead.trailingZeroBitCount) + 1
      let slotStart = ((currentTick >> shift) + distance) << shift
      best = min(best, slotStart)
    }
    let nowTick = now.nanoseconds / Self.nanosecondsPerTick
    guard best > nowTick else { return 0 }
    return Int32(min(best - nowTick, UInt64(limit)))
  }

  /// Fires all timers that are due. Owners may schedule and cancel from within.
  public mutating func takeDue(now: MonotonicInstant) -> [(owner: TimerOwner, tag: UInt8)] {
    let target = now.nanoseconds / Self.nanosecondsPerTick
    guard target > currentTick else { return [] }
    if count == 0 {
      currentTick = target
      return []
    }
    var due: [(owner: TimerOwner, tag: UInt8)] = []
    while currentTick < target {
      currentTick += 1
      if currentTick & 63 == 0 { cascade() }
      let slot = Int(currentTick & 63)
      while heads[slot] >= 0 {
        let index = heads[slot]
        unlink(index)
        let tag = nodes[Int(index)].tag
        if let owner = free(index) { due.append((owner, tag)) }
      }
      if count == 0 {
        currentTick = target
        break
      }
      // Jump over empty ticks of level 0 up to the next cascade.
      if occupied[0] == 0 { currentTick = min(target, currentTick | 63) }
    }
    return due
  }

  private mutating func cascade() {
    for level in 1..<Self.levels {
      let shift = UInt64(level) * Self.slotBits
      let slot = level << 6 | Int((currentTick >> shift) & 63)
      var index = heads[slot]
      heads[slot] = -1
      occupied[level] &= ~(1 << UInt64(slot & 63))
      while index >= 0 {
        let next = nodes[Int(index)].next
        link(index)
        index = next
      }
      if (currentTick >> shift) & 63 != 0 { break }
    }
  }

  private mutating func link(_ index: Int32) {
    let deadline = nodes[Int(index)].deadlineTick
    let distance = deadline > currentTick ? deadline - currentTick : 0
    var level = 0
    while level < Self.levels - 1 && distance >> (UInt64(level + 1) * Self.slotBits) != 0 { level += 1 }
    let shift = UInt64(level) * Self.slotBits
    // Beyond the last level's horizon (12 days) it comes round again and is linked anew.
    let horizon = UInt64(63) << shift
    let effective = level == Self.levels - 1 ? min(deadline, currentTick + horizon) : deadline
    let slot = level << 6 | Int((effective >> shift) & 63)
    let head = heads[slot]
    nodes[Int(index)].slot = Int16(slot)
    nodes[Int(index)].previous = -1
    nodes[Int(index)].next = head
    if head >= 0 { nodes[Int(head)].previous = index }
    heads[slot] = index
    occupied[level] |= 1 << UInt64(slot & 63)
  }

  private mutating func unlink(_ index: Int32) {
    let node = nodes[Int(index)]
    if node.previous >= 0 {
      nodes[Int(node.previous)].next = node.next
    } else {
      heads[Int(node.slot)] = node.next
      if node.next < 0 { occupied[Int(node.slot) >> 6] &= ~(1 << UInt64(node.slot & 63)) }
    }
    if node.next >= 0 { nodes[Int(node.next)].previous = node.previous }
  }

  private mutating func free(_ index: Int32) -> TimerOwner? {
    let owner = nodes[Int(index)].owner
    nodes[Int(index)].owner = nil
    nodes[Int(index)].generation &+= 1
    nodes[Int(index)].next = freeHead
    freeHead = index
    count -= 1
    return owner
  }
}

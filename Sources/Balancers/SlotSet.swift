/// The slots a request has tried already, inline and without allocation.
///
/// Holds the latest `capacity` slots; inserting one more forgets the oldest.
@frozen
public struct SlotSet: Equatable, Sendable {
  public static let capacity = 8

  /// Slot + 1 of each member, oldest first; 0 is an empty lane, and empty lanes come last.
  @usableFromInline var lanes: SIMD8<UInt16>

  @inlinable public init() { lanes = .zero }

  @inlinable public var isEmpty: Bool { lanes[0] == 0 }

  @inlinable public var count: Int {
    for lane in 0..<Self.capacity where lanes[lane] == 0 { return lane }
    return Self.capacity
  }

  @inlinable public func contains(_ slot: Int) -> Bool {
    let key = SIMD8<UInt16>(repeating: UInt16(truncatingIfNeeded: slot &+ 1))
    return any(lanes .== key)
  }

  public mutating func insert(_ slot: Int) {
    precondition(slot >= 0 && slot < Balancer.slotsMax, "no such slot")
    if contains(slot) { return }
    var free = count
    if free == Self.capacity {
      for lane in 1..<Self.capacity { lanes[lane - 1] = lanes[lane] }
      free = Self.capacity - 1
    }
    lanes[free] = UInt16(slot + 1)
  }
}

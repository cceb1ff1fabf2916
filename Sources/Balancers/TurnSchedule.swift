/// Weighted round robin: a binary heap by the virtual time at which each slot's turn is due.
///
/// Every turn advances the slot by the inverse of its weight, so turns are exactly proportional to weights and evenly
/// spread; O(log n) per turn, no allocation.
struct TurnSchedule: ~Copyable {
  private var heap = Table<Int32>()

  var count: Int { heap.count }

  mutating func removeAll() { heap.removeAll() }

  mutating func append(_ slot: Int32) { heap.append(slot) }

  mutating func makeHeap(_ slots: borrowing Table<Slot>) {
    var root = heap.count / 2
    while root > 0 {
      root -= 1
      siftDown(from: root, slots)
    }
  }

  /// The slot whose turn it is; its next turn is set.
  mutating func next(_ slots: inout Table<Slot>) -> Int {
    let slot = Int(heap[0])
    slots[slot].pass += slots[slot].inverseWeight
    siftDown(from: 0, slots)
    return slot
  }

  /// Virtual time: when the next turn is due.
  func time(_ slots: borrowing Table<Slot>) -> Double { heap.count == 0 ? 0 : slots[Int(heap[0])].pass }

  private mutating func siftDown(from root: Int, _ slots: borrowing Table<Slot>) {
    var hole = root
    let moving = heap[root]
    let pass = slots[Int(moving)].pass
    while true {
      var child = 2 * hole + 1
      if child >= heap.count { break }
      if child + 1 < heap.count && slots[Int(heap[child + 1])].pass < slots[Int(heap[child])].pass { child += 1 }
      if slots[Int(heap[child])].pass >= pass { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = moving
  }
}

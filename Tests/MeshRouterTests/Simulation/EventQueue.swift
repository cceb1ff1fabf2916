import MeshBase

/// Events in the order of their time; those of one time come in the order in which they were scheduled.
struct EventQueue<Event> {
  private struct Entry {
    var time: MonotonicInstant
    var order: Int
    var event: Event

    func isBefore(_ other: Entry) -> Bool { time == other.time ? order < other.order : time < other.time }
  }

  /// A binary heap: no entry is before its parent, which is at (index − 1) / 2.
  private var heap: [Entry] = []
  private var scheduled = 0

  mutating func schedule(_ event: Event, at time: MonotonicInstant) {
    heap.append(Entry(time: time, order: scheduled, event: event))
    scheduled += 1
    var index = heap.count - 1
    while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func next() -> (time: MonotonicInstant, event: Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return (first.time, first.event) }
    heap[0] = last
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == index { return (first.time, first.event) }
      heap.swapAt(index, least)
      index = least
    }
  }
}

import MeshBase
import Net

/// Values that live as long as someone else uses them, found by key.
struct WeakTable<Key: Hashable, Value: AnyObject> {
  private struct Slot {
    weak var value: Value?
  }

  private var slots: [Key: Slot] = [:]
  private var sweepAt = 64

  subscript(key: Key) -> Value? {
    get { slots[key]?.value }
    set {
      slots[key] = newValue.map { Slot(value: $0) }
      // Each dead slot is met once per doubling, so the table stays within twice the live ones.
      if slots.count >= sweepAt {
        slots = slots.filter { $0.value.value != nil }
        sweepAt = max(64, slots.count * 2)
      }
    }
  }

  /// The living one, or the one that is made now. `make` must not ask this table.
  mutating func value(_ key: Key, make: () -> Value) -> Value {
    if let known = self[key] { return known }
    let made = make()
    self[key] = made
    return made
  }

  /// Forgets them; whoever uses one goes on with it.
  mutating func removeAll(where isGone: (Key) -> Bool) { slots = slots.filter { !isGone($0.key) } }

  var isEmpty: Bool { !slots.values.contains { $0.value != nil } }

  var values: [Value] { slots.values.compactMap(\.value) }

  /// Without an array in between.
  func forEach(_ body: (Value) -> Void) {
    for slot in slots.values {
      if let value = slot.value { body(value) }
    }
  }

  var entries: [(key: Key, value: Value)] { slots.compactMap { key, slot in slot.value.map { (key, $0) } } }
}

extension WeakTable where Value == EndpointSource {
  /// Since when the one that has failed for longest has been failing.
  @ControlActor
  var failingSince: MonotonicInstant? {
    var oldest: MonotonicInstant?
    forEach { source in
      guard let since = source.failure?.since else { return }
      oldest = oldest.map { min($0, since) } ?? since
    }
    return oldest
  }
}

import MeshBase

/// A worker's names of one router: open addressing with linear probing over the key's hash.
///
/// Bounded: beyond `capacity` the entry unused for longest gives way; entries in use never do, so the table may exceed
/// its capacity while more names than that are busy at once.
struct BindCache {
  let capacity: Int
  private var slots: [BindEntry?]
  private(set) var count = 0

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    slots = Array(repeating: nil, count: 64)
  }

  @inline(__always)
  func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> BindEntry? {
    var index = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while let entry = slots[index] {
      if entry.hash == hash, entry.key.withUnsafeBytes({ $0.count == key.count && equalBytes($0, key) }) {
        return entry
      }
      index = (index + 1) & (slots.count - 1)
    }
    return nil
  }

  mutating func insert(_ entry: BindEntry) {
    if (count + 1) * 4 > slots.count * 3 { grow() }
    place(entry)
    count += 1
  }

  mutating func remove(_ entry: BindEntry) {
    var index = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
    while let found = slots[index], found !== entry { index = (index + 1) & (slots.count - 1) }
    guard slots[index] != nil else { return }
    slots[index] = nil
    count -= 1
    // Later members of the same run move up, so that look-ups need no tombstones.
    var next = (index + 1) & (slots.count - 1)
    while let moved = slots[next] {
      slots[next] = nil
      place(moved)
      next = (next + 1) & (slots.count - 1)
    }
  }

  /// The entry unused for longest, names that cannot be routed before others; `nil` if all are in use.
  func leastUseful() -> BindEntry? {
    var best: BindEntry?
    for entry in slots {
      guard let entry, entry.inFlight == 0, entry.waiters.isEmpty else { continue }
      guard let current = best else {
        best = entry
        continue
      }
      switch (entry.failure != nil, current.failure != nil) {
      case (true, false): best = entry
      case (false, true): break
      default: if entry.lastUsed < current.lastUsed { best = entry }
      }
    }
    return best
  }

  func idle(since limit: MonotonicInstant) -> [BindEntry] {
    slots.compactMap { $0 }.filter { $0.inFlight == 0 && $0.waiters.isEmpty && $0.lastUsed < limit }
  }

  /// Entries that no request uses at the moment.
  var idleCount: Int { slots.count { $0.map { $0.inFlight == 0 && $0.waiters.isEmpty } ?? false } }

  private mutating func place(_ entry: BindEntry) {
    var index = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
    while slots[index] != nil { index = (index + 1) & (slots.count - 1) }
    slots[index] = entry
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: nil, count: old.count * 2)
    for case let entry? in old { place(entry) }
  }
}

@inline(__always)
private func equalBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  var offset = 0
  while offset + 8 <= a.count {
    if a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      != b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    {
      return false
    }
    offset += 8
  }
  while offset < a.count {
    if a[offset] != b[offset] { return false }
    offset += 1
  }
  return true
}

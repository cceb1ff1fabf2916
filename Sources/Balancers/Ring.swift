import MeshBase

/// A consistent-hash ring: each endpoint owns points in number proportional to its weight, and a key belongs to the
/// first point at or after its hash.
///
/// The points of an endpoint depend on its address alone, so adding or removing one moves only the keys that it gains
/// or loses, about its share of all.
struct Ring: ~Copyable {
  /// Bound on all points together, 16 bytes each; beyond it every endpoint's number is halved until they fit.
  static let pointsMax = 65_536

  struct Point: BitwiseCopyable {
    var hash: UInt64
    var slot: Int32
    /// Which of the slot's points this is; the last ones go first when its weight falls.
    var replica: Int32
  }

  private(set) var points = Table<Point>()
  /// Points of each slot now.
  private var counts: [Int] = []

  /// Points for a member of relative weight 1 in a set of `members`.
  static func pointsPerMember(wanted: Int, members: Int) -> Int {
    var each = max(wanted, 1)
    while each > 1 && each * members > pointsMax { each /= 2 }
    return each
  }

  /// Makes slot i own `wanted[i]` points. What stays is kept in order and new points are merged in.
  mutating func update(wanted: [Int], addressHash: (Int) -> UInt64) {
    while counts.count < wanted.count { counts.append(0) }
    var added: [Point] = []
    for slot in 0..<wanted.count where wanted[slot] > counts[slot] {
      let hash = addressHash(slot)
      for replica in counts[slot]..<wanted[slot] {
        added.append(
          Point(hash: StableHash.point(hash, replica: replica), slot: Int32(slot), replica: Int32(replica)))
      }
    }
    added.sort { $0.hash < $1.hash }
    var merged = Table<Point>(capacity: points.count + added.count)
    var next = 0
    for index in 0..<points.count {
      let kept = points[index]
      if Int(kept.replica) >= wanted[Int(kept.slot)] { continue }
      while next < added.count && added[next].hash < kept.hash {
        merged.append(added[next])
        next += 1
      }
      merged.append(kept)
    }
    while next < added.count {
      merged.append(added[next])
      next += 1
    }
    points = merged
    counts = wanted
  }

  /// Index of the point that owns `hash`; the ring must not be empty.
  func owner(of hash: UInt64) -> Int {
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low + high) >> 1
      if points[middle].hash < hash { low = middle + 1 } else { high = middle }
    }
    return low == points.count ? 0 : low
  }
}

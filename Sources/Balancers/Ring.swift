import MeshBase

/// A consistent-hash ring: each endpoint owns points in number proportional to its weight, and a key belongs to the
/// first point at or after its hash.
///
/// The points of an endpoint depend on its address alone, so adding or removing one moves only the keys that it gains
/// or loses, about its share of all.
struct Ring: ~Copyable {
  /// About the most points in all, 16 bytes each; beyond it every endpoint has fewer.
  static let pointsMax = 65_536

  struct Point: BitwiseCopyable {
    var hash: UInt64
    var slot: Int32
    /// Which of the slot's points this is; the last ones go first when its weight falls.
    var replica: Int32
  }

  private(set) var points = Table<Point>()
  private var guide = Table<Int32>()
  private var guideShift: UInt64 = 64
  /// Points of each slot now.
  private var counts: [Int] = []

  /// Points per unit of weight: the power of two that gives an endpoint of mean weight nearest to `wanted` points.
  ///
  /// A power of two, so that a new mean weight leaves the others' points alone, unless it crosses the middle between
  /// two of them; a function of the present weights only, so that workers with different pasts agree.
  static func pointsPerWeight(wanted: Int, members: Int, meanWeight: Double) -> Double {
    let fitting = max(1, min(wanted, pointsMax / max(members, 1)))
    let exact = Double(fitting) / meanWeight
    let floor = Double(sign: .plus, exponent: exact.exponent, significand: 1)
    return exact.significand > 1.414_213_562_373_095_1 ? floor * 2 : floor
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
    var merged = Table<Point>()
    merged.reserve(points.count + added.count)
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
    makeGuide()
  }

  /// For each value of a hash's leading bits, the first point at or after it; one part per point or two.
  private mutating func makeGuide() {
    var bits = 0
    while 1 << bits < points.count { bits += 1 }
    guideShift = UInt64(64 - bits)
    guide.removeAll()
    var index = 0
    for part in 0...(1 << bits) {
      while index < points.count && Int(points[index].hash >> guideShift) < part { index += 1 }
      guide.append(Int32(index))
    }
  }

  /// Index of the point that owns `hash`; the ring must not be empty.
  @inline(__always)
  func owner(of hash: UInt64) -> Int {
    // A shift by 64 gives 0, as it should with one point.
    let part = Int(hash >> guideShift)
    var low = Int(guide[part])
    let end = Int(guide[part + 1])
    while low < end && points[low].hash < hash { low += 1 }
    return low == points.count ? 0 : low
  }
}

import MeshBase

/// Draws an index with probability proportional to its weight: prefix sums and a guide that tells where in them to
/// look, rebuilt at an update; expected O(1) per draw, no allocation. Prefixes serve the aperture, which draws among
/// the first k only.
struct WeightedIndex: ~Copyable {
  private var sums = Table<Double>()
  /// For each of `count` equal parts of the total: the first index whose sum reaches into it; then `count - 1`.
  private var guide = Table<Int32>()
  private var partsPerWeight = 0.0

  mutating func removeAll() {
    sums.removeAll()
    guide.removeAll()
  }

  mutating func append(weight: Double) { sums.append((sums.count == 0 ? 0 : sums[sums.count - 1]) + weight) }

  /// Call after the last `append`.
  mutating func makeGuide() {
    let count = sums.count
    guide.removeAll()
    if count == 0 { return }
    partsPerWeight = Double(count) / sums[count - 1]
    var index = 0
    for part in 0...count {
      while index < count - 1 && self.part(sums[index]) < part { index += 1 }
      guide.append(Int32(index))
    }
  }

  /// Monotone, so that no rounding can put a point and a sum on the wrong sides of each other.
  @inline(__always)
  private func part(_ point: Double) -> Int { min(Int(point * partsPerWeight), sums.count - 1) }

  /// Index below `prefix`; each weight must be above 0.
  @inline(__always)
  func draw(prefix: Int, using random: inout SeededRandom) -> Int {
    let point = random.unit() * sums[prefix - 1]
    let part = part(point)
    // First index whose sum is above the point.
    var low = Int(guide[part])
    var high = Int(guide[part + 1])
    while low < high {
      let middle = (low + high) >> 1
      if sums[middle] > point { high = middle } else { low = middle + 1 }
    }
    return min(low, prefix - 1)
  }
}

import MeshBase

/// Draws an index with probability proportional to its weight: prefix sums, rebuilt at an update, searched in
/// O(log n) per draw without allocation. Prefixes serve the aperture, which draws among the first k only.
struct WeightedIndex: ~Copyable {
  private var sums = Table<Double>()

  mutating func removeAll() { sums.removeAll() }

  mutating func append(weight: Double) { sums.append((sums.count == 0 ? 0 : sums[sums.count - 1]) + weight) }

  /// Index below `prefix`; each weight must be above 0.
  func draw(prefix: Int, using random: inout SeededRandom) -> Int {
    let point = random.unit() * sums[prefix - 1]
    // First index whose sum is above the point.
    var low = 0
    var high = prefix - 1
    while low < high {
      let middle = (low + high) >> 1
      if sums[middle] > point { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

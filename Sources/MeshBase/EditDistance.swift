/// "Did you mean": the candidates close to `word`, nearest first.
///
/// Optimal string alignment distance (an adjacent swap counts as one edit); candidates farther than
/// a third of the word's length, at least one edit, are left out.
public func nearNames(to word: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
  let target = Array(word.utf8)
  let allowed = max(1, target.count / 3)
  return
    candidates
    .compactMap { candidate -> (String, Int)? in
      let other = Array(candidate.utf8)
      guard abs(other.count - target.count) <= allowed else { return nil }
      let distance = editDistance(target, other)
      return distance <= allowed && distance > 0 ? (candidate, distance) : nil
    }
    .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    .prefix(limit)
    .map(\.0)
}

func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var beforePrevious = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  var current = previous
  for i in 0..<a.count {
    current[0] = i + 1
    for j in 0..<b.count {
      let substitution = previous[j] + (a[i] == b[j] ? 0 : 1)
      current[j + 1] = min(previous[j + 1] + 1, current[j] + 1, substitution)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        current[j + 1] = min(current[j + 1], beforePrevious[j - 1] + 1)
      }
    }
    (beforePrevious, previous, current) = (previous, current, beforePrevious)
  }
  return previous[b.count]
}

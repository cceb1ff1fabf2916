/// Of more candidates `nearNames` looks at the first.
public let nearCandidatesMax = 10_000

/// "Did you mean": the candidates close to `word`, nearest first.
///
/// Optimal string alignment distance (an adjacent swap counts as one edit); candidates farther than
/// a third of the word's length, at least one edit, are left out, and so is the word itself. A candidate costs little
/// more than reading it, so that `nearCandidatesMax` of them may be searched while somebody waits.
public func nearNames(to word: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
  var search = EditDistance(from: word)
  let allowed = max(1, word.utf8.count / 3)
  return
    candidates.prefix(nearCandidatesMax)
    .compactMap { candidate -> (String, Int)? in
      guard let distance = search.distance(to: candidate, atMost: allowed), distance > 0 else { return nil }
      return (candidate, distance)
    }
    .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    .prefix(limit)
    .map(\.0)
}

/// Optimal string alignment distances from one word to others; keeps its working space between them.
struct EditDistance {
  private let word: [UInt8]
  private var beforePrevious: [Int] = []
  private var previous: [Int] = []
  private var current: [Int] = []

  init(from word: String) { self.word = Array(word.utf8) }

  /// `nil` if it is more than `limit`.
  mutating func distance(to other: String, atMost limit: Int) -> Int? {
    var other = other
    return other.withUTF8 { other in
      word.withUnsafeBufferPointer { word in
        guard abs(other.count - word.count) <= limit else { return nil }
        // Equal ends cost nothing; what names have in common is mostly there.
        var start = 0
        var (wordEnd, otherEnd) = (word.count, other.count)
        while start < min(wordEnd, otherEnd), word[start] == other[start] { start += 1 }
        while min(wordEnd, otherEnd) > start, word[wordEnd - 1] == other[otherEnd - 1] {
          wordEnd -= 1
          otherEnd -= 1
        }
        return align(
          UnsafeBufferPointer(rebasing: word[start..<wordEnd]), UnsafeBufferPointer(rebasing: other[start..<otherEnd]),
          atMost: limit)
      }
    }
  }

  private mutating func align(
    _ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>, atMost limit: Int
  ) -> Int? {
    if a.isEmpty || b.isEmpty {
      let distance = max(a.count, b.count)
      return distance <= limit ? distance : nil
    }
    while current.count <= b.count {
      beforePrevious.append(0)
      previous.append(0)
      current.append(0)
    }
    for j in 0...b.count { previous[j] = j }
    for i in 0..<a.count {
      current[0] = i + 1
      var least = i + 1
      for j in 0..<b.count {
        var distance = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, beforePrevious[j - 1] + 1) }
        current[j + 1] = distance
        least = min(least, distance)
      }
      // Later rows are no less than this one; a swap looks back one row, where it costs one more.
      if least > limit + 1 { return nil }
      swap(&beforePrevious, &previous)
      swap(&previous, &current)
    }
    return previous[b.count] <= limit ? previous[b.count] : nil
  }
}

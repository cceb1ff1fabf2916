import CMeshShims

/// Room for one histogram summed over workers, used again and again while a page is written.
final class HistogramScratch {
  var buckets = [UInt64](repeating: 0, count: HistogramScale.bucketCount)
  var sum: UInt64 = 0

  /// The histogram whose words begin at `base`. Returns whether anything was ever recorded; if not, `buckets` is left
  /// as it was.
  func read(_ words: WordColumns, _ base: Int) -> Bool {
    sum = words.sum(base + HistogramWords.sumWord)
    var isEmpty = true
    for place in 0..<HistogramWords.chunkCount {
      for column in 0..<words.count {
        guard let chunk = words.histogram(column, base).published(place) else { continue }
        if isEmpty {
          buckets.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
          isEmpty = false
        }
        let first = place << HistogramWords.chunkShift
        let end = min(first + HistogramWords.chunkBuckets, HistogramScale.bucketCount)
        buckets.withUnsafeMutableBufferPointer { buckets in
          for bucket in first..<end { buckets[bucket] &+= mesh_word_load(chunk + (bucket - first)) }
        }
      }
    }
    return !isEmpty
  }

  func snapshot(_ words: WordColumns, _ base: Int) -> HistogramSnapshot {
    read(words, base) ? HistogramSnapshot(buckets: buckets, sum: sum) : HistogramSnapshot()
  }
}

/// What a histogram recorded during the last complete window.
struct HistogramWindow {
  private var baseline = HistogramSnapshot()
  private(set) var shown = HistogramSnapshot()

  /// `current` is the histogram since its beginning.
  mutating func rotate(_ current: HistogramSnapshot) {
    shown = current - baseline
    baseline = current
  }
}

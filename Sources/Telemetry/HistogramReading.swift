/// Room for one histogram summed over workers, used again and again while a page is written.
final class HistogramScratch {
  var buckets = [UInt64](repeating: 0, count: HistogramScale.bucketCount)
  var sum: UInt64 = 0

  /// The histogram whose words begin at `base`. Returns whether anything was ever recorded; if not, `buckets` is left
  /// as it was.
  func read(_ words: WordColumns, _ base: Int) -> Bool {
    sum = words.sum(base + HistogramScale.sumWord)
    // Only zeros add nothing to the sum, and they are in bucket 0.
    if sum == 0 && words.sum(base) == 0 { return false }
    buckets.withUnsafeMutableBufferPointer { buckets in
      for bucket in buckets.indices { buckets[bucket] = words.load(0, base + bucket) }
      for column in 1..<max(1, words.count) {
        for bucket in buckets.indices { buckets[bucket] &+= words.load(column, base + bucket) }
      }
    }
    return true
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

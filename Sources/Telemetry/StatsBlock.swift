import CMeshShims
import MeshBase

/// One worker's words for one scope: counters, gauges and histograms in one zeroed, cache-line aligned block.
///
/// Invariant: one worker writes (relaxed adds and stores), the control thread may read at any time (relaxed loads).
/// A reading is therefore not one instant's picture across words, but each word is whole and counters never go back.
/// The control thread makes it; the last holder's release frees it, worker or not.
public class StatsBlock: @unchecked Sendable {
  @usableFromInline final let words: UnsafeMutablePointer<UInt64>
  /// Where histograms begin.
  private let histograms: [Int]

  init(wordCount: Int, histograms: [Int]) {
    self.histograms = histograms
    words = allocateZeroedWords(wordCount)
  }

  deinit {
    for base in histograms { HistogramWords(words + base).free() }
    UnsafeMutableRawPointer(words).deallocate()
  }

  @inlinable final func add(_ word: Int, _ amount: UInt64 = 1) { mesh_word_add(words + word, amount) }
  /// Gauges go down by adding −1 modulo 2⁶⁴; the reader takes the sum as signed.
  @inlinable final func subtractOne(_ word: Int) { mesh_word_add(words + word, .max) }
  @inlinable final func store(_ word: Int, _ value: UInt64) { mesh_word_store(words + word, value) }

  final func load(_ word: Int) -> UInt64 { mesh_word_load(words + word) }
}

/// Failures by reason occupy one word per case of `Reason`, in the order of its declaration.
enum ReasonWords {
  static let all = Reason.allCases
  static let count = all.count
}

extension HTTP2Abuse {
  /// Place in `allCases`, by the same rule as `Reason.ordinal`.
  @inlinable var ordinal: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}

extension Reason {
  /// Place in `allCases`. An enum without payloads and with at most 256 cases is represented by this one byte.
  @inlinable var ordinal: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}

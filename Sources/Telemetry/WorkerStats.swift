import MeshBase

/// What one worker counts about itself.
public final class WorkerStats: StatsBlock, @unchecked Sendable {
  @usableFromInline
  enum Word {
    @inlinable static var busyNanoseconds: Int { 0 }
    @inlinable static var turns: Int { 1 }
    @inlinable static var accessLogDropped: Int { 2 }
    @inlinable static var loopDelay: Int { 3 }
    @inlinable static var stages: Int { loopDelay + HistogramWords.wordCount }
  }

  public init() {
    super.init(wordCount: Word.stages + Stage.allCases.count * HistogramWords.wordCount, histograms: Self.histograms)
  }

  /// One turn of the event loop: the time from waking to sleeping again, and how long the first event had to wait
  /// behind the turn before it.
  @inlinable public func turned(busyNanoseconds: UInt64, delayMicroseconds: UInt64) {
    add(Word.turns)
    add(Word.busyNanoseconds, busyNanoseconds)
    HistogramWords(words + Word.loopDelay).record(delayMicroseconds)
  }

  /// Time spent in one stage of one request. Only stages that may wait are timed: a bind that had to be asked for, a
  /// connection that had to be made, the passing on of a response.
  @inlinable public func stage(_ stage: Stage, nanoseconds: UInt64) {
    HistogramWords(words + Word.stages + stage.ordinal * HistogramWords.wordCount).record(nanoseconds)
  }

  @inlinable public func accessLogLineDropped() { add(Word.accessLogDropped) }
}

extension Stage {
  /// Place in `allCases`, by the same rule as `Reason.ordinal`.
  @inlinable var ordinal: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}

import MeshBase

/// What one worker counts for one logical name: all attempts of a request together.
///
/// Each `requestBegan` is followed by exactly one `requestEnded` or `requestFailed`.
public final class ServiceStats: StatsBlock, @unchecked Sendable {
  @usableFromInline
  enum Word {
    @inlinable static var pending: Int { 0 }
    @inlinable static var success: Int { 1 }
    @inlinable static var unexplained: Int { 2 }
    /// Kind × outcome, see `retryWord`.
    @inlinable static var retries: Int { 3 }
    @inlinable static var budgetBalance: Int { 12 }
    @inlinable static var budgetCapacity: Int { 13 }
    /// By kind.
    @inlinable static var faults: Int { 14 }
    /// By event.
    @inlinable static var mirror: Int { 16 }
    @inlinable static var latency: Int { 21 }
    @inlinable static var reasons: Int { latency + HistogramWords.wordCount }

    @inlinable static func retry(_ kind: RetryKind, _ outcome: RetryOutcome) -> Int {
      let k =
        switch kind {
        case .classified: 0
        case .requeue: 1
        case .hedge: 2
        }
      return switch outcome {
      case .sent: retries + 3 * k
      case .budgetExhausted: retries + 3 * k + 1
      case .limitReached: retries + 3 * k + 2
      }
    }
  }

  public init() { super.init(wordCount: Word.reasons + ReasonWords.count, histograms: Self.histograms) }

  @inlinable public func requestBegan() { add(Word.pending) }

  @inlinable public func requestEnded(success: Bool, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(success ? Word.success : Word.unexplained)
    HistogramWords(words + Word.latency).record(microseconds)
  }

  @inlinable public func requestFailed(_ reason: Reason, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(Word.reasons + reason.ordinal)
    HistogramWords(words + Word.latency).record(microseconds)
  }

  /// A request is about to be sent again, or would have been but for its budget or limit.
  @inlinable public func retry(_ kind: RetryKind, _ outcome: RetryOutcome) { add(Word.retry(kind, outcome)) }

  /// Befell a request on purpose.
  public func injected(_ fault: InjectedFault) { add(Word.faults + fault.place) }

  /// Of a copy that is sent to another name, or was to be.
  public func mirror(_ event: MirrorEvent) { add(Word.mirror + event.place) }

  /// This worker's retries in hand, and how many a full budget holds.
  @inlinable public func setRetryBudget(balance: UInt64, capacity: UInt64) {
    store(Word.budgetBalance, balance)
    store(Word.budgetCapacity, capacity)
  }
}

public enum InjectedFault: String, CaseIterable, Sendable {
  case delay, abort

  var place: Int { self == .delay ? 0 : 1 }
}

/// What becomes of a copy of a request.
public enum MirrorEvent: String, CaseIterable, Sendable {
  case sent, success, failure
  /// Too many were on their way.
  case droppedBusy = "dropped_busy"
  /// The body was too long, or has not come whole.
  case droppedBody = "dropped_body"

  var place: Int {
    switch self {
    case .sent: 0
    case .success: 1
    case .failure: 2
    case .droppedBusy: 3
    case .droppedBody: 4
    }
  }
}

/// Why a request is sent again.
public enum RetryKind: String, CaseIterable, Sendable {
  /// The response classifier calls the answer a retryable failure.
  case classified
  /// Nothing was sent, so that sending again is safe whatever the method.
  case requeue
  /// The first attempt takes unusually long.
  case hedge
}

/// What became of the wish to send again.
public enum RetryOutcome: String, CaseIterable, Sendable {
  case sent
  case budgetExhausted = "budget_exhausted"
  case limitReached = "limit_reached"
}

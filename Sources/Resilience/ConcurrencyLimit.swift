import MeshBase

/// How many attempts may be out at once, learned from how long they take. Confined to one worker.
///
/// Looked at once in a window of 0.1 s or more, with ten answers at least. `gradient` compares what answers take now with
/// what they take when nothing waits for the service, and keeps a short queue there, which keeps it busy. Sources:
/// Envoy's adaptive concurrency filter (`gradient_controller.cc`: limit × gradient + √limit, the gradient being
/// (1 + buffer) × least latency ÷ latency, not below 0.5, and a time of lower concurrency to measure the least latency
/// anew; here √limit ÷ 2, with which a service of ten is as busy and its queue shorter); Netflix's `Gradient2Limit` (a
/// gradient of 1 at most, and no growth while less than half of the limit is used). `aimd` adds one while all is well
/// and takes a share away when it is not: Netflix's `AIMDLimit`, once in a window.
///
/// Invariant: `inFlight` equals `begin` calls minus `end` calls. `limit` is between its bounds.
public struct ConcurrencyLimit: Sendable {
  public enum Law: Sendable, Equatable {
    /// - Parameters:
    ///   - tolerance: times the least latency that answers may take without the limit sinking; 1.25 for a quarter more.
    ///   - remeasureNanoseconds: how long a least latency counts, give or take a seventh.
    case gradient(tolerance: Double, remeasureNanoseconds: UInt64)
    /// - Parameters:
    ///   - decrease: what the limit is multiplied with.
    ///   - latencyNanoseconds: answers that take longer on average mean overload, as time-outs do.
    case aimd(decrease: Double, latencyNanoseconds: UInt64)
  }

  private enum Phase: Equatable {
    case steady
    /// The queue that this limit made is ending; what is measured now still has it.
    case draining
    /// The window measures what answers take at the lower limit.
    case measuring
  }

  public let law: Law
  private let least: Double
  private let most: Double
  private var exact: Double
  public private(set) var inFlight = 0

  // The window.
  private var windowStart: MonotonicInstant?
  private var count: UInt64 = 0
  private var sum: UInt64 = 0
  private var timeouts = 0
  /// The most that were out at once.
  private var peak = 0

  // The gradient.
  private var phase = Phase.steady
  /// What answers take when nothing waits, in nanoseconds; 0: not known.
  public private(set) var baseline = 0.0
  private var remeasureAt: MonotonicInstant?
  /// The limit before it was lowered to measure, and the mean of the window before.
  private var saved = 0.0
  private var previousMean = 0.0
  /// The limit from which it has been sinking, and what answers took then.
  private var summit = (limit: 0.0, mean: 0.0)
  private var windowsSinceMeasured = 0

  private static let windowNanoseconds: UInt64 = 100_000_000
  private static let windowNanosecondsMax: UInt64 = 1_000_000_000
  private static let samplesMin: UInt64 = 10
  /// The first measurement is soon: the load may have been too much from the first request on.
  private static let firstMeasureNanoseconds: UInt64 = 3_000_000_000
  /// A limit that sinks without effect is measured anew, but not sooner than after so many windows.
  private static let windowsBetweenMin = 10
  private static let windowsToSettle = 3

  /// Bounds below 1 count as 1.
  public init(_ law: Law, initial: Int, least: Int, most: Int) {
    self.law = law
    self.least = Double(max(least, 1))
    self.most = Double(max(most, least, 1))
    exact = min(max(Double(initial), self.least), self.most)
  }

  public var limit: Int { Int(exact) }

  // MARK: Places

  /// - Parameter share: of the limit, for requests that matter less; one place is always within it.
  public func mayBegin(share: Double = 1) -> Bool { inFlight < max(1, Int(exact * share)) }

  public mutating func begin() {
    inFlight += 1
    if inFlight > peak { peak = inFlight }
  }

  public mutating func end() {
    precondition(inFlight > 0, "end without begin")
    inFlight -= 1
  }

  // MARK: What is learned

  /// An answer began so long after its request was sent.
  public mutating func answered(after nanoseconds: UInt64, at now: MonotonicInstant, using random: inout SeededRandom) {
    count += 1
    sum += nanoseconds
    look(at: now, using: &random)
  }

  /// No answer came in time.
  public mutating func timedOut(
    after nanoseconds: UInt64, at now: MonotonicInstant, using random: inout SeededRandom
  ) {
    timeouts += 1
    answered(after: nanoseconds, at: now, using: &random)
  }

  private mutating func look(at now: MonotonicInstant, using random: inout SeededRandom) {
    guard let start = windowStart else {
      windowStart = now
      return
    }
    let wanted = min(max(Self.windowNanoseconds, UInt64(2 * baseline)), Self.windowNanosecondsMax)
    guard count >= Self.samplesMin, now.nanoseconds(since: start) >= wanted else { return }
    let mean = Double(sum) / Double(count)
    switch law {
    case .aimd(let decrease, let latency): adjust(mean, decrease: decrease, latency: Double(latency))
    case .gradient(let tolerance, let remeasure):
      adjust(mean, tolerance: tolerance, remeasure: remeasure, at: now, using: &random)
    }
    windowStart = now
    count = 0
    sum = 0
    timeouts = 0
    peak = inFlight
  }

  private mutating func set(_ limit: Double) { exact = min(max(limit, least), most) }

  private mutating func adjust(_ mean: Double, decrease: Double, latency: Double) {
    if timeouts > 0 || mean > latency {
      set(exact * decrease)
    } else if Double(peak) * 2 >= exact {
      set(exact + 1)
    }
  }

  private mutating func adjust(
    _ mean: Double, tolerance: Double, remeasure: UInt64, at now: MonotonicInstant, using random: inout SeededRandom
  ) {
    switch phase {
    case .steady:
      let isDue = remeasureAt.map { now >= $0 } ?? false
      if remeasureAt == nil { remeasureAt = now.advanced(byNanoseconds: min(Self.firstMeasureNanoseconds, remeasure)) }
      if baseline == 0 || mean < baseline { baseline = mean }
      // Nothing waits for the service on our account, so this is how long it takes.
      if Double(peak) < exact / 2 {
        if isDue { measured(mean, remeasure: remeasure, at: now, using: &random) }
        return
      }
      windowsSinceMeasured += 1
      // Just after a measurement the mean is not yet that of the limit.
      if exact > summit.limit || windowsSinceMeasured <= Self.windowsToSettle { summit = (exact, mean) }
      var isInVain = false
      if exact < 0.7 * summit.limit {
        // A queue would be shorter by now: what answers take when nothing waits is no longer what it was.
        isInVain = mean > 0.9 * summit.mean && windowsSinceMeasured >= Self.windowsBetweenMin
        if !isInVain { summit = (exact, mean) }
      }
      if isDue || isInVain {
        saved = isInVain ? summit.limit : exact
        previousMean = .infinity
        return lower()
      }
      let gradient = min(max(tolerance * baseline / mean, 0.5), 1)
      set(exact * gradient + exact.squareRoot() / 2)
    case .draining:
      phase = .measuring
    case .measuring:
      // As long as it helps there was a queue, so what was measured is still too long. One measurement alone tells
      // nothing: it is not compared with what was before, when the service may have been another.
      if mean < 0.9 * previousMean, exact > least {
        previousMean = mean
        return lower()
      }
      phase = .steady
      set(saved)
      measured(mean, remeasure: remeasure, at: now, using: &random)
    }
  }

  private mutating func lower() {
    set(exact / 2)
    phase = .draining
  }

  private mutating func measured(
    _ mean: Double, remeasure: UInt64, at now: MonotonicInstant, using random: inout SeededRandom
  ) {
    baseline = mean
    windowsSinceMeasured = 0
    // Not all routers before one service at the same time.
    let seventh = max(Int(clamping: remeasure / 7), 1)
    remeasureAt = now.advanced(byNanoseconds: remeasure - UInt64(seventh) + UInt64(random.below(2 * seventh)))
  }
}

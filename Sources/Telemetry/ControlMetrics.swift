/// One value of the control plane: set when it changes, or read when a page is written.
/// Confined to the control thread.
public final class ControlMetric {
  private var stored: Double = 0
  private var read: (() -> Double)?

  init(read: (() -> Double)? = nil) { self.read = read }

  /// Setting it takes the place of a closure.
  public var value: Double {
    get { read?() ?? stored }
    set {
      read = nil
      stored = newValue
    }
  }

  func becomes(_ read: @escaping () -> Double) { self.read = read }
}

/// A histogram of the control plane, in microseconds. Confined to the control thread.
public final class ControlHistogram {
  private let block = ControlHistogramBlock()
  let words: WordColumns

  init() { words = WordColumns([block]) }

  deinit { words.deallocate() }

  public func record(microseconds: UInt64) { block.histogram.record(microseconds) }
}

private final class ControlHistogramBlock: StatsBlock, @unchecked Sendable {
  init() { super.init(wordCount: HistogramWords.wordCount, histograms: [0]) }

  var histogram: HistogramWords { HistogramWords(words) }
}

/// The values that the control plane hands in, by family and label values.
/// Confined to the control thread.
final class ControlMetrics {
  enum Value {
    case scalar(ControlMetric)
    case histogram(ControlHistogram)
  }

  struct Series {
    let labelValues: [String]
    let labels: [UInt8]
    let value: Value
  }

  private(set) var families: [String: [Series]] = [:]

  /// The series with those label values, made by `make` if there is none; in the order of their label values.
  func series(_ metric: MetricName, _ labelValues: [String], make: () -> Value) -> Value {
    precondition(
      labelValues.count == metric.labels.count,
      "\(metric.name) has the labels \(metric.labels), but \(labelValues) was given")
    precondition(MetricName.controlPlane.contains(metric), "\(metric.name) is not a metric of the control plane")
    var all = families[metric.name] ?? []
    if let known = all.first(where: { $0.labelValues == labelValues }) { return known.value }
    let labels = zip(metric.labels, labelValues).map { (name: $0, value: $1) }
    let made = Series(labelValues: labelValues, labels: labelBytes(labels), value: make())
    let place = all.firstIndex { labelValues.lexicographicallyPrecedes($0.labelValues) } ?? all.endIndex
    all.insert(made, at: place)
    families[metric.name] = all
    return made.value
  }

  func remove(_ metric: MetricName, _ labelValues: [String]) {
    families[metric.name]?.removeAll { $0.labelValues == labelValues }
  }
}

extension MetricsRegistry {
  /// The value under those labels (in the order of `metric.labels`), 0 at first. Asking again gives the same object.
  public func control(_ metric: MetricName, _ labelValues: String...) -> ControlMetric {
    scalar(metric, labelValues)
  }

  /// A value that is read when a page is written; `read` takes the place of what was there.
  public func control(_ metric: MetricName, _ labelValues: String..., read: @escaping () -> Double) {
    scalar(metric, labelValues).becomes(read)
  }

  private func scalar(_ metric: MetricName, _ labelValues: [String]) -> ControlMetric {
    precondition(metric.kind != .histogram, "\(metric.name) is a histogram: use controlHistogram")
    guard case .scalar(let made) = controls.series(metric, labelValues, make: { .scalar(ControlMetric()) }) else {
      preconditionFailure("\(metric.name) holds no single value")
    }
    return made
  }

  public func controlHistogram(_ metric: MetricName, _ labelValues: String...) -> ControlHistogram {
    precondition(metric.kind == .histogram, "\(metric.name) is no histogram: use control")
    let made = controls.series(metric, labelValues, make: { .histogram(ControlHistogram()) })
    guard case .histogram(let histogram) = made else { preconditionFailure("\(metric.name) holds a single value") }
    return histogram
  }

  /// Ends the series with those labels.
  public func removeControl(_ metric: MetricName, _ labelValues: String...) { controls.remove(metric, labelValues) }
}

import MeshBase

/// What of `/admin/metrics/prometheus` is wanted.
public struct PrometheusOptions: Sendable {
  /// Only families with a `service` label, and of these the series of that service: `/svc/web`.
  public var service: String?
  /// Only families whose name begins like this: `meshrouter_client_`.
  public var family: String?
  /// `status` is the code where its code is common, not only the class.
  public var exactStatus: Bool

  public init(service: String? = nil, family: String? = nil, exactStatus: Bool = false) {
    self.service = service
    self.family = family
    self.exactStatus = exactStatus
  }
}

/// Writes the sample lines of one family.
struct FamilyWriter {
  private let name: [UInt8]

  init(_ name: String) { self.name = Array(name.utf8) }

  /// Everything of a sample's line before its value. Labels are `a="x",b="y"`, in two parts.
  func begin(_ out: inout TextWriter, suffix: StaticString = "", _ labels: [UInt8], _ more: [UInt8] = []) {
    out.raw(name)
    out.text(suffix)
    if !labels.isEmpty || !more.isEmpty {
      out.byte(UInt8(ascii: "{"))
      out.raw(labels)
      if !labels.isEmpty && !more.isEmpty { out.byte(UInt8(ascii: ",")) }
      out.raw(more)
      out.byte(UInt8(ascii: "}"))
    }
    out.byte(UInt8(ascii: " "))
  }

  func sample(_ out: inout TextWriter, _ labels: [UInt8], _ value: UInt64) { sample(&out, labels, [], value) }

  func sample(_ out: inout TextWriter, _ labels: [UInt8], _ more: [UInt8], _ value: UInt64) {
    begin(&out, labels, more)
    out.number(value)
    out.byte(10)
  }

  /// Those of the words from `first` on that are not 0. Most are, and cost no more than to be read.
  func samples<Stats>(_ out: inout TextWriter, _ scope: Scope<Stats>, from first: Int, _ texts: [[UInt8]]) {
    for place in texts.indices {
      let count = scope.sum(first + place)
      if count > 0 { sample(&out, scope.labels, texts[place], count) }
    }
  }

  /// A histogram that never recorded anything shows its last bucket only: the others would say nothing, and adding
  /// series up treats a missing bucket as 0.
  func histogram(
    _ out: inout TextWriter, _ labels: [UInt8], _ boundaries: BucketBoundaries, _ words: WordColumns, _ base: Int,
    _ scratch: HistogramScratch
  ) {
    var count: UInt64 = 0
    if scratch.read(words, base) {
      count = boundaries.forEachCumulative(scratch.buckets) { boundary, below in
        begin(&out, suffix: "_bucket", labels, boundary.label)
        out.number(below)
        out.byte(10)
      }
    }
    begin(&out, suffix: "_bucket", labels, Self.infinity)
    out.number(count)
    out.byte(10)
    begin(&out, suffix: "_sum", labels)
    out.decimal(scratch.sum, boundaries.decimals)
    out.byte(10)
    begin(&out, suffix: "_count", labels)
    out.number(count)
    out.byte(10)
  }

  private static let infinity = Array("le=\"+Inf\"".utf8)
}

/// Collects the families of a page in order, leaving out what the options do not ask for.
struct PrometheusBuilder {
  let options: PrometheusOptions
  private(set) var sections: [MetricsPage.Section] = []

  init(options: PrometheusOptions) { self.options = options }

  /// `write` is called for each unit, in order; HELP and TYPE come before the first. By any thread, unless `isShared`
  /// is false: it may ask a scope for its labels and for the workers' words only.
  mutating func family<Unit>(
    _ metric: MetricName, _ units: [Unit], isShared: Bool = true,
    _ write: @escaping (Unit, FamilyWriter, inout TextWriter) -> Void
  ) {
    histogram(metric, units, isShared: isShared) { unit, family, _, out in write(unit, family, &out) }
  }

  /// With room for a histogram.
  mutating func histogram<Unit>(
    _ metric: MetricName, _ units: [Unit], isShared: Bool = true,
    _ write: @escaping (Unit, FamilyWriter, HistogramScratch, inout TextWriter) -> Void
  ) {
    if units.isEmpty { return }
    if let family = options.family, !metric.name.hasPrefix(family) { return }
    if options.service != nil, !metric.labels.contains("service") { return }
    let writer = FamilyWriter(metric.name)
    sections.append(
      MetricsPage.Section(units: units.count, isShared: isShared) { unit, scratch, out in
        if unit == 0 {
          out.text("# HELP ")
          out.string(metric.name)
          out.byte(UInt8(ascii: " "))
          out.help(metric.help)
          out.text("\n# TYPE ")
          out.string(metric.name)
          out.byte(UInt8(ascii: " "))
          out.string(metric.kind.rawValue)
          out.byte(10)
        }
        write(units[unit], writer, scratch, &out)
      })
  }

  /// One word per scope, summed over workers.
  mutating func word<Stats>(_ metric: MetricName, _ scopes: [Scope<Stats>], _ word: Int) {
    family(metric, scopes) { scope, family, out in family.sample(&out, scope.labels, scope.sum(word)) }
  }

  mutating func gauge<Stats>(_ metric: MetricName, _ scopes: [Scope<Stats>], _ word: Int) {
    family(metric, scopes) { scope, family, out in
      family.begin(&out, scope.labels)
      out.number(scope.gauge(word))
      out.byte(10)
    }
  }

  mutating func histogram<Stats>(
    _ metric: MetricName, _ scopes: [Scope<Stats>], _ base: Int, _ boundaries: BucketBoundaries
  ) {
    histogram(metric, scopes) { scope, family, scratch, out in
      family.histogram(&out, scope.labels, boundaries, scope.words, base, scratch)
    }
  }
}

extension MetricsRegistry {
  /// Prometheus text format 0.0.4 with our own names, those of `MetricName.all`.
  public func prometheusPage(_ options: PrometheusOptions = PrometheusOptions()) -> MetricsPage {
    var page = PrometheusBuilder(options: options)
    addServers(to: &page)
    addServices(to: &page)
    addClients(to: &page)
    addRouters(to: &page)
    addWorkers(to: &page)
    addRegistry(to: &page)
    addControl(to: &page)
    return MetricsPage(contentType: "text/plain; version=0.0.4; charset=utf-8", sections: page.sections)
  }
}

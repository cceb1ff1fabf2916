/// Collects what one bar found, printing each figure as it comes.
struct BarReport {
  let bar: String
  private(set) var passes = true

  init(_ bar: String) { self.bar = bar }

  /// A figure that must not exceed `max`.
  mutating func check(_ figure: String, _ value: Double, max: Double, unit: String = "") {
    record(figure, value, value <= max, "at most \(max.rounded(to: 3))", unit)
  }

  /// A figure that must reach `least`.
  mutating func check(_ figure: String, _ value: Double, least: Double, unit: String = "") {
    record(figure, value, value >= least, "at least \(least.rounded(to: 3))", unit)
  }

  mutating func check(_ figure: String, _ value: Double, equals wanted: Double) {
    record(figure, value, value == wanted, "\(wanted.rounded(to: 3)) wanted", "")
  }

  /// A figure without a bar.
  func note(_ figure: String, _ value: Double, unit: String = "") {
    print("\(bar): \(figure) \(value.rounded(to: 3))\(unit.isEmpty ? "" : " " + unit)")
  }

  mutating func fail(_ text: String) {
    passes = false
    print("\(bar): FAIL \(text)")
  }

  /// Fails with what went wrong first, if anything did.
  mutating func noFailure(of load: some Load) {
    if let text = load.firstFailure { fail("first failure: \(text)") }
  }

  /// No request of a load that has ended may have failed.
  mutating func check(_ load: some Load, _ requests: String = "requests") {
    note(requests, Double(load.completed))
    check("failed requests", Double(load.failed), equals: 0)
    noFailure(of: load)
  }

  private mutating func record(_ figure: String, _ value: Double, _ ok: Bool, _ bound: String, _ unit: String) {
    if !ok { passes = false }
    let unit = unit.isEmpty ? "" : " " + unit
    print("\(bar): \(ok ? "PASS" : "FAIL") \(figure) \(value.rounded(to: 3))\(unit) (\(bound))")
  }
}

/// Writes metrics as JSON members, flat (`"rt/http/server/…/requests": 1`) or nested (`{"counter": 1}` at the end of
/// the path), and keeps track of the objects that are open.
///
/// Metrics must come in the order of a tree's walk. Path components are JSON-escaped bytes.
final class JsonEmitter {
  private let isTree: Bool
  private let isPretty: Bool
  /// The objects that are open below the outermost one.
  private var open: [[UInt8]] = []
  private var needsComma = false
  /// The unit at hand: its path, and what metrics' paths must begin with to be wanted.
  private var unit: [[UInt8]] = []
  private var unitKey: [UInt8] = []
  private var filter: [[UInt8]] = []
  /// When it only looks whether there is anything, it writes nothing.
  private let isProbe: Bool
  private(set) var hasFound = false

  init(tree: Bool, pretty: Bool, probe: Bool = false) {
    isTree = tree
    isPretty = pretty
    isProbe = probe
  }

  func begin(_ out: inout TextWriter) { out.text("{") }

  func end(_ out: inout TextWriter) {
    close(to: 0, &out)
    newLine(0, &out)
    out.text(isPretty ? "}\n" : "}")
  }

  /// From here on, metrics are under `path`, and only those which begin with `filter` are wanted, without it.
  func enter(_ path: [[UInt8]], filter: [[UInt8]]) {
    unit = path
    unitKey = Array(path.joined(separator: [UInt8(ascii: "/")]))
    self.filter = filter
  }

  func integer(_ path: MetricPath, _ kind: StaticString, _ value: Int, _ out: inout TextWriter) {
    guard member(path, kind, &out) else { return }
    out.number(value)
  }

  func scalar(_ path: MetricPath, _ kind: StaticString, _ value: Double, _ out: inout TextWriter) {
    guard member(path, kind, &out) else { return }
    out.json(value)
  }

  private static let quantiles: [(name: StaticString, q: Double)] = [
    ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p9990", 0.999), ("p9999", 0.9999),
  ]

  /// Shown in units of 10^decimals of the histogram's. An empty one shows its count alone.
  func stat(_ path: MetricPath, _ snapshot: HistogramSnapshot, decimals: Int, _ out: inout TextWriter) {
    guard isWanted(path) else { return }
    _ = member(path, "stat", field: "count", &out)
    out.number(snapshot.count)
    if snapshot.isEmpty { return }
    _ = member(path, "stat", field: "sum", &out)
    out.decimal(snapshot.sum, decimals)
    _ = member(path, "stat", field: "avg", &out)
    out.decimal(snapshot.sum / snapshot.count, decimals)
    _ = member(path, "stat", field: "min", &out)
    out.decimal(snapshot.min, decimals)
    _ = member(path, "stat", field: "max", &out)
    out.decimal(snapshot.max, decimals)
    for (quantile, value) in zip(Self.quantiles, snapshot.quantiles(Self.quantiles.map(\.q))) {
      _ = member(path, "stat", field: quantile.name, &out)
      out.decimal(value, decimals)
    }
  }

  /// Whether the metric is under what was asked for; nothing is to be written about it if not.
  func isWanted(_ path: MetricPath) -> Bool {
    guard filter.isEmpty || path.parts.starts(with: filter) else { return false }
    hasFound = true
    return !isProbe
  }

  /// Writes up to the value. `field` is the part of a summary.
  private func member(
    _ path: MetricPath, _ kind: StaticString, field: StaticString? = nil, _ out: inout TextWriter
  ) -> Bool {
    guard isWanted(path) else { return false }
    if isTree {
      move(to: path.parts.dropFirst(filter.count), &out)
      key(depth: open.count + 1, &out)
      out.text(kind)
    } else {
      key(depth: 1, &out)
      out.raw(unitKey)
      if filter.isEmpty {
        if !unitKey.isEmpty && !path.joined.isEmpty { out.byte(UInt8(ascii: "/")) }
        out.raw(path.joined)
      } else {
        // What is left of it stands alone: only a path below the unit's own gives a filter.
        out.raw(Array(path.parts.dropFirst(filter.count).joined(separator: [UInt8(ascii: "/")])))
      }
    }
    if let field {
      out.byte(UInt8(ascii: "."))
      out.text(field)
    }
    out.text(isPretty ? "\": " : "\":")
    needsComma = true
    return true
  }

  /// Closes what is open beside the path, and opens what of it is not.
  private func move(to rest: ArraySlice<[UInt8]>, _ out: inout TextWriter) {
    let depth = unit.count + rest.count
    func component(_ i: Int) -> [UInt8] { i < unit.count ? unit[i] : rest[rest.startIndex + i - unit.count] }
    var shared = 0
    while shared < open.count, shared < depth, open[shared] == component(shared) { shared += 1 }
    close(to: shared, &out)
    while open.count < depth {
      let name = component(open.count)
      key(depth: open.count + 1, &out)
      out.raw(name)
      out.text(isPretty ? "\": {" : "\":{")
      open.append(name)
      needsComma = false
    }
  }

  private func close(to depth: Int, _ out: inout TextWriter) {
    while open.count > depth {
      newLine(open.count, &out)
      out.text("}")
      open.removeLast()
      needsComma = true
    }
  }

  private func key(depth: Int, _ out: inout TextWriter) {
    if needsComma { out.text(",") }
    newLine(depth, &out)
    out.text("\"")
  }

  private func newLine(_ depth: Int, _ out: inout TextWriter) {
    guard isPretty else { return }
    out.text("\n")
    for _ in 0..<depth { out.text("  ") }
  }
}

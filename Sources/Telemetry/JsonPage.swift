import MeshBase

/// linkerd's JSON: every metric under a path of scopes, sorted. Beside linkerd's `rt/…` there are `worker/N/…`,
/// `stage/…`, `process/…` and `meshrouter/…` (what the control plane hands in, its label values as the last components).
extension MetricsRegistry {
  /// The page, or nil if nothing is under `options.q`. `now` starts or keeps up the windows, see `tick`.
  public func jsonPage(_ options: JsonOptions = JsonOptions(), at now: MonotonicInstant) -> MetricsPage? {
    window.ask(at: now)
    var units = jsonUnits()
    if let q = options.q, !q.isEmpty {
      let wanted = linkerdName(q.hasSuffix("/") ? String(q.dropLast()) : q)
      units = units.compactMap { $0.under(wanted) }
      let probe = JsonEmitter(tree: false, pretty: false, probe: true)
      var nothing = TextWriter()
      for unit in units where !probe.hasFound { unit.write(probe, &nothing) }
      if !probe.hasFound { return nil }
    }
    let emitter = JsonEmitter(tree: options.tree, pretty: options.pretty)
    let chosen = units
    return MetricsPage(
      contentType: "application/json;charset=utf-8",
      sections: [
        MetricsPage.Section(units: 1) { _, _, out in emitter.begin(&out) },
        MetricsPage.Section(units: chosen.count) { unit, _, out in chosen[unit].write(emitter, &out) },
        MetricsPage.Section(units: 1) { _, _, out in emitter.end(&out) },
      ])
  }

  /// In the order of a tree's walk.
  private func jsonUnits() -> [JsonUnit] {
    var units: [JsonUnit] = []
    addControl(to: &units)
    let scratch = scratch
    for router in routers {
      units.append(JsonUnit(["rt", router.label, "bindcache"], router.own, scratch))
      for scope in router.clients.sortedByPath {
        units.append(JsonUnit(["rt", router.label, "client", linkerdName(scope.name)], scope, scratch))
      }
      for scope in router.servers.sortedByPath {
        units.append(JsonUnit(["rt", router.label, "server", linkerdName(scope.name)], scope, scratch))
      }
      for scope in router.services.sortedByPath {
        units.append(JsonUnit(["rt", router.label, "service", linkerdName(scope.name)], scope, scratch))
      }
    }
    addStages(to: &units)
    for worker in workerScopes { units.append(JsonUnit(["worker", worker.name], worker, scratch)) }
    return units
  }

  private func addControl(to units: inout [JsonUnit]) {
    let scratch = scratch
    var found: [JsonUnit] = []
    for metric in MetricName.controlPlane {
      let name =
        metric.name.hasPrefix("process_")
        ? ["process", String(metric.name.dropFirst("process_".count))]
        : ["meshrouter", String(metric.name.dropFirst("meshrouter_".count))]
      for series in controls.families[metric.name] ?? [] {
        found.append(
          JsonUnit(path: name + series.labelValues) { emitter, out in
            switch series.value {
            case .scalar(let scalar):
              emitter.scalar(.none, metric.kind == .counter ? "counter" : "gauge", scalar.value, &out)
            case .histogram(let histogram):
              emitter.stat(.none, scratch.snapshot(histogram.words, 0), decimals: 6, &out)
            }
          })
      }
    }
    let overflows = overflows
    found.append(
      JsonUnit(path: ["meshrouter", "metrics_overflow_total"]) { emitter, out in
        emitter.integer(.none, "counter", Int(overflows), &out)
      })
    units += found.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private func addStages(to units: inout [JsonUnit]) {
    let (all, scratch) = (allWorkers, scratch)
    for stage in Stage.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
      units.append(
        JsonUnit(path: ["stage", stage.rawValue, "duration_us"]) { emitter, out in
          emitter.stat(.none, all.recent(1 + stage.ordinal, scratch), decimals: 3, &out)
        })
    }
  }
}

extension ScopeTable {
  /// By the name that linkerd's reports show.
  var sortedByPath: [Scope<Stats>] { sorted.sorted { linkerdName($0.name) < linkerdName($1.name) } }
}

/// The metrics under one path, as many as one scope has.
struct JsonUnit {
  let path: [String]
  private var filter: [[UInt8]] = []
  private let emit: (JsonEmitter, inout TextWriter) -> Void

  init(path: [String], emit: @escaping (JsonEmitter, inout TextWriter) -> Void) {
    self.path = path
    self.emit = emit
  }

  private init(path: [String], filter: [[UInt8]], emit: @escaping (JsonEmitter, inout TextWriter) -> Void) {
    self.path = path
    self.filter = filter
    self.emit = emit
  }

  init<Stats: ScopeStats>(_ path: [String], _ scope: Scope<Stats>, _ scratch: HistogramScratch) {
    self.init(path: path) { emitter, out in
      let plan = Stats.linkerd
      for step in plan.steps {
        if step.kind == .stat {
          guard case .stat(let index, let decimals) = plan.entries[step.entry].source else { continue }
          emitter.stat(plan.entries[step.entry].path, scope.recent(index, scratch), decimals: decimals, &out)
        } else if let value = plan.value(step, scope) {
          let isGauge = plan.entries[step.entry].isGauge
          emitter.integer(plan.entries[step.entry].path, isGauge ? "gauge" : "counter", value, &out)
        }
      }
    }
  }

  func write(_ emitter: JsonEmitter, _ out: inout TextWriter) {
    emitter.enter(
      path.map {
        var escaped = TextWriter()
        escaped.json($0.utf8)
        return escaped.bytes
      }, filter: filter)
    emit(emitter, &out)
  }

  /// What of it is under the path `q`, relative to it; nil if nothing. Names have slashes of their own, and `q` may end
  /// between two parts of one.
  func under(_ q: String) -> JsonUnit? {
    let slash = UInt8(ascii: "/")
    var rest = Array(q.utf8)[...]
    for (i, component) in path.enumerated() {
      let name = Array(component.utf8)
      if rest.elementsEqual(name) { return JsonUnit(path: Array(path[(i + 1)...]), emit: emit) }
      if rest.starts(with: name + [slash]) {
        rest = rest.dropFirst(name.count + 1)
      } else if name.starts(with: rest + [slash]) {
        let tail = String(decoding: name.dropFirst(rest.count + 1), as: UTF8.self)
        return JsonUnit(path: [tail] + path[(i + 1)...], emit: emit)
      } else {
        return nil
      }
    }
    return JsonUnit(path: [], filter: rest.split(separator: slash).map(Array.init), emit: emit)
  }
}

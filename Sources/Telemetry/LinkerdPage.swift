import MeshBase

/// The Prometheus form of linkerd 1.x, for dashboards that were made for it: scopes joined by `:`, router, server,
/// service, client and reason in labels, latencies in milliseconds as summaries over the last window.
extension MetricsRegistry {
  /// `now` starts or keeps up the windows, see `tick`.
  public func linkerdPage(at now: MonotonicInstant) -> MetricsPage {
    window.ask(at: now)
    var page = LinkerdBuilder()
    page.add("rt:bindcache", routers.map { (labels: linkerdLabels($0.label), scope: $0.own) })
    page.add("rt:client", linkerdScopes("client", \.clients))
    page.add("rt:server", linkerdScopes("server", \.servers))
    page.add("rt:service", linkerdScopes("service", \.services))
    return MetricsPage(contentType: "text/plain; version=0.0.4; charset=utf-8", sections: page.sections)
  }

  private func linkerdScopes<Stats: ScopeStats>(
    _ label: StaticString, _ table: (RouterMetrics) -> ScopeTable<Stats>
  ) -> [(labels: [UInt8], scope: Scope<Stats>)] {
    routers.flatMap { router in
      table(router).sorted.map { (labels: linkerdLabels(router.label, label, $0.name), scope: $0) }
    }
  }
}

/// `rt="http", client="#/io.l5d.fs/web"`: blanks between labels and no slash in front, as linkerd has it.
private func linkerdLabels(_ router: String, _ label: StaticString = "", _ name: String = "") -> [UInt8] {
  var out = TextWriter()
  out.text("rt=\"")
  out.labelValue(router)
  out.text("\"")
  if name.isEmpty { return out.bytes }
  out.text(", ")
  out.text(label)
  out.text("=\"")
  out.labelValue(linkerdName(name))
  out.text("\"")
  return out.bytes
}

/// Names as linkerd's scopes have them: `/svc/web` is `svc/web`.
func linkerdName(_ name: String) -> String { name.hasPrefix("/") ? String(name.dropFirst()) : name }

private struct LinkerdBuilder {
  private(set) var sections: [MetricsPage.Section] = []

  mutating func add<Stats: ScopeStats>(
    _ prefix: StaticString, _ scopes: [(labels: [UInt8], scope: Scope<Stats>)]
  ) {
    let plan = Stats.linkerd
    for step in plan.steps {
      let entry = plan.entries[step.entry]
      let name = Self.name(prefix, entry)
      if case .stat(let index, let decimals) = entry.source {
        summaries(name, index, decimals, scopes)
      } else {
        scalars(name, plan, step, scopes)
      }
    }
  }

  /// Everything outside letters, digits and `:` becomes `_`. A reason is a label and not in the name.
  private static func name<Stats>(_ prefix: StaticString, _ entry: LinkerdEntry<Stats>) -> [UInt8] {
    var out = TextWriter()
    out.text(prefix)
    for part in entry.reason == nil ? entry.path.parts : entry.path.parts.dropLast() {
      out.byte(UInt8(ascii: ":"))
      for b in part {
        let isKept = (b >= 48 && b <= 57) || (b | 32 >= 97 && b | 32 <= 122)
        out.byte(isKept ? b : UInt8(ascii: "_"))
      }
    }
    return out.bytes
  }

  private mutating func scalars<Stats>(
    _ name: [UInt8], _ plan: LinkerdPlan<Stats>, _ step: LinkerdPlan<Stats>.Step,
    _ scopes: [(labels: [UInt8], scope: Scope<Stats>)]
  ) {
    let entry = plan.entries[step.entry]
    // Lines by reason belong to the family `failures` before them, rare ones may never come: no TYPE for either.
    let isTyped = entry.reason == nil && !entry.isRare
    let type: StaticString = entry.isGauge ? "gauge" : "counter"
    let reason = entry.reason.map { Array(", exception=\"\($0)\"".utf8) } ?? []
    sections.append(
      MetricsPage.Section(units: scopes.count) { unit, _, out in
        if unit == 0 && isTyped { Self.type(name, type, &out) }
        guard let value = plan.value(step, scopes[unit].scope) else { return }
        out.raw(name)
        out.byte(UInt8(ascii: "{"))
        out.raw(scopes[unit].labels)
        out.raw(reason)
        out.text("} ")
        out.number(value)
        out.byte(10)
      })
  }

  private static let quantiles: [(label: StaticString, q: Double)] = [
    ("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99), ("0.999", 0.999), ("0.9999", 0.9999),
  ]

  /// Those without values are left out. The average is a family of its own, so it comes after.
  private mutating func summaries<Stats>(
    _ name: [UInt8], _ index: Int, _ decimals: Int, _ scopes: [(labels: [UInt8], scope: Scope<Stats>)]
  ) {
    func line(_ out: inout TextWriter, _ suffix: StaticString, _ labels: [UInt8], quantile: StaticString? = nil) {
      out.raw(name)
      out.text(suffix)
      out.byte(UInt8(ascii: "{"))
      out.raw(labels)
      if let quantile {
        out.text(", quantile=\"")
        out.text(quantile)
        out.text("\"")
      }
      out.text("} ")
    }
    sections.append(
      MetricsPage.Section(units: scopes.count) { unit, scratch, out in
        if unit == 0 { Self.type(name, "summary", &out) }
        let (labels, scope) = scopes[unit]
        let snapshot = scope.recent(index, scratch)
        if snapshot.isEmpty { return }
        line(&out, "_count", labels)
        out.number(snapshot.count)
        out.byte(10)
        line(&out, "_sum", labels)
        out.decimal(snapshot.sum, decimals)
        out.byte(10)
        line(&out, "", labels, quantile: "0")
        out.decimal(snapshot.min, decimals)
        out.byte(10)
        for (quantile, value) in zip(Self.quantiles, snapshot.quantiles(Self.quantiles.map(\.q))) {
          line(&out, "", labels, quantile: quantile.label)
          out.decimal(value, decimals)
          out.byte(10)
        }
        line(&out, "", labels, quantile: "1")
        out.decimal(snapshot.max, decimals)
        out.byte(10)
      })
    sections.append(
      MetricsPage.Section(units: scopes.count) { unit, scratch, out in
        let (labels, scope) = scopes[unit]
        let snapshot = scope.recent(index, scratch)
        if snapshot.isEmpty { return }
        line(&out, "_avg", labels)
        out.decimal(snapshot.sum / snapshot.count, decimals)
        out.byte(10)
      })
  }

  private static func type(_ name: [UInt8], _ type: StaticString, _ out: inout TextWriter) {
    out.text("# TYPE ")
    out.raw(name)
    out.byte(UInt8(ascii: " "))
    out.text(type)
    out.byte(10)
  }
}

import MeshBase

/// Blocks that make up a scope of the reports.
protocol ScopeStats: StatsBlock {
  /// Where its histograms begin.
  static var histograms: [Int] { get }
  /// What linkerd's reports show of it.
  static var linkerd: LinkerdPlan<Self> { get }
}

/// One service, client or server under its name: a block of words per worker, and how it is labelled.
/// Confined to the control thread; only the blocks travel.
final class Scope<Stats: ScopeStats> {
  let name: String
  /// `router="http",service="/svc/web"`
  let labels: [UInt8]
  /// Indexed by worker.
  private(set) var blocks: [Stats]
  /// The same blocks' words, for readers: reading thousands of them must not count references.
  let words: WordColumns
  /// One per histogram once a window has ended, empty before.
  private var windows: [HistogramWindow] = []

  init(name: String, labels: [(name: String, value: String)], blocks: [Stats]) {
    self.name = name
    self.labels = labelBytes(labels)
    self.blocks = blocks
    words = WordColumns(blocks)
  }

  deinit { words.deallocate() }

  /// The last complete window of `Stats.histograms[index]`; all of it while there has been none.
  func recent(_ index: Int, _ scratch: HistogramScratch) -> HistogramSnapshot {
    windows.isEmpty ? scratch.snapshot(words, Stats.histograms[index]) : windows[index].shown
  }

  func rotateWindow(_ scratch: HistogramScratch) {
    if windows.isEmpty { windows = Array(repeating: HistogramWindow(), count: Stats.histograms.count) }
    for (i, base) in Stats.histograms.enumerated() { windows[i].rotate(scratch.snapshot(words, base)) }
  }

  func dropWindow() { windows = [] }

  /// Whether no worker can write to it any more.
  var isReleased: Bool {
    for i in blocks.indices where !isKnownUniquelyReferenced(&blocks[i]) { return false }
    return true
  }
}

/// The scopes of one kind under one router.
///
/// A dropped scope stays in the reports until the last worker has let go of its blocks, so that no count is lost; if
/// its name comes back before that, it goes on counting where it was. Then its series end: adding what it had counted
/// to another series would look like a burst of traffic there. Only `retiredRequests` remembers it.
/// Confined to the control thread.
final class ScopeTable<Stats: ScopeStats> {
  private(set) var scopes: [String: Scope<Stats>] = [:]
  private(set) var other: Scope<Stats>?
  /// Dropped by their owner but perhaps still written to by a worker.
  private var retiring: Set<String> = []
  private(set) var retiredScopes: UInt64 = 0
  private(set) var retiredRequests: UInt64 = 0
  private var sortedCache: [Scope<Stats>]?

  private let make: (String) -> Scope<Stats>
  private let requestsIn: (Scope<Stats>) -> UInt64

  init(make: @escaping (String) -> Scope<Stats>, requestsIn: @escaping (Scope<Stats>) -> UInt64) {
    self.make = make
    self.requestsIn = requestsIn
  }

  var count: Int { scopes.count }

  /// By name, `other` last.
  var sorted: [Scope<Stats>] {
    if let sortedCache { return sortedCache }
    var all = scopes.values.sorted { $0.name < $1.name }
    if let other { all.append(other) }
    sortedCache = all
    return all
  }

  /// The scope of that name if there is one, brought back if it was on its way out.
  func existing(_ name: String) -> Scope<Stats>? {
    guard let scope = scopes[name] else { return nil }
    if !retiring.isEmpty { retiring.remove(name) }
    return scope
  }

  func insert(_ name: String) -> Scope<Stats> {
    let scope = make(name)
    scopes[name] = scope
    sortedCache = nil
    return scope
  }

  func shared() -> Scope<Stats> {
    if let other { return other }
    let scope = make(MetricsRegistry.otherName)
    other = scope
    sortedCache = nil
    return scope
  }

  func drop(_ name: String) {
    if scopes[name] != nil { retiring.insert(name) }
  }

  /// Ends the series of dropped scopes that no worker holds. Returns how many.
  func sweep() -> Int {
    var ended = 0
    for name in retiring {
      guard let scope = scopes[name], scope.isReleased else { continue }
      retiring.remove(name)
      scopes[name] = nil
      retiredScopes += 1
      retiredRequests &+= requestsIn(scope)
      ended += 1
    }
    if ended > 0 { sortedCache = nil }
    return ended
  }
}

/// All lines of one kind of scope in the order of a tree's walk: a name, then what is under it.
///
/// Each page reads some 100 lines of thousands of scopes and shows a third of them, so what decides about showing is
/// plain numbers: looking at a step counts no references.
struct LinkerdPlan<Stats: ScopeStats>: Sendable {
  struct Step: Sendable {
    enum Kind: UInt8, Sendable { case words, derived, stat }

    let kind: Kind
    let isRare: Bool
    /// Into `entries`.
    let entry: Int
    /// Into `words`.
    let first: Int
    let end: Int
  }

  let entries: [LinkerdEntry<Stats>]
  private(set) var steps: [Step] = []
  private var words: [Int] = []

  init(_ unordered: [LinkerdEntry<Stats>]) {
    entries = unordered.sorted { a, b in
      for (x, y) in zip(a.path.parts, b.path.parts) where x != y { return x.lexicographicallyPrecedes(y) }
      return a.path.parts.count < b.path.parts.count
    }
    for (i, entry) in entries.enumerated() {
      let first = words.count
      let kind: Step.Kind
      switch entry.source {
      case .words(let sources):
        kind = .words
        words += sources
      case .derived: kind = .derived
      case .stat: kind = .stat
      }
      steps.append(Step(kind: kind, isRare: entry.isRare, entry: i, first: first, end: words.count))
    }
  }

  /// The value of a counter or gauge; nil if it is a rare one that has not counted yet, or a stat.
  func value(_ step: Step, _ scope: Scope<Stats>) -> Int? {
    let value: UInt64
    switch step.kind {
    case .words:
      var total: UInt64 = 0
      for i in step.first..<step.end { total &+= scope.sum(words[i]) }
      value = total
    case .derived:
      guard case .derived(let read) = entries[step.entry].source else { return nil }
      value = read(scope)
    case .stat: return nil
    }
    return step.isRare && value == 0 ? nil : Int(truncatingIfNeeded: value)
  }
}

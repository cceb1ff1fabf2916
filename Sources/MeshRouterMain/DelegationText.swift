import Dtab

/// A delegation as an indented tree: each line says what became of a name, and by which entry.
///
/// Branches that routing does not take are shown with the reason; `describe` gives a bound leaf in words. Of a long
/// chain of rewrites the middle is left out.
func text<Bound>(of delegation: DelegationNode<Bound>, describe: (Bound) -> String) -> String {
  let steps = delegation.steps
  let deepest = steps.map(\.level).max() ?? 0
  let hidden = deepest > shownLevelsMax ? (shownLevelsMax - 2)...(deepest - 2) : nil
  var rows: [(name: String, notes: String)] = []
  var omitted = 0
  // Entries by level: a branch of a union has the entry of its parent, which need not be repeated.
  var entries: [DentryReference?] = []
  for step in steps {
    entries.removeLast(entries.count - step.level)
    let inherited = entries.last ?? nil
    entries.append(step.node.dentry)
    if let hidden, hidden.contains(step.level) {
      omitted += 1
      continue
    }
    let level = if let hidden, step.level > hidden.upperBound { step.level - hidden.count + 1 } else { step.level }
    if omitted > 0, let hidden {
      rows.append((String(repeating: "  ", count: hidden.lowerBound) + "… \(omitted) more steps", ""))
      omitted = 0
    }
    let share = step.weight.map { "\(plain($0)) * " } ?? ""
    var notes: [String] = []
    if let outcome = outcome(step.node, describe) { notes.append(outcome) }
    switch step.role {
    case .taken: break
    case .passedOver: notes.append("passed over")
    case .notReached: notes.append("not reached")
    }
    if let entry = step.node.dentry, entry != inherited { notes.append("by \(readable(entry.dentry))") }
    rows.append(
      (
        String(repeating: "  ", count: level) + share + step.node.path.description,
        notes.joined(separator: ", ")
      ))
  }
  let width = min(nameWidthMax, rows.map(\.name.count).max() ?? 0)
  return rows.map { name, notes in
    notes.isEmpty ? name : name + String(repeating: " ", count: max(0, width - name.count)) + "  " + notes
  }.joined(separator: "\n") + "\n"
}

private let shownLevelsMax = 16
private let nameWidthMax = 60

private func readable(_ entry: Dentry) -> String {
  "\(entry.prefix) => \(entry.tree.printed(weights: .readable) { $0.description })"
}

private func outcome<Bound>(_ node: DelegationNode<Bound>, _ describe: (Bound) -> String) -> String? {
  switch node.kind {
  case .delegate, .alt, .union: nil
  case .leaf: node.bound.map { "= " + describe($0) }
  case .neg: "neg: nothing knows this name"
  case .fail: "fail: `!` ends the search"
  case .empty: "empty: `$`, no endpoints"
  case .exception: "error: \(node.message ?? "")"
  case .pending: "not answered yet"
  }
}

/// A weight without a needless fraction.
private func plain(_ weight: Double) -> String {
  weight == weight.rounded() && weight < 1e15 ? String(Int(weight)) : String(weight)
}

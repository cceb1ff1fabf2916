/// What a name may stand for: alternatives in order of preference, weighted shares, or nothing in three ways.
public enum NameTree<Leaf> {
  case leaf(Leaf)
  /// The first that is not `neg` answers.
  case alt([NameTree])
  /// Each takes its share of the traffic.
  case union([Weighted<Leaf>])
  /// `~`: there is no such name; an alternation goes on to its next branch.
  case neg
  /// `!`: stop here; nothing behind it in an alternation is tried.
  case fail
  /// `$`: the name exists and has no endpoints.
  case empty
}

/// A branch of a union.
public struct Weighted<Leaf> {
  /// Relative to its siblings; finite and not negative.
  public var weight: Double
  public var tree: NameTree<Leaf>

  @inlinable public init(_ tree: NameTree<Leaf>) { self.init(1, tree) }

  @inlinable public init(_ weight: Double, _ tree: NameTree<Leaf>) {
    precondition(weight >= 0 && weight.isFinite, "a weight is finite and not negative")
    self.weight = weight
    self.tree = tree
  }
}

extension NameTree: Equatable where Leaf: Equatable {}
extension NameTree: Hashable where Leaf: Hashable {}
extension NameTree: Sendable where Leaf: Sendable {}
extension Weighted: Equatable where Leaf: Equatable {}
extension Weighted: Hashable where Leaf: Hashable {}
extension Weighted: Sendable where Leaf: Sendable {}

extension NameTree {
  @inlinable var isNeg: Bool { if case .neg = self { true } else { false } }
  @inlinable var isFail: Bool { if case .fail = self { true } else { false } }

  @inlinable public func map<Other>(_ transform: (Leaf) -> Other) -> NameTree<Other> {
    switch self {
    case .leaf(let leaf): .leaf(transform(leaf))
    case .alt(let trees): .alt(trees.map { $0.map(transform) })
    case .union(let branches): .union(branches.map { Weighted<Other>($0.weight, $0.tree.map(transform)) })
    case .neg: .neg
    case .fail: .fail
    case .empty: .empty
    }
  }

  /// Calls `body` for each leaf, left to right, whether or not an evaluation would reach it.
  @inlinable public func forEachLeaf(_ body: (Leaf) -> Void) {
    switch self {
    case .leaf(let leaf): body(leaf)
    case .alt(let trees): for tree in trees { tree.forEachLeaf(body) }
    case .union(let branches): for branch in branches { branch.tree.forEachLeaf(body) }
    case .neg, .fail, .empty: break
    }
  }

  /// The same meaning with nothing idle in it; simplifying again changes nothing.
  ///
  /// Alternation: `neg` goes, what stands behind a `fail` goes, `empty` stays and hides nothing. Union: `neg` and
  /// `fail` go, `empty` keeps its share. Nothing left is `neg`, so `! & !` lets an alternation go on; a lone survivor
  /// stands for itself, without its weight.
  @inlinable public func simplified() -> NameTree {
    switch self {
    case .leaf, .neg, .fail, .empty: return self
    case .alt(let trees):
      var kept: [NameTree] = []
      for tree in trees {
        let tree = tree.simplified()
        if tree.isNeg { continue }
        kept.append(tree)
        if tree.isFail { break }
      }
      return kept.isEmpty ? .neg : kept.count == 1 ? kept[0] : .alt(kept)
    case .union(let branches):
      return .simplifiedUnion(branches.map { Weighted($0.weight, $0.tree.simplified()) })
    }
  }

  /// The union of branches that are simplified already.
  @inlinable static func simplifiedUnion(_ branches: [Weighted<Leaf>]) -> NameTree {
    let kept = branches.filter { !$0.tree.isNeg && !$0.tree.isFail }
    return kept.isEmpty ? .neg : kept.count == 1 ? kept[0].tree : .union(kept)
  }
}

extension NameTree where Leaf: Hashable {
  /// The leaves traffic may reach: `nil` for a name that is not there (`neg`, `fail`), the empty set for one without
  /// endpoints.
  public func evaluated() -> Set<Leaf>? {
    switch evaluation {
    case .neg, .fail: nil
    case .present(let leaves): leaves
    }
  }

  private enum Evaluation {
    case neg
    case fail
    case present(Set<Leaf>)
  }

  private var evaluation: Evaluation {
    switch self {
    case .leaf(let leaf): return .present([leaf])
    case .neg: return .neg
    case .fail: return .fail
    case .empty: return .present([])
    case .alt(let trees):
      for tree in trees {
        let evaluation = tree.evaluation
        if case .neg = evaluation { continue }
        return evaluation
      }
      return .neg
    case .union(let branches):
      var union: Set<Leaf>?
      for branch in branches {
        if case .present(let leaves) = branch.tree.evaluation { union = (union ?? []).union(leaves) }
      }
      return union.map(Evaluation.present) ?? .neg
    }
  }
}

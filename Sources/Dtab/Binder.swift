/// One binding under way; the same steps serve routing and its explanation.
///
/// With `explains`, each step also yields its node, and what routing would skip is bound too: not `live`, charged to
/// `spare`, without effect on the outcome.
@usableFromInline struct Binder<Bound> {
  @usableFromInline struct Step {
    @usableFromInline let state: BindState<Bound>
    /// Present if and only if the binder explains.
    @usableFromInline let node: DelegationNode<Bound>?

    @inlinable init(state: BindState<Bound>, node: DelegationNode<Bound>?) {
      self.state = state
      self.node = node
    }
  }

  @usableFromInline let dtab: Dtab
  @usableFromInline let limits: BindLimits
  @usableFromInline let explains: Bool
  @usableFromInline let namer: (Path) -> LookupState<Bound>

  @usableFromInline var answers: [Path: LookupState<Bound>] = [:]
  @usableFromInline var nodes: Int
  /// Node budget of what routing does not reach.
  @usableFromInline var spare: Int
  @usableFromInline var nesting = 0
  /// The budget is used up: the binding as a whole has failed, and no union may hide it.
  @usableFromInline var exhausted = false

  @inlinable init(dtab: Dtab, limits: BindLimits, explains: Bool, namer: @escaping (Path) -> LookupState<Bound>) {
    self.dtab = dtab
    self.limits = limits
    self.explains = explains
    self.namer = namer
    nodes = limits.nodesMax
    spare = explains ? limits.nodesMax : 0
  }

  // MARK: a path

  /// `depth` look-ups lie behind; `dentry` is the index of the entry that led here.
  @inlinable mutating func bind(_ path: Path, depth: Int, live: Bool, dentry: Int?) -> Step {
    guard depth < limits.depthMax else { return failure(.tooDeep(path), path, dentry) }
    let matches = dtab.matching(path)
    // A long path, a table of many shapes and a crowd of matches make a step longer.
    let cost = 1 + path.encodedCount >> 8 + dtab.lookupCost >> 6 + matches.count >> 4
    guard enter(cost: cost, live: live) else { return failure(.tooManyNodes, path, dentry) }
    defer { nesting -= 1 }
    if matches.count == 0 || matches.count == 1 && dtab.entries[matches[0].index].tree.isNeg {
      return ask(path, depth: depth, live: live, dentry: dentry)
    }
    if matches.count == 1 {
      let step = follow(matches[0], of: path, depth: depth, live: live)
      return Step(state: step.state, node: delegateNode(path, dentry, to: step))
    }
    return alternation(matches.count, live: live, path, dentry) { binder, index, live in
      binder.follow(matches[index], of: path, depth: depth, live: live)
    }
  }

  @inlinable mutating func follow(_ match: Dtab.Match, of path: Path, depth: Int, live: Bool) -> Step {
    bind(dtab.entries[match.index].tree, of: path, live: live, dentry: match.index) { binder, leaf, live in
      binder.bind(leaf.appending(path, from: match.tail), depth: depth + 1, live: live, dentry: match.index)
    }
  }

  @inlinable mutating func ask(_ path: Path, depth: Int, live: Bool, dentry: Int?) -> Step {
    let answer = answers[path] ?? namer(path)
    answers[path] = answer
    switch answer {
    case .pending: return Step(state: .pending, node: node(.pending, path, dentry, .pending))
    case .failed(let message): return failure(.namer(path, message), path, dentry)
    case .tree(.neg): return settled(.neg, .neg, path, dentry)
    case .tree(.leaf(.bound(let bound))): return leaf(bound, path, dentry)
    case .tree(let tree):
      let step = bind(tree, of: path, live: live, dentry: nil) { binder, answer, live in
        switch answer {
        case .path(let next): binder.bind(next, depth: depth + 1, live: live, dentry: nil)
        case .bound(let bound): binder.leaf(bound, path, nil)
        }
      }
      return Step(state: step.state, node: delegateNode(path, dentry, to: step))
    }
  }

  // MARK: a tree

  @inlinable mutating func bind<Leaf>(
    _ tree: NameTree<Leaf>, of path: Path, live: Bool, dentry: Int?,
    leaf: (inout Self, Leaf, Bool) -> Step
  ) -> Step {
    if case .leaf(let value) = tree { return leaf(&self, value, live) }
    guard enter(cost: 1, live: live) else { return failure(.tooManyNodes, path, dentry) }
    defer { nesting -= 1 }
    switch tree {
    case .leaf(let value): return leaf(&self, value, live)
    case .neg: return settled(.neg, .neg, path, dentry)
    case .fail: return settled(.fail, .fail, path, dentry)
    case .empty: return settled(.empty, .empty, path, dentry)
    case .alt(let trees):
      return alternation(trees.count, live: live, path, dentry) { binder, index, live in
        binder.bind(trees[index], of: path, live: live, dentry: dentry, leaf: leaf)
      }
    case .union(let branches):
      return union(branches.count, live: live, path, dentry, weights: branches.map(\.weight)) { binder, index in
        binder.bind(branches[index].tree, of: path, live: live, dentry: dentry, leaf: leaf)
      }
    }
  }

  /// `neg` goes on to the next branch; anything else is the answer, a failure or a pending look-up included.
  @inlinable mutating func alternation(
    _ count: Int, live: Bool, _ path: Path, _ dentry: Int?, branch: (inout Self, Int, Bool) -> Step
  ) -> Step {
    var answer: BindState<Bound>?
    var branches: [DelegationBranch<Bound>] = []
    for index in 0..<count where answer == nil || explains {
      let step = branch(&self, index, live && answer == nil)
      var role = DelegationBranch<Bound>.Role.notReached
      if answer == nil {
        if case .bound(.neg) = step.state {
          role = .passedOver
        } else {
          role = .taken
          answer = step.state
        }
      }
      if let node = step.node { branches.append(DelegationBranch(role: role, weight: nil, node: node)) }
      if isSpent(live: live && role != .notReached) { break }
    }
    let state = answer ?? .bound(.neg)
    return Step(state: state, node: node(.alt, path, dentry, state, branches: branches))
  }

  /// Keeps the branches that are bound, to `neg` too; without any, the first failure counts, then a pending look-up.
  @inlinable mutating func union(
    _ count: Int, live: Bool, _ path: Path, _ dentry: Int?, weights: [Double],
    branch: (inout Self, Int) -> Step
  ) -> Step {
    var kept: [Weighted<Bound>] = []
    var boundCount = 0
    var firstFailure: BindFailure?
    var branches: [DelegationBranch<Bound>] = []
    for index in 0..<count {
      let step = branch(&self, index)
      var role = DelegationBranch<Bound>.Role.passedOver
      switch step.state {
      case .pending: break
      case .failed(let failure): firstFailure = firstFailure ?? failure
      case .bound(let tree):
        boundCount += 1
        if !tree.isNeg && !tree.isFail {
          kept.append(Weighted(weights[index], tree))
          role = .taken
        }
      }
      if let node = step.node { branches.append(DelegationBranch(role: role, weight: weights[index], node: node)) }
      if isSpent(live: live) { break }
    }
    let state: BindState<Bound> =
      if isSpent(live: live) {
        .failed(.tooManyNodes)
      } else if boundCount > 0 || count == 0 {
        .bound(.simplifiedUnion(kept))
      } else if let firstFailure {
        .failed(firstFailure)
      } else {
        .pending
      }
    return Step(state: state, node: node(.union, path, dentry, state, branches: branches))
  }

  // MARK: budget

  /// Whether the budget allows the step; then `nesting` has grown by one, and the caller takes it back.
  @inlinable mutating func enter(cost: Int, live: Bool) -> Bool {
    guard !exhausted else { return false }
    if live { nodes -= cost } else { spare -= cost }
    guard nesting < BindLimits.nestingMax, live ? nodes >= 0 : spare >= 0 else {
      if live { exhausted = true }
      return false
    }
    nesting += 1
    return true
  }

  @inlinable func isSpent(live: Bool) -> Bool { exhausted || !live && spare < 0 }

  // MARK: nodes

  @inlinable func node(
    _ kind: DelegationNode<Bound>.Kind, _ path: Path, _ dentry: Int?, _ state: BindState<Bound>,
    branches: [DelegationBranch<Bound>] = [], bound: Bound? = nil, message: String? = nil
  ) -> DelegationNode<Bound>? {
    guard explains else { return nil }
    let reference = dentry.map { DentryReference(index: $0, dentry: dtab.entries[$0]) }
    return DelegationNode(
      kind: kind, path: path, dentry: reference, branches: branches, bound: bound, message: message, state: state)
  }

  @inlinable func delegateNode(_ path: Path, _ dentry: Int?, to step: Step) -> DelegationNode<Bound>? {
    guard let child = step.node else { return nil }
    return node(
      .delegate, path, dentry, step.state, branches: [DelegationBranch(role: .taken, weight: nil, node: child)])
  }

  @inlinable func settled(
    _ tree: NameTree<Bound>, _ kind: DelegationNode<Bound>.Kind, _ path: Path, _ dentry: Int?
  ) -> Step {
    Step(state: .bound(tree), node: node(kind, path, dentry, .bound(tree)))
  }

  @inlinable func leaf(_ bound: Bound, _ path: Path, _ dentry: Int?) -> Step {
    let state = BindState.bound(.leaf(bound))
    return Step(state: state, node: node(.leaf, path, dentry, state, bound: bound))
  }

  @inlinable func failure(_ failure: BindFailure, _ path: Path, _ dentry: Int?) -> Step {
    guard explains else { return Step(state: .failed(failure), node: nil) }
    let state = BindState<Bound>.failed(failure)
    return Step(state: state, node: node(.exception, path, dentry, state, message: failure.description))
  }
}

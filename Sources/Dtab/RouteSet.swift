/// What the router draws from for each request: the leaves of a bound tree with their shares.
public enum RouteSet<Bound> {
  /// There is no such name.
  case neg
  /// The name is there to fail.
  case fail
  /// At least one; the shares add up to 1.
  case routes([Route<Bound>])
}

public struct Route<Bound> {
  /// Of the traffic, from 0 to 1. Inside a nested union, a share of that union's share.
  public let share: Double
  /// `nil` for `$`: these requests find no endpoint.
  public let bound: Bound?

  @inlinable public init(share: Double, bound: Bound?) {
    self.share = share
    self.bound = bound
  }
}

extension RouteSet: Equatable where Bound: Equatable {}
extension RouteSet: Sendable where Bound: Sendable {}
extension Route: Equatable where Bound: Equatable {}
extension Route: Sendable where Bound: Sendable {}

/// Flattens a bound tree into shares. Branches of a union that are `neg` or `fail` leave theirs to their siblings, an
/// empty one keeps it; an alternation is its first branch that is there. Where all weights of a union are 0, its
/// branches share alike.
@inlinable public func routes<Bound>(_ tree: NameTree<Bound>) -> RouteSet<Bound> {
  let tree = tree.simplified()
  if tree.isNeg { return .neg }
  if tree.isFail { return .fail }
  var routes: [Route<Bound>] = []
  appendRoutes(of: tree, share: 1, to: &routes)
  return .routes(routes)
}

@inlinable func appendRoutes<Bound>(of tree: NameTree<Bound>, share: Double, to routes: inout [Route<Bound>]) {
  switch tree {
  case .leaf(let bound): routes.append(Route(share: share, bound: bound))
  case .empty: routes.append(Route(share: share, bound: nil))
  case .alt(let trees): appendRoutes(of: trees[0], share: share, to: &routes)
  case .union(let branches):
    // Dividing by the largest first keeps the sum finite.
    let largest = branches.reduce(0) { max($0, $1.weight) }
    let total = branches.reduce(0) { $0 + $1.weight / (largest > 0 ? largest : 1) }
    for branch in branches {
      let part = largest > 0 ? branch.weight / largest / total : 1 / Double(branches.count)
      appendRoutes(of: branch.tree, share: share * part, to: &routes)
    }
  case .neg, .fail: preconditionFailure("a simplified tree has these only at its root")
  }
}

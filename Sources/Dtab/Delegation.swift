/// One entry of the dtab that was bound with, by its place in it.
public struct DentryReference: Hashable, Sendable {
  public let index: Int
  public let dentry: Dentry

  @usableFromInline init(index: Int, dentry: Dentry) {
    self.index = index
    self.dentry = dentry
  }
}

/// One node of a delegation: how a name was bound, the alternatives that routing never looks at included.
public struct DelegationNode<Bound> {
  public enum Kind: String, Sendable {
    /// A path that one entry, or a namer, stands something else for.
    case delegate
    /// A path that a namer has bound.
    case leaf
    /// Branches in order of preference: of a name tree, or the several entries that match a path.
    case alt
    case union
    case neg, fail, empty
    /// A failure; `message` has the words.
    case exception
    /// A namer has been asked and has not answered yet.
    case pending
  }

  public let kind: Kind
  /// The path that was looked up to get here.
  public let path: Path
  /// The entry whose target this is; `nil` at the root and below a namer's answer.
  public let dentry: DentryReference?
  public let branches: [DelegationBranch<Bound>]
  /// Of a leaf.
  public let bound: Bound?
  /// Of an exception.
  public let message: String?
  /// What this node is bound to, by the same rules as routing.
  public let state: BindState<Bound>

  @inlinable init(
    kind: Kind, path: Path, dentry: DentryReference?, branches: [DelegationBranch<Bound>], bound: Bound?,
    message: String?, state: BindState<Bound>
  ) {
    self.kind = kind
    self.path = path
    self.dentry = dentry
    self.branches = branches
    self.bound = bound
    self.message = message
    self.state = state
  }
}

public struct DelegationBranch<Bound> {
  /// What becomes of the branch where its parent is bound.
  public enum Role: String, Sendable {
    /// It is the parent's answer or a share of it.
    case taken
    /// It was tried, and the parent went on without it: `neg` in an alternation, `neg`, `fail`, a failure or no answer
    /// yet in a union.
    case passedOver
    /// An earlier alternative has answered, so routing never asks.
    case notReached
  }

  public let role: Role
  /// Below a union.
  public let weight: Double?
  public let node: DelegationNode<Bound>

  @inlinable init(role: Role, weight: Double?, node: DelegationNode<Bound>) {
    self.role = role
    self.weight = weight
    self.node = node
  }
}

extension DelegationNode: Sendable where Bound: Sendable {}
extension DelegationBranch: Sendable where Bound: Sendable {}

/// One line of an explanation: a node of a delegation in the order in which routing meets it.
public struct DelegationStep<Bound> {
  /// From 0 at the name that was asked for.
  public let level: Int
  /// `taken` only if that holds for each node above as well.
  public let role: DelegationBranch<Bound>.Role
  public let weight: Double?
  public let node: DelegationNode<Bound>
}

extension DelegationStep: Sendable where Bound: Sendable {}

extension DelegationNode {
  /// The nodes depth first; a node below one that was passed over or not reached has its role.
  public var steps: [DelegationStep<Bound>] {
    var steps: [DelegationStep<Bound>] = []
    collect(into: &steps, level: 0, role: .taken, weight: nil)
    return steps
  }

  /// The steps of the way that routing really takes: from the name to the leaves that get traffic, or to what stopped it.
  public var route: [DelegationStep<Bound>] { steps.filter { $0.role == .taken } }

  private func collect(
    into steps: inout [DelegationStep<Bound>], level: Int, role: DelegationBranch<Bound>.Role, weight: Double?
  ) {
    steps.append(DelegationStep(level: level, role: role, weight: weight, node: self))
    for branch in branches {
      branch.node.collect(
        into: &steps, level: level + 1, role: role == .taken ? branch.role : role, weight: branch.weight)
    }
  }
}

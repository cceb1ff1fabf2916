/// A leaf of a namer's answer.
public enum NamerAnswer<Bound> {
  /// Another name, to be bound in turn, one level deeper.
  case path(Path)
  /// What the name stands for in the end; what the namer left of the path is part of it.
  case bound(Bound)
}

/// What the namers know of one path at this moment.
public enum LookupState<Bound> {
  /// Asked, not answered yet.
  case pending
  /// `neg` is also the answer for a path that no namer is in charge of.
  case tree(NameTree<NamerAnswer<Bound>>)
  /// The message is for people.
  case failed(String)
}

/// Bounds on the work of one binding, which a caller's own dtab may try to blow up.
public struct BindLimits: Sendable {
  /// Look-ups on one chain of rewrites.
  public var depthMax: Int
  /// Steps altogether: each look-up and each node of a tree counts one, a long path or a large dtab somewhat more.
  public var nodesMax: Int

  /// Look-ups and name trees inside each other. Keeps the recursion off the end of the stack; a chain of 100 names each
  /// of which stands four alternations and unions deep stays below.
  @usableFromInline static let nestingMax = 512

  public init(depthMax: Int = 100, nodesMax: Int = 20_000) {
    self.depthMax = depthMax
    self.nodesMax = nodesMax
  }
}

/// Why a name could not be bound, as opposed to being bound to nothing.
public enum BindFailure: Error, Hashable, Sendable {
  /// This path would have taken one look-up more than the limit.
  case tooDeep(Path)
  case tooManyNodes
  /// The namer asked for this path failed; the message is its own.
  case namer(Path, String)
}

extension BindFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooDeep(let path):
      "\(path) lies behind too many rewriting steps; usually two dtab entries rewrite to each other"
    case .tooManyNodes:
      "the dtab fans out into more nodes than one binding may visit; usually entries refer to each other twice"
    case .namer(let path, let message): "\(path): \(message)"
    }
  }
}

/// What a name is bound to at this moment.
public enum BindState<Bound> {
  case pending
  /// Simplified, and without alternations.
  case bound(NameTree<Bound>)
  case failed(BindFailure)
}

extension NamerAnswer: Equatable where Bound: Equatable {}
extension NamerAnswer: Hashable where Bound: Hashable {}
extension NamerAnswer: Sendable where Bound: Sendable {}
extension LookupState: Equatable where Bound: Equatable {}
extension LookupState: Sendable where Bound: Sendable {}
extension BindState: Equatable where Bound: Equatable {}
extension BindState: Sendable where Bound: Sendable {}

import Dtab
import MeshBase
import Net

/// A namer with transformers applied to what it binds. Names it answers with, which are bound again, stay as they are.
@ControlActor
public final class TransformedNamer: Namer {
  private let inner: any Namer
  private let transformers: [Transformer]
  private var chain: TransformerChain?
  private var lookups = WeakTable<Path, NameLookup>()

  public init(_ inner: any Namer, transformers: [Transformer]) {
    self.inner = inner
    self.transformers = transformers
  }

  public var prefix: Path { inner.prefix }
  public var kind: String { inner.kind }
  public func nearNames(to rest: Path, limit: Int) -> [Path] { inner.nearNames(to: rest, limit: limit) }
  public var failingSince: MonotonicInstant? { inner.failingSince }
  public var lastError: String? { inner.lastError }
  public func state() -> NamerState {
    var state = inner.state()
    state.facts.append(("transformers", transformers.map(\.idPrefix.description).joined(separator: " ")))
    return state
  }

  public func joined(_ registry: NamerRegistry) {
    inner.joined(registry)
    chain = TransformerChain(transformers, namers: registry)
  }

  public func lookup(_ rest: Path) -> NameLookup {
    guard let chain else { preconditionFailure("a transformed namer is asked through its registry") }
    if let known = lookups[rest] { return known }
    let result = NameLookup()
    result.feeder = Feed(inner.lookup(rest), chain, result)
    lookups[rest] = result
    return result
  }

  @ControlActor
  private final class Feed {
    private let inner: NameLookup
    private let chain: TransformerChain
    private weak var result: NameLookup?
    private var tokens: [ObservationToken] = []

    init(_ inner: NameLookup, _ chain: TransformerChain, _ result: NameLookup) {
      self.inner = inner
      self.chain = chain
      self.result = result
      tokens = [
        inner.observe { [weak self] in self?.update() }, chain.observe { [weak self] in self?.update() },
      ]
      update()
    }

    private func update() {
      guard let result else { return }
      guard case .tree(let tree) = inner.state else { return result.mirror(inner) }
      switch apply(tree) {
      case .bound(let tree): result.publish(tree)
      case .failed(let failure): result.fail(failure.description)
      case .pending: break
      }
    }

    private func apply(_ tree: NameTree<NamerAnswer<BoundName>>) -> BindState<NamerAnswer<BoundName>> {
      var hasPath = false
      tree.forEachLeaf { if case .path = $0 { hasPath = true } }
      // What is bound as a whole can be replaced as a whole.
      if !hasPath {
        let bound = tree.substituting { answer -> NameTree<BoundName> in
          if case .bound(let bound) = answer { .leaf(bound) } else { .neg }
        }
        return chain.apply(bound).mapTree { $0.map { .bound($0) } }
      }
      var obstacle: BindState<NamerAnswer<BoundName>>?
      let transformed = tree.substituting { answer -> NameTree<NamerAnswer<BoundName>> in
        guard case .bound(let bound) = answer else { return .leaf(answer) }
        let state = chain.apply(.leaf(bound)).mapTree { $0.map { NamerAnswer.bound($0) } }
        if case .bound(let tree) = state { return tree }
        obstacle = obstacle ?? state
        return .neg
      }
      return obstacle ?? .bound(transformed)
    }
  }
}

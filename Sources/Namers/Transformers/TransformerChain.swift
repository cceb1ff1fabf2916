import Dtab
import MeshBase
import Net

/// Transformers applied one after the other, and the transformed sources, shared by id.
@ControlActor
final class TransformerChain {
  private let transformers: [Transformer]
  private weak var namers: NamerRegistry?
  private var sources = WeakTable<Path, EndpointSource>()
  private var paths: [Path: (binding: Binding, token: ObservationToken)] = [:]
  /// Being bound for the first time.
  private var underway: Set<Path> = []
  // A chain belongs to a namer and its paths to the registry that has the namer: held only while in use.
  private lazy var observers = Observers { [weak self] in self?.paths = [:] }

  /// `namers` binds the paths of `const` and `replace`.
  init(_ transformers: [Transformer], namers: NamerRegistry) {
    self.transformers = transformers
    self.namers = namers
  }

  /// Tells of changes in what `const` and `replace` are bound to: apply again. Whoever applies observes.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  func apply(_ tree: NameTree<BoundName>) -> BindState<BoundName> {
    var state = BindState.bound(tree)
    for transformer in transformers {
      guard case .bound(let tree) = state else { return state }
      switch transformer {
      case .port, .localhost, .specificHost:
        state = .bound(tree.map { filtered($0, transformer) })
      case .const(let path):
        state = substitute(path).mapTree { $0.map { prefixed($0, transformer) } }
      case .replace(let path):
        guard tree.hasLeaf else { continue }
        state = substitute(path).mapTree { replacement in
          let replacement = replacement.map { prefixed($0, transformer) }
          return tree.substituting { _ in replacement }.simplified()
        }
      }
    }
    return state
  }

  private func prefixed(_ bound: BoundName, _ transformer: Transformer) -> BoundName {
    BoundName(id: transformer.idPrefix + bound.id, residual: bound.residual, endpoints: bound.endpoints)
  }

  private func filtered(_ bound: BoundName, _ transformer: Transformer) -> BoundName {
    let id = transformer.idPrefix + bound.id
    let source = sources[id] ?? bound.endpoints.mapped { $0.transformed(by: transformer) }
    sources[id] = source
    return BoundName(id: id, residual: bound.residual, endpoints: source)
  }

  private func substitute(_ path: Path) -> BindState<BoundName> {
    guard let namers else { return .pending }
    if paths[path] == nil {
      guard underway.insert(path).inserted else {
        return .failed(.namer(path, "this path of a transformer leads back to the transformer; bind it past its namer"))
      }
      let binding = Interpreter(namers: namers).bind(path)
      underway.remove(path)
      paths[path] = (binding, binding.observe { [weak self] in self?.observers.notify() })
    }
    switch paths[path]?.binding.state {
    case .bound(let tree), .stale(let tree, _, _): return .bound(tree)
    case .failed(let failure): return .failed(failure)
    case .pending, nil: return .pending
    }
  }
}

extension BindState {
  func mapTree<Other>(_ transform: (NameTree<Bound>) -> NameTree<Other>) -> BindState<Other> {
    switch self {
    case .bound(let tree): .bound(transform(tree))
    case .pending: .pending
    case .failed(let failure): .failed(failure)
    }
  }
}

extension NameTree {
  fileprivate var hasLeaf: Bool {
    var found = false
    forEachLeaf { _ in found = true }
    return found
  }

  /// Puts a tree in the place of each leaf.
  func substituting<Other>(_ transform: (Leaf) -> NameTree<Other>) -> NameTree<Other> {
    switch self {
    case .leaf(let leaf): transform(leaf)
    case .alt(let trees): .alt(trees.map { $0.substituting(transform) })
    case .union(let branches): .union(branches.map { Weighted($0.weight, $0.tree.substituting(transform)) })
    case .neg: .neg
    case .fail: .fail
    case .empty: .empty
    }
  }
}

extension EndpointSet {
  /// What a transformer makes of a set; one that a filter leaves without endpoints is `neg`.
  @ControlActor
  fileprivate func transformed(by transformer: Transformer) -> EndpointSet {
    guard case .bound(let endpoints) = self else { return self }
    switch transformer {
    case .port(let port):
      var seen: Set<SocketAddress> = []
      return .bound(
        endpoints.compactMap { endpoint in
          let address = endpoint.address.withPort(port)
          // Two instances of one host are one behind that port.
          guard seen.insert(address).inserted else { return nil }
          return Endpoint(address, weight: endpoint.weight, metadata: endpoint.metadata)
        })
    case .localhost:
      let local = LocalAddresses.current
      return Self.nonEmpty(endpoints.filter { $0.address.isLoopback || local.contains($0.address.withPort(0)) })
    case .specificHost(let host):
      return Self.nonEmpty(endpoints.filter { $0.address.withPort(0) == host.withPort(0) })
    case .const, .replace:
      return self
    }
  }

  private static func nonEmpty(_ endpoints: [Endpoint]) -> EndpointSet { endpoints.isEmpty ? .neg : .bound(endpoints) }
}

/// This host's own addresses, looked at again now and then: interfaces come and go.
@ControlActor
private enum LocalAddresses {
  private static let ageMillisecondsMax: UInt64 = 10_000
  private static var known: (addresses: Set<SocketAddress>, at: MonotonicInstant)?

  static var current: Set<SocketAddress> {
    let now = Clock.now
    if let known, now.nanoseconds(since: known.at) / 1_000_000 < ageMillisecondsMax { return known.addresses }
    let addresses = (try? Host.addresses()) ?? known?.addresses ?? []
    known = (addresses, now)
    return addresses
  }
}

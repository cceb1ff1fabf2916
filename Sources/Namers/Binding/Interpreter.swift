import Dtab
import MeshBase
import Net

/// Binds the names of one router: its dtab over the namers, live.
@ControlActor
public final class Interpreter {
  public let namers: NamerRegistry
  public let limits: BindLimits
  /// A new dtab binds again whatever is bound, at the end of the control turn.
  public var dtab: Dtab {
    didSet {
      guard dtab != oldValue else { return }
      for binding in bindings.values { binding.invalidate() }
    }
  }
  private let chain: TransformerChain?
  private var chainToken: ObservationToken?
  private var namersToken: ObservationToken?
  private var bindings = WeakTable<BindingKey, SharedBinding>()
  private var dirty: [SharedBinding] = []
  private lazy var rebinding = EndOfTurn { [weak self] in self?.rebindDirty() }
  /// Longest stretch of one turn spent on binding again; the rest waits for the next.
  private static let rebindNanosecondsMax: UInt64 = 5_000_000

  public init(
    namers: NamerRegistry, dtab: Dtab = .empty, transformers: [Transformer] = [], limits: BindLimits = BindLimits()
  ) {
    self.namers = namers
    self.dtab = dtab
    self.limits = limits
    chain = transformers.isEmpty ? nil : TransformerChain(transformers, namers: namers)
    chainToken = chain?.observe { [weak self] in
      guard let self else { return }
      for binding in bindings.values { binding.invalidate() }
    }
    namersToken = namers.observeChanges { [weak self] in
      guard let self else { return }
      for binding in bindings.values { binding.namersChanged() }
    }
  }

  /// From now on names stay bound by the namers they were bound by, whatever takes their place in the registry: for a
  /// router that only has requests to end.
  public func keepNamers() { namersToken = nil }

  /// The live binding of a name. `overrides` (a request's own entries) go before the dtab's. Everyone with the same name
  /// and overrides shares one; it ends when the last of them has closed or dropped theirs.
  public func bind(_ path: Path, overrides: Dtab = .empty) -> Binding {
    let key = BindingKey(path: path, overrides: overrides)
    if let shared = bindings[key] { return Binding(shared) }
    let shared = SharedBinding(key, interpreter: self)
    bindings[key] = shared
    shared.rebind()
    return Binding(shared)
  }

  /// The live bindings, sorted by name.
  public var boundNames: [Binding] {
    bindings.values.map { Binding($0) }.sorted { ($0.path, $0.overrides.count) < ($1.path, $1.overrides.count) }
  }

  fileprivate func rebindLater(_ binding: SharedBinding) {
    dirty.append(binding)
    rebinding.request()
  }

  private func rebindDirty() {
    let started = Clock.now
    var done = 0
    while done < dirty.count {
      dirty[done].rebind()
      done += 1
      if Clock.now.nanoseconds(since: started) > Self.rebindNanosecondsMax { break }
    }
    dirty.removeFirst(done)
    if !dirty.isEmpty { rebinding.request() }
  }

  fileprivate func outcome(
    of key: BindingKey, namer: (Path) -> LookupState<BoundName>
  ) -> BindState<BoundName> {
    let state = bindOnce(key.path, dtab: dtab + key.overrides, limits: limits, namer: namer)
    guard let chain, case .bound(let tree) = state else { return state }
    return chain.apply(tree)
  }
}

/// `Dtab.bind`, under a name that the methods of this file do not hide.
private func bindOnce(
  _ path: Path, dtab: Dtab, limits: BindLimits, namer: (Path) -> LookupState<BoundName>
) -> BindState<BoundName> {
  bind(path, dtab: dtab, limits: limits, namer: namer)
}

struct BindingKey: Hashable {
  let path: Path
  let overrides: Dtab
}

/// What a name is bound to, as routing should take it.
public enum BindingState: Equatable, Sendable {
  /// Nothing is known yet.
  case pending
  case bound(NameTree<BoundName>)
  /// Binding it again fails or waits: the last good tree stays in force.
  case stale(NameTree<BoundName>, since: MonotonicInstant, error: String)
  /// It could not be bound, and never was.
  case failed(BindFailure)

  /// What to route by; `nil` if there is nothing.
  public var tree: NameTree<BoundName>? {
    switch self {
    case .bound(let tree), .stale(let tree, _, _): tree
    case .pending, .failed: nil
    }
  }
}

/// One holder's view of a live binding.
@ControlActor
public final class Binding {
  private var shared: SharedBinding?
  public nonisolated let path: Path
  public nonisolated let overrides: Dtab
  private var last: BindingState = .pending

  fileprivate init(_ shared: SharedBinding) {
    self.shared = shared
    path = shared.key.path
    overrides = shared.key.overrides
  }

  /// After `close`, what it was then.
  public var state: BindingState { shared?.state ?? last }

  /// What the last attempt came to, the last good tree left aside.
  public var outcome: BindState<BoundName>? { shared?.outcome }

  /// The last tree that was bound, and since when the tree is what it is.
  public var lastGood: (tree: NameTree<BoundName>, since: MonotonicInstant)? { shared?.lastGood }

  /// The paths the namers were asked for whose namer fails at present, though it knows something from before.
  public var namerFailures: [(path: Path, failure: EndpointSource.Failure)] { shared?.namerFailures ?? [] }

  /// `onChange` is called at the end of a control turn in which `state` changed.
  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken {
    shared?.observers.add(onChange) ?? ObservationToken {}
  }

  /// Gives up this view; the names are watched no longer if it was the last. Idempotent.
  public func close() {
    last = state
    shared = nil
  }
}

/// The binding itself. Lives as long as somebody holds a `Binding` of it.
@ControlActor
private final class SharedBinding {
  let key: BindingKey
  private(set) var state: BindingState = .pending
  private(set) var outcome: BindState<BoundName> = .pending
  private(set) var lastGood: (tree: NameTree<BoundName>, since: MonotonicInstant)?
  let observers = Observers()
  private let interpreter: Interpreter
  /// What the outcome rests on.
  private var dependencies: [Path: Dependency] = [:]
  private var isDirty = false
  private var failingSince: MonotonicInstant?

  private struct Dependency {
    let lookup: NameLookup
    let token: ObservationToken
  }

  init(_ key: BindingKey, interpreter: Interpreter) {
    self.key = key
    self.interpreter = interpreter
  }

  var namerFailures: [(path: Path, failure: EndpointSource.Failure)] {
    dependencies.compactMap { path, dependency in dependency.lookup.failure.map { (path, $0) } }
      .sorted { $0.path < $1.path }
  }

  func invalidate() {
    guard !isDirty else { return }
    isDirty = true
    interpreter.rebindLater(self)
  }

  /// Asks anew for what was asked of a namer that is another now.
  func namersChanged() {
    let kept = dependencies.filter { !interpreter.namers.isChanged($0.key) }
    if kept.count == dependencies.count { return }
    dependencies = kept
    invalidate()
  }

  func rebind() {
    var used: [Path: Dependency] = [:]
    outcome = interpreter.outcome(of: key) { path in
      let dependency = dependencies[path] ?? watch(path, interpreter)
      used[path] = dependency
      return dependency.lookup.state
    }
    // Only now: what was needed before and is needed again must not stop in between.
    dependencies = used
    isDirty = false
    settle()
  }

  private func watch(_ path: Path, _ interpreter: Interpreter) -> Dependency {
    let lookup = interpreter.namers.lookup(path)
    return Dependency(lookup: lookup, token: lookup.observe { [weak self] in self?.invalidate() })
  }

  private func settle() {
    let now = Clock.now
    let next: BindingState
    switch outcome {
    case .bound(let tree):
      failingSince = nil
      if lastGood?.tree != tree { lastGood = (tree, now) }
      next = .bound(tree)
    case .pending:
      next = stale(now, "a namer has not answered yet") ?? .pending
    case .failed(let failure):
      next = stale(now, failure.description) ?? .failed(failure)
    }
    guard next != state else { return }
    state = next
    observers.notify()
  }

  private func stale(_ now: MonotonicInstant, _ error: String) -> BindingState? {
    let since = failingSince ?? now
    failingSince = since
    return lastGood.map { .stale($0.tree, since: since, error: error) }
  }
}

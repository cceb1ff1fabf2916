import Dtab
import MeshBase
import Net

/// How a name is bound, step by step, with hints for the steps that led nowhere.
public struct Explanation: Sendable {
  public var root: DelegationNode<BoundName>
  /// For paths that a namer answered with `neg`: names it could have bound.
  public var nearNames: [Path: [Path]]
  /// Every namer had answered before time was up.
  public var isComplete: Bool
}

extension Interpreter {
  /// Explains by the same code that binds, without keeping anything. Waits for namers that have not answered yet.
  public func delegate(
    _ path: Path, overrides: Dtab = .empty, timeoutMilliseconds: UInt64 = 2_000
  ) async -> Explanation {
    let table = dtab + overrides
    let wait = LookupWait(namers: namers)
    let deadline = Clock.now.advanced(byMilliseconds: timeoutMilliseconds)
    while true {
      wait.isPending = false
      let root = delegateOnce(path, dtab: table, limits: limits) { wait.state(of: $0) }
      let now = Clock.now
      if wait.isPending, now < deadline {
        await wait.change(withinMilliseconds: deadline.nanoseconds(since: now) / 1_000_000 + 1)
        continue
      }
      return Explanation(root: root, nearNames: near(root), isComplete: !wait.isPending)
    }
  }

  /// How many live bindings go through each entry of the dtab. Explains each of them, so it is for an operator's page,
  /// not for a scrape.
  public func bindingsPerEntry() -> [Int] {
    var counts = [Int](repeating: 0, count: dtab.count)
    for binding in boundNames {
      let wait = LookupWait(namers: namers)
      let root = delegateOnce(binding.path, dtab: dtab + binding.overrides, limits: limits) { wait.state(of: $0) }
      let used = Set(root.route.compactMap { $0.node.dentry?.index })
      for index in used where index < counts.count { counts[index] += 1 }
    }
    return counts
  }

  private func near(_ root: DelegationNode<BoundName>) -> [Path: [Path]] {
    var near: [Path: [Path]] = [:]
    for step in root.steps where step.node.kind == .neg && near[step.node.path] == nil {
      near[step.node.path] = namers.nearPaths(to: step.node.path)
      if near.count == Self.nearPathsMax { break }
    }
    return near.filter { !$0.value.isEmpty }
  }

  /// A search each, while somebody waits; more help nobody.
  private static let nearPathsMax = 3
}

private func delegateOnce(
  _ path: Path, dtab: Dtab, limits: BindLimits, namer: (Path) -> LookupState<BoundName>
) -> DelegationNode<BoundName> {
  delegate(path, dtab: dtab, limits: limits, namer: namer)
}

/// Holds the lookups of one explanation and wakes it when one of them changes.
@ControlActor
private final class LookupWait {
  var isPending = false
  private let namers: NamerRegistry
  private var lookups: [Path: (lookup: NameLookup, token: ObservationToken)] = [:]
  private var waiting: CheckedContinuation<Void, Never>?
  private lazy var timer = ControlTimer { [weak self] in self?.wake() }

  init(namers: NamerRegistry) { self.namers = namers }

  func state(of path: Path) -> LookupState<BoundName> {
    if lookups[path] == nil {
      let lookup = namers.lookup(path)
      lookups[path] = (lookup, lookup.observe { [weak self] in self?.wake() })
    }
    let state = lookups[path]?.lookup.state ?? .pending
    if case .pending = state { isPending = true }
    return state
  }

  func change(withinMilliseconds milliseconds: UInt64) async {
    timer.set(milliseconds: milliseconds)
    await withCheckedContinuation { waiting = $0 }
    timer.cancel()
  }

  private func wake() {
    waiting?.resume()
    waiting = nil
  }
}

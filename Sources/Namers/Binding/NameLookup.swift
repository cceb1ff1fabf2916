import Dtab
import MeshBase
import Net

/// What a namer knows of one path, live for as long as it is held.
///
/// Once it has given a tree, a failure keeps that tree and shows in `failure`.
@ControlActor
public final class NameLookup {
  public private(set) var state: LookupState<BoundName>
  /// `nil` while all is well.
  public private(set) var failure: EndpointSource.Failure?
  public private(set) var lastChanged: MonotonicInstant
  private let observers = Observers()
  /// What keeps the state up to date, alive for as long as the lookup is.
  var feeder: AnyObject?

  public init(_ state: LookupState<BoundName> = .pending, feeder: AnyObject? = nil) {
    self.state = state
    self.feeder = feeder
    lastChanged = Clock.now
  }

  /// A look-up that lives with what `feeder` makes to keep it up to date.
  convenience init(fedBy feeder: (NameLookup) -> AnyObject?) {
    self.init()
    self.feeder = feeder(self)
  }

  /// `onChange` is called on the control thread as soon as `state` has changed.
  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  public func publish(_ tree: NameTree<NamerAnswer<BoundName>>) {
    failure = nil
    replace(.tree(tree))
  }

  /// The namer cannot tell at present.
  public func fail(_ text: String) {
    failure = EndpointSource.Failure(text: text, since: failure?.since ?? Clock.now)
    switch state {
    case .tree: break
    case .pending, .failed: replace(.failed(text))
    }
  }

  /// Takes over what another lookup knows.
  func mirror(_ other: NameLookup) {
    failure = other.failure
    replace(other.state)
  }

  private func replace(_ state: LookupState<BoundName>) {
    guard state != self.state else { return }
    self.state = state
    lastChanged = Clock.now
    observers.notify()
  }
}

/// A source of names, configured at a prefix.
@ControlActor
public protocol Namer: AnyObject {
  /// Such as `/#/io.l5d.fs`.
  var prefix: Path { get }
  /// Such as `io.l5d.fs`.
  var kind: String { get }
  /// `rest` is the path behind the prefix. The namer watches what the answer depends on while the lookup is held.
  func lookup(_ rest: Path) -> NameLookup
  /// Names close to `rest` that it could bind, prefix included, nearest first, for "did you mean". Somebody waits for
  /// the answer, so it may look at ten thousand names and no more; need not be complete.
  func nearNames(to rest: Path, limit: Int) -> [Path]
  func state() -> NamerState
  /// Since when the stalest of the names in use has been failing; `nil` if none is. Asked every few seconds, so a namer
  /// with many names should not build their states for it.
  var failingSince: MonotonicInstant? { get }
  /// What is wrong with the namer as a whole, as `state()` has it.
  var lastError: String? { get }
  /// Called once when the namer becomes part of a registry.
  func joined(_ registry: NamerRegistry)
}

extension Namer {
  public func joined(_ registry: NamerRegistry) {}

  public var failingSince: MonotonicInstant? {
    let longest = state().names.compactMap(\.failingMilliseconds).max()
    let now = Clock.now.nanoseconds
    return longest.map { MonotonicInstant(nanoseconds: now - min(now, $0 * 1_000_000)) }
  }

  public var lastError: String? { state().lastError }
}

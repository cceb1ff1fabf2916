import MeshBase
import Net

/// The live set of endpoints behind one bound id, shared by all views of that id.
///
/// A failing source keeps the last set it knew; `failure` then says since when and why. Changes within one control turn
/// reach the observers as one.
@ControlActor
public final class EndpointSource {
  public struct Failure: Equatable, Sendable {
    public var text: String
    /// The first of the failures in a row.
    public var since: MonotonicInstant
  }

  public private(set) var current: EndpointSet
  public private(set) var lastChanged: MonotonicInstant
  /// `nil` while all is well.
  public var failure: Failure? { ownFailure ?? upstream?.failure }
  private var ownFailure: Failure?
  /// What this one is made from.
  private var upstream: EndpointSource?
  public var lastError: String? { failure?.text }
  /// Since when `current` may be out of date; `nil` if it is not.
  public var staleSince: MonotonicInstant? {
    if case .failed = current { nil } else { failure?.since }
  }

  /// The host that requests to these endpoints shall name; `nil`: the one they came with. Set before the endpoints are.
  public var authority: String? { ownAuthority ?? upstream?.authority }
  var ownAuthority: String?

  private let observers = Observers()
  private lazy var notification = EndOfTurn { [weak self] in self?.observers.notify() }
  /// What keeps the set up to date, alive for as long as the source is.
  var feeder: AnyObject?

  public init(_ current: EndpointSet = .pending, feeder: AnyObject? = nil) {
    self.current = current
    self.feeder = feeder
    lastChanged = Clock.now
  }

  /// A source that lives with what `feeder` makes to keep it up to date.
  convenience init(fedBy feeder: (EndpointSource) -> AnyObject?) {
    self.init()
    self.feeder = feeder(self)
  }

  /// `onChange` is called on the control thread at the end of a turn in which `current` changed.
  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  /// What the source says now. `.failed` is the same as calling `fail`.
  public func publish(_ set: EndpointSet) {
    if case .failed(let text) = set { return fail(text) }
    ownFailure = nil
    replace(set)
  }

  /// The source failed: the last good set stays.
  public func fail(_ text: String) {
    ownFailure = Failure(text: text, since: ownFailure?.since ?? Clock.now)
    switch current {
    case .bound, .neg: break
    case .pending, .failed: replace(.failed(text))
    }
  }

  /// The set is known in part: it is published, and the failure of the rest is shown.
  func publish(_ set: EndpointSet, partialFailure: String?) {
    guard let partialFailure else { return publish(set) }
    ownFailure = Failure(text: partialFailure, since: ownFailure?.since ?? Clock.now)
    replace(set)
  }

  private func replace(_ set: EndpointSet) {
    guard set != current else { return }
    current = set
    lastChanged = Clock.now
    notification.request()
  }
}

extension EndpointSource {
  /// A source that follows this one through a function.
  func mapped(_ transform: @escaping @ControlActor (EndpointSet) -> EndpointSet) -> EndpointSource {
    let result = EndpointSource()
    let update: @ControlActor () -> Void = { [weak self, weak result] in
      if let self, let result { result.publish(transform(current)) }
    }
    update()
    result.upstream = self
    result.feeder = observe(update)
    return result
  }
}

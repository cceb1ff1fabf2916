import MeshBase
import Net

/// The data or the children of one node, live for as long as it is held.
///
/// Where the servers cannot be asked, what was known stays, and `failure` says since when.
@ControlActor
final class ZooKeeperNode {
  enum Kind: Hashable {
    case data
    case children
  }

  enum Value: Equatable {
    /// Not answered yet.
    case pending
    /// There is no such node.
    case missing
    case data([UInt8])
    /// The names of its children, sorted.
    case children([String])
  }

  struct Key: Hashable {
    /// Below the ensemble's root: `/` or `/a/b`.
    var path: String
    var kind: Kind
  }

  /// What the server tells us of.
  enum Watch {
    case none
    /// That the node comes into being.
    case existence
    case content
  }

  let key: Key
  private(set) var value: Value = .pending
  var failure: EndpointSource.Failure? { ownFailure ?? client.failure }
  private var ownFailure: EndpointSource.Failure?
  private let client: ZooKeeperClient
  private let observers = Observers()

  // Managed by the client.
  var watch = Watch.none
  var isReading = false
  /// Has changed since it was read, or was never read.
  var isDirty = true

  init(_ key: Key, client: ZooKeeperClient) {
    self.key = key
    self.client = client
  }

  isolated deinit { client.forget(key, watch) }

  /// Called at once when `value` or `failure` has changed.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  func settle(_ value: Value) {
    let hadFailed = ownFailure != nil
    ownFailure = nil
    guard value != self.value || hadFailed else { return }
    self.value = value
    observers.notify()
  }

  func fail(_ text: String) {
    ownFailure = EndpointSource.Failure(text: text, since: ownFailure?.since ?? Clock.now)
    observers.notify()
  }

  /// The client's connection came or went.
  func clientChanged() { observers.notify() }

  var text: String? {
    if case .data(let bytes) = value { String(decoding: bytes, as: UTF8.self) } else { nil }
  }
}

import Dtab
import MeshBase
import Net

/// Tells which servers of a cluster manager to ask, as that changes: a fixed list, the leader that ZooKeeper knows, or
/// whatever a name is bound to.
@ControlActor
public protocol LeaderSource: AnyObject {
  /// The best one first; empty while none is known.
  var hosts: [ClusterHost] { get }
  /// Why `hosts` may be out of date or empty; `nil` while all is well.
  var lastError: String? { get }
  /// As people write it: `zk://zk1:2181/marathon`, `m1:8080,m2:8080`.
  var description: String { get }
  /// `onChange` is called on the control thread when `hosts` has changed. The source works while somebody observes it.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken
}

/// The hosts that the configuration names.
@ControlActor
public final class FixedHosts: LeaderSource {
  public let hosts: [ClusterHost]
  public var lastError: String? { nil }
  public nonisolated let description: String

  public init(_ hosts: [ClusterHost]) {
    self.hosts = hosts
    description = hosts.map(\.description).joined(separator: ",")
  }

  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { ObservationToken {} }
}

/// The endpoints that a name is bound to by the namers of the same router, such as `/$/inet/marathon.example/8080` or
/// `/#/io.l5d.zkLeader/…`: linkerd's `dst`.
@ControlActor
public final class NamedHosts: LeaderSource {
  public nonisolated let path: Path
  private let isSecure: Bool
  private let observers = Observers()
  private var lookup: NameLookup?
  private var lookupToken: ObservationToken?
  private var endpointTokens: [ObservationToken] = []
  private var sources: [EndpointSource] = []
  public private(set) var hosts: [ClusterHost] = []
  public private(set) var lastError: String? = "the name is not looked up yet"

  public nonisolated var description: String { path.description }

  public init(_ path: Path, isSecure: Bool = false) {
    self.path = path
    self.isSecure = isSecure
  }

  /// Once the registry is there whose namers may know the name.
  public func start(_ registry: NamerRegistry) {
    let lookup = registry.lookup(path)
    self.lookup = lookup
    lookupToken = lookup.observe { [weak self] in self?.follow() }
    follow()
  }

  private func follow() {
    var bound: [EndpointSource] = []
    if case .tree(let tree) = lookup?.state {
      tree.forEachLeaf { if case .bound(let name) = $0 { bound.append(name.endpoints) } }
    }
    endpointTokens = bound.map { source in source.observe { [weak self] in self?.update() } }
    sources = bound
    update()
  }

  private func update() {
    let next = sources.flatMap(\.current.endpoints).filter { $0.weight > 0 }.map { endpoint in
      ClusterHost(host: endpoint.address.ip, port: endpoint.address.port, isSecure: isSecure)
    }
    if next.isEmpty {
      // The last ones that were known may still be good.
      lastError = "\(path) is bound to no endpoint"
      return
    }
    lastError = nil
    guard next != hosts else { return }
    hosts = next
    observers.notify()
  }

  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }
}

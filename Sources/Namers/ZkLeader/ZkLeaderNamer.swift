import Dtab
import MeshBase
import Net

/// `io.l5d.zkLeader`: the leader of a group of candidates in ZooKeeper.
///
/// `/mesos` is the node below which the candidates stand; the data of the first says where it listens. The longest
/// beginning of a path that has a leader counts; the rest is residual.
@ControlActor
public final class ZkLeaderNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.zkLeader"
  private let client: ZooKeeperClient
  private let resolver: Resolver
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  public init(prefix: Path = "/#/io.l5d.zkLeader", client: ZooKeeperClient, resolver: Resolver) {
    self.prefix = prefix
    self.client = client
    self.resolver = resolver
  }

  public func lookup(_ rest: Path) -> NameLookup {
    if let known = lookups[rest] { return known }
    let lookup = NameLookup()
    lookups[rest] = lookup
    lookup.feeder = ZooKeeperWalk(rest, prefix: prefix, lookup) { [weak self] in self?.source($0) }
    return lookup
  }

  private func source(_ path: Path) -> EndpointSource? {
    if let known = sources[path] { return known }
    guard let text = ZooKeeperPath.text(path.labels) else { return nil }
    let source = EndpointSource()
    sources[path] = source
    source.feeder = Feed(text, client: client, resolver: resolver, source)
    return source
  }

  /// Feeds one source.
  @ControlActor
  private final class Feed {
    private var group: LeaderGroup?
    private let endpoints: HostEndpoints
    private weak var source: EndpointSource?

    init(_ path: String, client: ZooKeeperClient, resolver: Resolver, _ source: EndpointSource) {
      self.source = source
      endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
      group = LeaderGroup(path, client: client) { [weak self] in self?.update() }
      update()
    }

    private func update() {
      guard let group, let source else { return }
      switch group.state {
      case .pending: if let failure = group.failure { source.fail(failure) }
      case .none:
        endpoints.sourceFailure = group.failure
        endpoints.entries = []
      case .failed(let text): source.fail(text)
      case .leader(let places):
        endpoints.sourceFailure = group.failure
        endpoints.entries = places.map { HostEntry(host: $0.host, port: $0.port) }
      }
    }
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    client.nearNodes(to: rest, limit: limit).map { prefix + $0 }
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { client.failure?.text }

  public func state() -> NamerState {
    client.namerState(
      kind: kind, prefix: prefix,
      names: sources.entries.filter { $0.value.current != .neg }.map {
        NamerState.Name(id: prefix + $0.key, source: $0.value)
      })
  }
}

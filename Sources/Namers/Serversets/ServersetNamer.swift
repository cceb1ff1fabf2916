import Dtab
import MeshBase
import Net

/// `io.l5d.serversets`: groups of members in ZooKeeper, as Aurora and Finagle services announce them.
///
/// `/discovery/prod/web` is the node whose children `member_…` say in JSON where they listen; `:http` behind the last
/// element chooses one of their additional endpoints, `#3` one shard. The longest beginning of a path that has live
/// members counts; the rest is residual.
@ControlActor
public final class ServersetNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.serversets"
  private let client: ZooKeeperClient
  private let resolver: Resolver
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  public init(prefix: Path = "/#/io.l5d.serversets", client: ZooKeeperClient, resolver: Resolver) {
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
    guard let place = ServersetPath(path) else { return nil }
    let source = EndpointSource()
    sources[path] = source
    source.feeder = Serverset(place, client: client, resolver: resolver, source)
    return source
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

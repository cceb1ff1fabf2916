import Dtab
import MeshBase
import Net

/// What namers over ZooKeeper share: the longest beginning of a path that can be bound counts; the rest is residual.
@ControlActor
public class ZooKeeperNamer: Namer {
  public final let prefix: Path
  public final let kind: String
  final let client: ZooKeeperClient
  final let resolver: Resolver
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  init(kind: String, prefix: Path?, client: ZooKeeperClient, resolver: Resolver) {
    self.kind = kind
    self.prefix = prefix ?? Path(labels: ["#", kind])
    self.client = client
    self.resolver = resolver
  }

  /// What keeps the source of a path behind the prefix up to date; `nil` if the path cannot be a name.
  func feeder(of path: Path, _ source: EndpointSource) -> AnyObject? { nil }

  public final func lookup(_ rest: Path) -> NameLookup {
    lookups.value(rest) {
      NameLookup { ZooKeeperWalk(rest, prefix: prefix, $0) { [weak self] in self?.source($0) } }
    }
  }

  private func source(_ path: Path) -> EndpointSource? {
    if let known = sources[path] { return known }
    let source = EndpointSource { feeder(of: path, $0) }
    if source.feeder == nil { return nil }
    sources[path] = source
    return source
  }

  public final func nearNames(to rest: Path, limit: Int) -> [Path] {
    client.nearNodes(to: rest, limit: limit).map { prefix + $0 }
  }

  public final var failingSince: MonotonicInstant? { sources.failingSince }
  public final var lastError: String? { client.failure?.text }

  public final func state() -> NamerState {
    let age = client.failure.map { "\(Clock.now.nanoseconds(since: $0.since) / 1_000_000_000) s" }
    return NamerState(
      kind: kind, prefix: prefix,
      facts: [
        ("zookeeper", client.ensemble.description), ("connection", client.status),
        ("expiredSessions", "\(client.expiredSessions)"), ("failingFor", age ?? "0 s"),
      ], lastError: lastError,
      names: sources.entries.filter { $0.value.current != .neg }.map {
        NamerState.Name(id: prefix + $0.key, source: $0.value)
      })
  }
}

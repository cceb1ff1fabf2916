import Dtab
import MeshBase
import Net

/// `io.l5d.static`: endpoints written into the configuration. The longest name that is the path or the beginning of it
/// counts; the rest is residual.
@ControlActor
public final class StaticNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.static"
  private let names: [Path: [HostEntry]]
  private let longest: Int
  private let resolver: Resolver
  private var sources = WeakTable<Path, EndpointSource>()

  public init(prefix: Path = "/#/io.l5d.static", names: [Path: [HostEntry]], resolver: Resolver) {
    self.prefix = prefix
    self.names = names
    self.resolver = resolver
    longest = names.keys.map(\.count).max() ?? 0
  }

  public func lookup(_ rest: Path) -> NameLookup {
    for count in stride(from: min(longest, rest.count), to: 0, by: -1) {
      let name = rest.prefix(count)
      guard let entries = names[name] else { continue }
      let id = prefix + name
      let bound = BoundName(id: id, residual: rest.dropFirst(count), endpoints: source(id, entries))
      return NameLookup(.tree(.leaf(.bound(bound))))
    }
    return NameLookup(.tree(.neg))
  }

  private func source(_ id: Path, _ entries: [HostEntry]) -> EndpointSource {
    sources.value(id) {
      EndpointSource { source in
        let feed = HostEndpoints(source, resolver: resolver)
        feed.entries = entries
        return feed
      }
    }
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    nearPaths(to: rest, among: Array(names.keys), limit: limit).map { prefix + $0 }
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { nil }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix, names: sources.entries.map { NamerState.Name(id: $0.key, source: $0.value) })
  }
}

import Dtab
import MeshBase
import Net

/// `io.l5d.dnssrv`: services by their SRV records, as Mesos-DNS, Consul and Kubernetes publish them.
///
/// The first element is the name that is asked for, such as `_http._tcp.web.example`; the rest is residual. A name
/// without records is `neg`.
@ControlActor
public final class DnsServiceNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.dnssrv"
  private let domain: String?
  private let resolver: Resolver
  private let refreshMilliseconds: UInt64
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  /// - Parameters:
  ///   - domain: stands behind names that do not end with a dot.
  ///   - refreshMilliseconds: names are asked for this often, and more often if their time to live is shorter.
  public init(
    prefix: Path = "/#/io.l5d.dnssrv", domain: String? = nil, refreshMilliseconds: UInt64 = 5_000, resolver: Resolver
  ) {
    self.prefix = prefix
    let dots = CollectionOfOne(Character("."))
    self.domain = domain.map { String($0.trimmingPrefix(dots)) }.flatMap { $0.isEmpty ? nil : $0 }
    self.refreshMilliseconds = refreshMilliseconds
    self.resolver = resolver
  }

  public func lookup(_ rest: Path) -> NameLookup {
    guard let label = rest.first, Resolver.isHostName(fullName(label.text)) else { return NameLookup(.tree(.neg)) }
    return lookups.value(rest) {
      let id = rest.prefix(1)
      let bound = BoundName(id: prefix + id, residual: rest.dropFirst(), endpoints: source(id, fullName(label.text)))
      return NameLookup { Follow(bound, $0) }
    }
  }

  private func fullName(_ name: String) -> String {
    guard let domain, !name.hasSuffix(".") else { return name }
    return name + "." + domain
  }

  private func source(_ id: Path, _ name: String) -> EndpointSource {
    sources.value(id) {
      EndpointSource { DnsService(name, resolver: resolver, refreshMilliseconds: refreshMilliseconds, $0) }
    }
  }

  /// DNS gives no list: of the names in use, those that have records.
  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    guard let wanted = rest.first?.text else { return [] }
    let known = sources.entries.lazy.filter { !$0.value.current.endpoints.isEmpty }.compactMap { $0.key.first?.text }
    return MeshBase.nearNames(to: wanted, among: known, limit: limit).map { prefix.appending(Label($0)) }
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { nil }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix,
      facts: [("domain", domain ?? ""), ("refreshMilliseconds", "\(refreshMilliseconds)")],
      names: sources.entries.map { NamerState.Name(id: prefix + $0.key, source: $0.value) })
  }
}

import Dtab
import MeshBase
import Net

/// `io.l5d.consul`: services as Consul knows them, followed with blocking queries.
///
/// A name is `DATACENTER/SERVICE`, or `DATACENTER/TAG/SERVICE`; the rest is residual. The datacenter `.local` is that of
/// the agent that is asked. A service without instances that count is `neg`.
@ControlActor
public final class ConsulNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.consul"
  private let client: ClusterClient
  private let options: Options
  private let resolver: Resolver
  private let catalog: NameCatalog
  /// `nil`: nothing that it says is needed.
  private let agent: ConsulAgent?
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  public init(
    prefix: Path = "/#/io.l5d.consul", client: ClusterClient, options: Options = Options(), resolver: Resolver
  ) {
    self.prefix = prefix
    self.client = client
    self.options = options
    self.resolver = resolver
    catalog = NameCatalog(client: client, parse: Self.names)
    agent = options.setsHost ? ConsulAgent(client: client, headers: options.headers) : nil
  }

  private var nameLength: Int { options.includesTag ? 3 : 2 }

  public func lookup(_ rest: Path) -> NameLookup {
    let id = rest.prefix(nameLength)
    guard id.count == nameLength else { return NameLookup(.tree(.neg)) }
    return lookups.value(rest) {
      let bound = BoundName(id: prefix + id, residual: rest.dropFirst(nameLength), endpoints: source(id))
      return NameLookup { Follow(bound, $0) }
    }
  }

  private func source(_ id: Path) -> EndpointSource {
    sources.value(id) {
      let datacenter = Self.datacenter(id)
      let key = ConsulService.Key(
        datacenter: datacenter, tag: options.includesTag ? id[1].text : nil, name: id[nameLength - 1].text)
      let query = options.query(datacenter: datacenter)
      let list = ClusterRequest(
        "/v1/catalog/services" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")), headers: options.headers)
      return EndpointSource { source in
        ConsulService(key, options: options, client: client, agent: agent, resolver: resolver, source) {
          [weak catalog] in
          catalog?.refresh(datacenter ?? "", list)
        }
      }
    }
  }

  /// An object with a member for each service.
  private static func names(_ json: [UInt8]) throws -> [String] {
    var reader = JSONReader(json.span)
    var names: [String] = []
    guard try reader.beginObject() else { return [] }
    while try reader.nextKey() { names.append(reader.key) }
    return names
  }

  private static func datacenter(_ path: Path) -> String? { path[0].text == ".local" ? nil : path[0].text }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    guard rest.count >= nameLength else { return [] }
    let near = catalog.near(rest[nameLength - 1].text, in: Self.datacenter(rest) ?? "", limit: limit)
    return near.map {
      prefix + rest.prefix(nameLength - 1).appending(Label($0))
    }
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { nil }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix,
      facts: [
        ("consul", client.source.description), ("lastAnswerFrom", client.lastGood?.description ?? "nobody"),
        ("consistencyMode", options.consistency.rawValue),
      ], names: sources.entries.map { NamerState.Name(id: prefix + $0.key, source: $0.value) })
  }
}

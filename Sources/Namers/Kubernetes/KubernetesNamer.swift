import Dtab
import MeshBase
import Net

/// `io.l5d.k8s` and its kin: services of a Kubernetes cluster, followed by watches of its API.
///
/// A name is `NAMESPACE/PORT/SERVICE`, without the namespace where the configuration gives one, and with the value of a
/// label behind it where the configuration has a label selector; the rest is residual. The port is a name, or a number of
/// the service. A service without endpoints that can serve is `neg`.
@ControlActor
public final class KubernetesNamer: Namer {
  public enum Scope: Sendable, Equatable {
    /// `io.l5d.k8s`: endpoints of all namespaces.
    case all
    /// `io.l5d.k8s.ns`: endpoints of one.
    case namespace(String)
    /// `io.l5d.k8s.external`: load balancers of services, for callers outside of the cluster.
    case external
  }

  public struct Options: Sendable {
    public var scope = Scope.all
    /// The name of a label that services must have; its value is part of the name.
    public var labelSelector: String?
    var watch = KubernetesWatchOptions()

    public init(scope: Scope = .all, labelSelector: String? = nil) {
      self.scope = scope
      self.labelSelector = labelSelector
    }
  }

  public let prefix: Path
  public let kind: String
  private let client: ClusterClient
  private let options: Options
  private let resolver: Resolver
  /// Names of services, by namespace.
  private let catalog: NameCatalog
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<Path, EndpointSource>()

  public init(prefix: Path? = nil, client: ClusterClient, options: Options = Options(), resolver: Resolver) {
    kind =
      switch options.scope {
      case .all: "io.l5d.k8s"
      case .namespace: "io.l5d.k8s.ns"
      case .external: "io.l5d.k8s.external"
      }
    self.prefix = prefix ?? Path(labels: ["#", kind])
    self.client = client
    self.options = options
    self.resolver = resolver
    catalog = NameCatalog(client: client, parse: Self.names)
  }

  private var nameLength: Int {
    var length = 3
    if case .namespace = options.scope { length = 2 }
    return options.labelSelector == nil ? length : length + 1
  }

  public func lookup(_ rest: Path) -> NameLookup {
    guard let (id, key) = name(rest) else { return NameLookup(.tree(.neg)) }
    return lookups.value(rest) {
      let bound = BoundName(id: prefix + id, residual: rest.dropFirst(nameLength), endpoints: source(id, key))
      return NameLookup { Follow(bound, $0) }
    }
  }

  /// Names of the API are in lower case; callers' may not be. `nil`: too short, or with bytes that no name has.
  private func name(_ rest: Path) -> (id: Path, key: KubernetesName.Key)? {
    guard rest.count >= nameLength else { return nil }
    var texts = rest.prefix(nameLength).labels.map { $0.text }
    let label = options.labelSelector == nil ? nil : texts.removeLast()
    let names = texts.map { $0.lowercased() }
    let isPlain = names.allSatisfy { name in
      name.utf8.count <= 253
        && name.utf8.allSatisfy { Ascii.isDigit($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x2e }
    }
    guard isPlain, label?.contains(",") != true else { return nil }
    var namespace = names[0]
    var own = names[...]
    if case .namespace(let only) = options.scope { namespace = only } else { own = own.dropFirst() }
    let key = KubernetesName.Key(
      namespace: namespace, port: KubernetesPlaces.Port(own[own.startIndex]), service: own[own.startIndex + 1],
      label: label)
    return (Path(labels: names + (label.map { [$0] } ?? [])), key)
  }

  private func source(_ id: Path, _ key: KubernetesName.Key) -> EndpointSource {
    sources.value(id) {
      let namespace = key.namespace
      let list = ClusterRequest(
        "/api/v1/namespaces/\(ControlQuery.encodeComponent(namespace))/services?limit=1000",
        headers: ControlHeaders(["Accept": "application/json"]))
      return EndpointSource { source in
        KubernetesName(key, options: options, client: client, resolver: resolver, source) { [weak catalog] in
          catalog?.refresh(namespace, list)
        }
      }
    }
  }

  /// A list of services, each with its name in the metadata.
  private static func names(_ json: [UInt8]) throws -> [String] {
    var reader = JSONReader(json.span)
    var names: [String] = []
    guard try reader.beginObject() else { return [] }
    while try reader.nextKey() {
      guard reader.isKey("items"), try reader.beginArray() else { continue }
      while try reader.nextElement() {
        guard try reader.beginObject() else { continue }
        while try reader.nextKey() {
          guard reader.isKey("metadata"), try reader.beginObject() else { continue }
          while try reader.nextKey() {
            if reader.isKey("name"), let name = try reader.string() { names.append(name) }
          }
        }
      }
    }
    return names
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    guard let (id, key) = name(rest) else { return [] }
    // Behind the service stands at most the value of its label.
    let place = id.count - (key.label == nil ? 1 : 2)
    return catalog.near(key.service, in: key.namespace, limit: limit).map {
      prefix + id.prefix(place).appending(Label($0)) + id.dropFirst(place + 1)
    }
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { nil }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix,
      facts: [
        ("api", client.source.description), ("lastAnswerFrom", client.lastGood?.description ?? "nobody"),
        ("labelSelector", options.labelSelector ?? ""),
      ], names: sources.entries.map { NamerState.Name(id: prefix + $0.key, source: $0.value) })
  }
}

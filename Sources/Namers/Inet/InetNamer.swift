import Dtab
import MeshBase
import Net

/// `/$/inet/<host>/<port>/…` and `/$/inet/<port>` (this host): literal addresses and host names; the rest of the path is
/// residual. With `isFixed` it is `/$/fixedinet`, which keeps the first answer for as long as the name is in use.
///
/// Any well-formed host is a positive answer, whether or not DNS knows it: what DNS says shows in the endpoints alone, so
/// an alternation does not go on behind such a name. What can only be meant as an address, and is none, fails.
@ControlActor
final class InetNamer: Namer {
  let prefix: Path
  let kind: String
  private let isFixed: Bool
  private let resolver: Resolver
  private var sources = WeakTable<Path, EndpointSource>()

  init(resolver: Resolver, isFixed: Bool = false) {
    self.resolver = resolver
    self.isFixed = isFixed
    kind = isFixed ? "fixedinet" : "inet"
    prefix = Path(labels: ["$", kind])
  }

  func lookup(_ rest: Path) -> NameLookup {
    let labels = rest.prefix(2).labels
    let host: String
    let port: UInt16
    let consumed: Int
    if labels.count == 2, labels[1].bytes.allSatisfy(Ascii.isDigit) {
      guard let number = Self.port(labels[1]) else { return NameLookup(.tree(.neg)) }
      (host, port, consumed) = (labels[0].text, number, 2)
    } else if let first = labels.first, let number = Self.port(first) {
      (host, port, consumed) = ("localhost", number, 1)
    } else {
      return NameLookup(.tree(.neg))
    }
    if Resolver.literal(host) == nil, Resolver.looksLikeAddress(host) {
      return NameLookup(.failed("\(host) is no address: write all its four numbers, such as 127.0.0.1"))
    }
    guard Resolver.literal(host) != nil || Resolver.isHostName(host) else { return NameLookup(.tree(.neg)) }
    let id = prefix + rest.prefix(consumed)
    let bound = BoundName(id: id, residual: rest.dropFirst(consumed), endpoints: source(id, host, port))
    return NameLookup(.tree(.leaf(.bound(bound))))
  }

  /// 1 to 65535, digits only.
  static func port(_ label: Label) -> UInt16? {
    guard label.bytes.count <= 5, label.bytes.allSatisfy(Ascii.isDigit), let port = UInt16(label.text), port > 0 else {
      return nil
    }
    return port
  }

  private func source(_ id: Path, _ host: String, _ port: UInt16) -> EndpointSource {
    sources.value(id) {
      EndpointSource { source in
        let feed = HostEndpoints(source, resolver: resolver, isFixed: isFixed)
        feed.entries = [HostEntry(host: host, port: port)]
        return feed
      }
    }
  }

  func nearNames(to rest: Path, limit: Int) -> [Path] { [] }

  var failingSince: MonotonicInstant? { sources.failingSince }
  var lastError: String? { nil }
  var isInUse: Bool { !sources.isEmpty }

  func state() -> NamerState {
    NamerState(kind: kind, prefix: prefix, names: sources.entries.map { NamerState.Name(id: $0.key, source: $0.value) })
  }
}

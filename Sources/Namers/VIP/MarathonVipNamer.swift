import Dtab
import MeshBase
import Net

/// `io.l5d.vip` where there is no Mesos namer: the VIPs that labels of a Marathon's apps state, of ports (`VIP_0:
/// /web:80`) and of apps (`vip_port0: tcp://web:80`).
///
/// A VIP is bound to the ids of the app ports that state it, so that it shares balancer, pool and statistics with the apps'
/// own names: to the one there usually is, else to their union, each weighted by its endpoints.
@ControlActor
public final class MarathonVipNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.vip"
  private let marathon: MarathonNamer
  private weak var registry: NamerRegistry?
  private var follows = WeakTable<Path, MarathonVipFollow>()

  public init(prefix: Path = "/#/io.l5d.vip", marathon: MarathonNamer) {
    self.prefix = prefix
    self.marathon = marathon
  }

  public func joined(_ registry: NamerRegistry) { self.registry = registry }

  public func lookup(_ rest: Path) -> NameLookup {
    guard let (key, count) = VipPath.key(rest) else { return NameLookup(.tree(.neg)) }
    return NameLookup { lookup in
      let follow = MarathonVipFollow(key, residual: rest.dropFirst(count), lookup, marathon.store.vipsInUse()) {
        [weak registry, marathon] in
        registry?.lookup(marathon.prefix + $0)
      }
      follows[rest] = follow
      return follow
    }
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    guard let (key, _) = VipPath.key(rest), let vips = marathon.store.vips?.vips else { return [] }
    return MeshBase.nearNames(to: key.hostText, among: vips.lazy.map(\.hostText), limit: limit)
      .compactMap { text in vips.first { $0.hostText == text }.map { VipPath.id(prefix, $0) } }
  }

  public var failingSince: MonotonicInstant? {
    follows.isEmpty ? nil : marathon.store.vips?.failure?.since ?? marathon.failingSince
  }

  public var lastError: String? { marathon.store.vips?.failure?.text ?? marathon.lastError }

  public func state() -> NamerState {
    let vips = marathon.store.vips
    let age = vips?.lastList.map { "\(Clock.now.nanoseconds(since: $0) / 1_000_000) ms ago" } ?? "never"
    let names = follows.values.flatMap { follow in
      follow.endpoints.map { NamerState.Name(id: VipPath.id(prefix, follow.key), source: $0) }
    }
    return NamerState(
      kind: kind, prefix: prefix,
      facts: [
        ("marathon", marathon.prefix.description), ("framework", vips?.framework ?? "not asked yet"),
        ("vips", String(vips?.vips.count ?? 0)), ("apps", String(vips?.appCount ?? 0)),
        ("lists", String(vips?.lists ?? 0)), ("lastList", age),
      ],
      lastError: lastError, names: names)
  }
}

/// Answers a look-up of a VIP with the app ports that state it.
@ControlActor
private final class MarathonVipFollow {
  let key: VipKey
  private let residual: Path
  private weak var lookup: NameLookup?
  private let vips: MarathonVips
  private let ask: @ControlActor (Path) -> NameLookup?
  private var token: ObservationToken?
  private var apps: [MarathonVips.Port: App] = [:]

  private struct App {
    let lookup: NameLookup
    let token: ObservationToken
    /// What it is bound to, and who watches how many endpoints that has.
    var bound: (name: BoundName, token: ObservationToken)?
  }

  /// - Parameter ask: looks a name up, behind the Marathon namer's prefix.
  init(
    _ key: VipKey, residual: Path, _ lookup: NameLookup, _ vips: MarathonVips,
    ask: @escaping @ControlActor (Path) -> NameLookup?
  ) {
    self.key = key
    self.residual = residual
    self.lookup = lookup
    self.vips = vips
    self.ask = ask
    token = vips.observe { [weak self] in self?.update() }
    update()
  }

  /// Of the app ports in use.
  var endpoints: [EndpointSource] { apps.sorted { $0.key < $1.key }.compactMap { $0.value.bound?.name.endpoints } }

  private func update() {
    guard vips.isComplete else {
      if let failure = vips.failure { lookup?.fail(failure.text) }
      return
    }
    let ports = vips.ports(of: key)
    follow(ports)
    var bound: [BoundName] = []
    var failure: String?
    for port in ports {
      switch apps[port]?.lookup.state {
      // Its app has not been answered for yet.
      case .pending: return
      case .failed(let text): failure = text
      case .tree(.leaf(.bound(let name))): bound.append(watch(port, name))
      case .tree, nil: apps[port]?.bound = nil
      }
    }
    if let failure, bound.isEmpty { return lookup?.fail(failure) ?? () }
    let branches = bound.map { Weighted(weight(of: $0), NameTree.leaf(NamerAnswer.bound($0))) }
    switch branches.count {
    case 0: lookup?.publish(.neg)
    case 1: lookup?.publish(branches[0].tree)
    default: lookup?.publish(.union(branches))
    }
  }

  private func follow(_ ports: [MarathonVips.Port]) {
    let wanted = Set(ports)
    apps = apps.filter { wanted.contains($0.key) }
    for port in ports where apps[port] == nil {
      guard let path = try? Path(parsing: port.app), let found = ask(Path(labels: [":\(port.index)"]) + path) else {
        continue
      }
      apps[port] = App(lookup: found, token: found.observe { [weak self] in self?.update() })
    }
  }

  /// The app port's name with the residual of the VIP's path.
  private func watch(_ port: MarathonVips.Port, _ name: BoundName) -> BoundName {
    let bound = BoundName(id: name.id, residual: residual, endpoints: name.endpoints)
    if apps[port]?.bound?.name != bound {
      apps[port]?.bound = (bound, name.endpoints.observe { [weak self] in self?.update() })
    }
    return bound
  }

  private func weight(of name: BoundName) -> Double {
    Double(max(1, name.endpoints.current.endpoints.count { $0.weight > 0 }))
  }
}

import Dtab
import MeshBase
import Net

/// `io.l5d.vip`: VIPs that labels of Mesos tasks state, by paths such as `web.marathon/80`; the rest is residual.
///
/// A VIP that exactly one port of one Marathon app states is bound to the id of that app's port if a Marathon namer
/// knows it, so that both names share balancer, pool and statistics; until it is known, and otherwise, to its own.
@ControlActor
public final class VipNamer: MesosClusterNamer {
  public let prefix: Path
  public let kind = "io.l5d.vip"
  public let cluster: MesosCluster
  /// Where the Marathon namer stands; `nil`: there is none.
  private var marathon: Path?
  private weak var registry: NamerRegistry?

  /// - Parameter marathon: where the Marathon namer stands; `nil`: the first one of the registry.
  public init(prefix: Path = "/#/io.l5d.vip", cluster: MesosCluster, marathon: Path? = nil) {
    self.prefix = prefix
    self.cluster = cluster
    self.marathon = marathon
  }

  public func joined(_ registry: NamerRegistry) {
    self.registry = registry
    marathon = marathon ?? registry.namers.first { $0.kind == "io.l5d.marathon" }?.prefix
  }

  public func lookup(_ rest: Path) -> NameLookup {
    guard let (key, count) = VipPath.key(rest) else { return NameLookup(.tree(.neg)) }
    let id = VipPath.id(prefix, key)
    let own = BoundName(id: id, residual: rest.dropFirst(count), endpoints: cluster.source(id, .vip(key)))
    return NameLookup { lookup in
      VipFollow(own, key, lookup, cluster: cluster) { [weak registry, marathon] app in
        guard let marathon, let registry else { return nil }
        return registry.lookup(marathon + app)
      }
    }
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    guard let (key, _) = VipPath.key(rest) else { return [] }
    return cluster.nearVips(key.hostText, limit: limit).map { VipPath.id(prefix, $0) }
  }
}

/// Answers a look-up of a VIP: with the app port's name where there is one, else with the VIP's own.
@ControlActor
private final class VipFollow {
  private let own: BoundName
  private let key: VipKey
  private weak var lookup: NameLookup?
  private let cluster: MesosCluster
  private let marathon: @ControlActor (Path) -> NameLookup?
  private var token: ObservationToken?
  private var app: (path: Path, lookup: NameLookup, token: ObservationToken)?
  private var appEndpoints: (source: EndpointSource, token: ObservationToken)?

  init(
    _ own: BoundName, _ key: VipKey, _ lookup: NameLookup, cluster: MesosCluster,
    marathon: @escaping @ControlActor (Path) -> NameLookup?
  ) {
    self.own = own
    self.key = key
    self.lookup = lookup
    self.cluster = cluster
    self.marathon = marathon
    token = own.endpoints.observe { [weak self] in self?.update() }
    update()
  }

  private func update() {
    switch own.endpoints.current {
    case .pending: return
    case .neg:
      app = nil
      appEndpoints = nil
      lookup?.publish(.neg)
      return
    case .failed(let text):
      lookup?.fail(text)
      return
    case .bound: break
    }
    followApp()
    lookup?.publish(.leaf(.bound(shared ?? own)))
  }

  /// Looks the app port up that alone states the VIP.
  private func followApp() {
    let path = cluster.model.appPort(of: key)
    guard path != app?.path else { return }
    app = nil
    appEndpoints = nil
    guard let path, let found = marathon(path) else { return }
    app = (path, found, found.observe { [weak self] in self?.update() })
  }

  /// The app port's name, if it is the same thing: an app of another Marathon may have the same name.
  private var shared: BoundName? {
    guard case .tree(.leaf(.bound(let name)))? = app?.lookup.state, name.residual.isEmpty else { return nil }
    if appEndpoints?.source !== name.endpoints {
      appEndpoints = (name.endpoints, name.endpoints.observe { [weak self] in self?.update() })
    }
    let theirs = Set(name.endpoints.current.endpoints.flatMap { Self.addresses($0) })
    let ours = own.endpoints.current.endpoints
    guard ours.contains(where: { !theirs.isDisjoint(with: Self.addresses($0)) }) else { return nil }
    return BoundName(id: name.id, residual: own.residual, endpoints: name.endpoints)
  }

  /// Marathon may list an endpoint by its other address.
  private static func addresses(_ endpoint: Endpoint) -> [SocketAddress] {
    let others = endpoint.metadata["alternates"]?.split(separator: ",").compactMap { SocketAddress(String($0)) } ?? []
    return [endpoint.address] + others
  }
}

extension MesosModel {
  /// `:1/shop/api` if all ports with the VIP are the second port of the tasks named `api.shop`: how Marathon names the
  /// tasks of `/shop/api`. Whether that app exists is for the Marathon namer to say: a dot in an app's id makes the name
  /// ambiguous.
  func appPort(of vip: VipKey) -> Path? {
    let workloads = workloads(of: vip)
    guard workloads.count == 1, let workload = workloads.first,
      let label = vip.label(inFramework: workload.framework.label)
    else { return nil }
    var indices: Set<UInt16> = []
    for task in workload.tasks {
      guard task.hasDiscovery else { return nil }
      for port in task.ports where port.vips.contains(label) { indices.insert(port.isDeclared ? port.index : .max) }
    }
    let segments = workload.name.split(separator: ".", omittingEmptySubsequences: false)
    guard indices.count == 1, let index = indices.first, index != .max, segments.allSatisfy({ !$0.isEmpty }) else {
      return nil
    }
    return Path([Label(":\(index)")] + segments.reversed().map { Label($0) })
  }
}

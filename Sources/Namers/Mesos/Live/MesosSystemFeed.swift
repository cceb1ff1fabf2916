import MeshBase
import Net

/// Feeds a name of the cluster itself: masters as they are known to the source of the cluster, agents as the model has
/// them.
@ControlActor
final class MesosSystemFeed {
  private let name: MesosSystemName
  private let endpoints: HostEndpoints
  private weak var source: EndpointSource?
  private weak var cluster: MesosCluster?
  private var token: ObservationToken?
  private lazy var timer = ControlTimer { [weak self] in self?.update() }
  /// Tasks come and go all the time; agents and frameworks seldom.
  private static let modelMilliseconds: UInt64 = 500

  init(_ name: MesosSystemName, _ source: EndpointSource, of cluster: MesosCluster, resolver: Resolver) {
    self.name = name
    self.source = source
    self.cluster = cluster
    endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
    token = cluster.observe { [weak self] in self?.changed() }
    update()
  }

  private func changed() {
    if name.isOfModel, source?.current != .pending {
      if !timer.isSet { timer.set(milliseconds: Self.modelMilliseconds) }
    } else {
      update()
    }
  }

  private func update() {
    guard let cluster, let source else { return }
    endpoints.sourceFailure = cluster.failure?.text
    guard let entries = cluster.entries(name) else {
      if let failure = cluster.failure { source.fail(failure.text) }
      return
    }
    if endpoints.entries != entries || source.current == .pending {
      endpoints.entries = entries
    } else {
      endpoints.publish()
    }
  }
}

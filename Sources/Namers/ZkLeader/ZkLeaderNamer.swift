import Dtab
import MeshBase
import Net

/// `io.l5d.zkLeader`: the leader of a group of candidates in ZooKeeper.
///
/// `/mesos` is the node below which the candidates stand; the data of the first says where it listens. The longest
/// beginning of a path that has a leader counts; the rest is residual.
@ControlActor
public final class ZkLeaderNamer: ZooKeeperNamer {
  public init(prefix: Path? = nil, client: ZooKeeperClient, resolver: Resolver) {
    super.init(kind: "io.l5d.zkLeader", prefix: prefix, client: client, resolver: resolver)
  }

  override func feeder(of path: Path, _ source: EndpointSource) -> AnyObject? {
    ZooKeeperPath.text(path.labels).map { Feed($0, client: client, resolver: resolver, source) }
  }

  /// Feeds one source.
  @ControlActor
  private final class Feed {
    private var group: LeaderGroup?
    private let endpoints: HostEndpoints
    private weak var source: EndpointSource?

    init(_ path: String, client: ZooKeeperClient, resolver: Resolver, _ source: EndpointSource) {
      self.source = source
      endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
      group = LeaderGroup(path, client: client) { [weak self] in self?.update() }
      update()
    }

    private func update() {
      guard let group, let source else { return }
      switch group.state {
      case .pending: if let failure = group.failure { source.fail(failure) }
      case .none:
        endpoints.sourceFailure = group.failure
        endpoints.entries = []
      case .failed(let text): source.fail(text)
      case .leader(let places):
        endpoints.sourceFailure = group.failure
        endpoints.entries = places.map { HostEntry(host: $0.host, port: $0.port) }
      }
    }
  }
}

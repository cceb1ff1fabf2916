import Dtab
import MeshBase
import Net

/// `io.l5d.serversets`: groups of members in ZooKeeper, as Aurora and Finagle services announce them.
///
/// `/discovery/prod/web` is the node whose children `member_…` say in JSON where they listen; `:http` behind the last
/// element chooses one of their additional endpoints, `#3` one shard. The longest beginning of a path that has live
/// members counts; the rest is residual.
@ControlActor
public final class ServersetNamer: ZooKeeperNamer {
  public init(prefix: Path? = nil, client: ZooKeeperClient, resolver: Resolver) {
    super.init(kind: "io.l5d.serversets", prefix: prefix, client: client, resolver: resolver)
  }

  override func feeder(of path: Path, _ source: EndpointSource) -> AnyObject? {
    ServersetPath(path).map { Serverset($0, client: client, resolver: resolver, source) }
  }
}

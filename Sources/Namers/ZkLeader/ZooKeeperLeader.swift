import MeshBase
import Net

/// The leader of a cluster manager as ZooKeeper knows it: `zk://zk1:2181,zk2:2181/mesos`.
///
/// The last leader known stays while there is none, and while ZooKeeper cannot be asked.
@ControlActor
public final class ZooKeeperLeader: LeaderSource {
  /// Who stands for election below the ensemble's root, and so which of its nodes has the candidates.
  public enum Election: Sendable {
    /// Masters, below the root itself.
    case mesos
    /// Marathon's, below `leader-curator` since 1.6, below `leader` before; what they write there has changed over time,
    /// so whoever can ask `/v2/leader` should prefer that.
    case marathon
  }

  public private(set) var hosts: [ClusterHost] = []
  public private(set) var lastError: String? = "ZooKeeper has not answered yet"
  public nonisolated let description: String
  private let client: ZooKeeperClient
  private let paths: [String]
  private let isSecure: Bool
  private lazy var observers = Observers { [weak self] in self?.groups = [] }
  /// While somebody observes.
  private var groups: [LeaderGroup] = []

  /// - Parameter isSecure: the leader is spoken to in TLS, and so by its name where it tells one.
  public init(_ ensemble: ZooKeeperEnsemble, election: Election, clients: ZooKeeperClients, isSecure: Bool = false) {
    client = clients.client(ensemble)
    description = "zk://\(ensemble)"
    self.isSecure = isSecure
    paths =
      switch election {
      case .mesos: ["/"]
      case .marathon: ["/leader-curator", "/leader"]
      }
  }

  public func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken {
    let token = observers.add(onChange)
    if groups.isEmpty {
      groups = paths.map { path in LeaderGroup(path, client: client) { [weak self] in self?.update.request() } }
      update.request()
    }
    return token
  }

  private lazy var update = EndOfTurn { [weak self] in self?.read() }

  private func read() {
    for group in groups {
      switch group.state {
      case .pending:
        if let failure = group.failure { lastError = failure }
        return
      case .none: continue
      case .failed(let text):
        lastError = text
        return
      case .leader(let places):
        lastError = group.failure
        let found = places.map { place in
          ClusterHost(host: isSecure ? place.name ?? place.host : place.host, port: place.port, isSecure: isSecure)
        }
        guard found != hosts else { return }
        hosts = found
        return observers.notify()
      }
    }
    lastError = groups.lazy.compactMap(\.failure).first ?? "\(description): nobody leads"
  }
}

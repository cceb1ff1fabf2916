import Dtab
import MeshBase
import Namers
import Net
import Telemetry

/// One bound id as the control thread knows it: keeps the workers' endpoints up to date.
@ControlActor
final class ClientControl {
  nonisolated let id: Int
  nonisolated let path: Path
  nonisolated let name: String
  let source: EndpointSource
  let stats: [ClientStats]
  /// Routes that lead here.
  var references = 0
  /// Endpoints that workers leave out, for those that meet the name later.
  private var ejections: [SocketAddress: BalancedEndpoints.Ejection] = [:]
  private var token: ObservationToken?

  init(
    id: Int, path: Path, source: EndpointSource, stats: [ClientStats],
    onChange: @escaping @ControlActor (ClientControl) -> Void
  ) {
    self.id = id
    self.path = path
    name = path.description
    self.source = source
    self.stats = stats
    token = source.observe { [weak self] in if let self { onChange(self) } }
  }

  func snapshot(worker: Int) -> ClientSnapshot {
    ClientSnapshot(
      id: id, path: path, name: name, authority: source.authority, stats: stats[worker],
      endpoints: source.current.endpoints, ejections: ejections)
  }

  func ejected(_ address: SocketAddress, _ ejection: BalancedEndpoints.Ejection, at now: MonotonicInstant) {
    ejections = ejections.filter { $0.value.until > now }
    ejections[address] = ejection
  }

  /// Whether it can be told yet what the endpoints are.
  var isKnown: Bool { source.current != .pending }
}

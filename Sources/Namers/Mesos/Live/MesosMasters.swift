import MeshBase
import Net

/// The masters to ask: first the one that another master says leads.
@ControlActor
final class MesosMasters: LeaderSource {
  let source: any LeaderSource
  /// `nil`: nobody has said.
  private(set) var leader: ClusterHost?

  init(_ source: any LeaderSource) { self.source = source }

  var hosts: [ClusterHost] {
    let hosts = source.hosts
    guard let leader else { return hosts }
    return [leader] + hosts.filter { $0 != leader }
  }

  var lastError: String? { source.lastError }
  nonisolated var description: String { "the masters" }

  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { source.observe(onChange) }

  /// `text`: a pid, such as `master@10.0.0.2:5050`; `nil`: nobody is known to lead.
  func leads(_ text: String?, isSecure: Bool) {
    leader = text.flatMap { text in
      let place = text.lastIndex(of: "@").map { text[text.index(after: $0)...] } ?? text[...]
      return ClusterHost(String(place), defaultPort: 5_050, isSecure: isSecure)
    }
  }
}

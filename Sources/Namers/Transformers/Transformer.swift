import Dtab
import MeshBase

/// A change made to what a namer or an interpreter has bound.
///
/// Each puts `/%/<kind>/<arguments>` before the id of what it changes, so that a changed name has a balancer, a pool
/// and statistics of its own.
public enum Transformer: Hashable, Sendable {
  /// Replaces the port of each endpoint.
  case port(UInt16)
  /// Keeps the endpoints whose address is one of this host's.
  case localhost
  /// Keeps the endpoints with this address; its port does not count.
  case specificHost(SocketAddress)
  /// Binds this path, by the namers alone, whatever the input.
  case const(Path)
  /// Binds this path in place of each bound leaf; a name that is not there stays so.
  case replace(Path)

  /// Goes before the ids.
  var idPrefix: Path {
    switch self {
    case .port(let port): Path(labels: ["%", "io.l5d.port", String(port)])
    case .localhost: Path(labels: ["%", "io.l5d.localhost"])
    case .specificHost(let address): Path(labels: ["%", "io.l5d.specificHost", address.ip])
    case .const: Path(labels: ["%", "io.l5d.const"])
    case .replace: Path(labels: ["%", "io.l5d.replace"])
    }
  }
}

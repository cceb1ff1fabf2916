import Dtab
import Net

/// What a namer has found for a path: an id, what is left of the path behind it, and the live endpoints.
///
/// The id tells the parts that share one balancer, pool and set of statistics; two bound names with equal ids from the
/// same namer share their `endpoints`. Equal if id, residual and endpoints are the same.
@ControlActor
public final class BoundName: Hashable, Sendable {
  /// Such as `/#/io.l5d.fs/web`, behind the prefixes of transformers (`/%/io.l5d.port/4140`) if there are any.
  public nonisolated let id: Path
  public nonisolated let residual: Path
  public nonisolated let endpoints: EndpointSource

  public nonisolated init(id: Path, residual: Path = .root, endpoints: EndpointSource) {
    self.id = id
    self.residual = residual
    self.endpoints = endpoints
  }

  public nonisolated static func == (a: BoundName, b: BoundName) -> Bool {
    a === b || a.id == b.id && a.residual == b.residual && a.endpoints === b.endpoints
  }

  public nonisolated func hash(into hasher: inout Hasher) {
    hasher.combine(id)
    hasher.combine(residual)
  }
}

import Dtab
import MeshBase

/// The candidates close to the path, or to as many of its first labels as a candidate has: what is left of a path
/// behind a name is the application's own. Longer candidates first, then nearest first.
func nearPaths(to path: Path, among candidates: [Path], limit: Int) -> [Path] {
  var near: [Path] = []
  for count in Set(candidates.lazy.map(\.count)).sorted(by: >) where count <= path.count {
    let names = candidates.lazy.filter { $0.count == count }.map(\.description)
    let found = nearNames(to: path.prefix(count).description, among: names, limit: limit - near.count)
    near += found.compactMap { try? Path(parsing: $0) }
  }
  return near
}

import Dtab
import MeshBase
import Net

extension ZooKeeperClient {
  /// Names close to the path below the deepest node of it that exists, as far as the children there are known: those who
  /// look a name up know those of all its beginnings.
  func nearNodes(to path: Path, limit: Int) -> [Path] {
    for length in stride(from: path.count - 1, through: 0, by: -1) {
      let parent = path.prefix(length)
      guard let text = ZooKeeperPath.text(parent.labels), let node = knownNode(text, .children),
        case .children(let names) = node.value
      else { continue }
      let wanted = path[length].text
      let near = nearNames(to: wanted, among: names.lazy.filter { !$0.hasPrefix("member_") }, limit: limit)
      return near.map { parent.appending(Label($0)) }
    }
    return []
  }
}

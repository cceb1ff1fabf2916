import Dtab
import Net

/// Follows the elements of one path from node to node, and again whenever a node on the way changes.
@ControlActor
final class FsWalk {
  private let rest: Path
  private let namer: FsNamer
  private weak var lookup: NameLookup?
  private var steps: [(node: FsNode, token: ObservationToken)] = []

  init(_ rest: Path, namer: FsNamer, _ lookup: NameLookup) {
    self.rest = rest
    self.namer = namer
    self.lookup = lookup
    update()
  }

  private func update() {
    guard let lookup else { return }
    // Held to the end: what was needed and is needed again must not stop in between.
    let old = steps
    steps = []
    defer { withExtendedLifetime(old) {} }
    var node = namer.node(.root, name: "", parent: nil)
    step(to: node)
    for label in rest.labels {
      guard case .directory = node.state, let name = FsNode.fileName(label) else { break }
      node = namer.node(node.relative.appending(label), name: name, parent: node)
      step(to: node)
    }
    switch node.state {
    case .failed(let text): lookup.fail(text)
    case .missing, .directory: lookup.publish(.neg)
    case .file(let location):
      let source = namer.source(node.relative, at: location)
      let residual = rest.dropFirst(node.relative.count)
      lookup.publish(
        .leaf(.bound(BoundName(id: namer.prefix + node.relative, residual: residual, endpoints: source))))
    }
  }

  private func step(to node: FsNode) {
    steps.append((node, node.observe { [weak self] in self?.update() }))
  }
}

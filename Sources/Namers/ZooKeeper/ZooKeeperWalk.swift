import Dtab
import MeshBase
import Net

/// Looks for the longest beginning of a path that a namer over ZooKeeper can bind; the rest is residual.
@ControlActor
final class ZooKeeperWalk {
  private let rest: Path
  private let prefix: Path
  private let source: (Path) -> EndpointSource?
  private weak var result: NameLookup?

  private struct Candidate {
    let length: Int
    var isAsked = false
    /// `nil` while not asked, and if no name is so long.
    var source: EndpointSource?
    var token: ObservationToken?
  }
  /// Longest first; those behind the one that is bound are not asked.
  private var candidates: [Candidate]
  /// Nobody nests groups deeper, and what callers put behind a name should not cost the servers a question for each
  /// element.
  private static let lengthMax = 32

  /// - Parameter source: that of a beginning of the path; `nil` if it cannot be a name.
  init(_ rest: Path, prefix: Path, _ result: NameLookup, source: @escaping (Path) -> EndpointSource?) {
    self.rest = rest
    self.prefix = prefix
    self.result = result
    self.source = source
    candidates = (0...min(rest.count, Self.lengthMax)).reversed().map { Candidate(length: $0) }
    update()
  }

  private func update() {
    guard let result else { return }
    for index in candidates.indices {
      if !candidates[index].isAsked { ask(index) }
      guard let source = candidates[index].source else { continue }
      switch source.current {
      case .neg: continue
      case .pending: return
      case .failed(let text):
        release(behind: index)
        return result.fail(text)
      case .bound:
        release(behind: index)
        let length = candidates[index].length
        let bound = BoundName(id: prefix + rest.prefix(length), residual: rest.dropFirst(length), endpoints: source)
        return result.publish(.leaf(.bound(bound)))
      }
    }
    result.publish(.neg)
  }

  private func ask(_ index: Int) {
    candidates[index].isAsked = true
    guard let source = source(rest.prefix(candidates[index].length)) else { return }
    candidates[index].source = source
    candidates[index].token = source.observe { [weak self] in self?.update() }
  }

  private func release(behind index: Int) {
    for place in candidates.indices.dropFirst(index + 1) where candidates[place].isAsked {
      candidates[place] = Candidate(length: candidates[place].length)
    }
  }
}

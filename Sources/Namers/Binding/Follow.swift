import Dtab
import MeshBase
import Net

/// Answers a look-up with one name for as long as its source knows of it: `neg` while the source says `neg`.
@ControlActor
final class Follow {
  private let bound: BoundName
  private weak var lookup: NameLookup?
  private var token: ObservationToken?

  init(_ bound: BoundName, _ lookup: NameLookup) {
    self.bound = bound
    self.lookup = lookup
    token = bound.endpoints.observe { [weak self] in self?.update() }
    update()
  }

  private func update() {
    switch bound.endpoints.current {
    case .pending: break
    case .neg: lookup?.publish(.neg)
    case .failed(let text): lookup?.fail(text)
    case .bound: lookup?.publish(.leaf(.bound(bound)))
    }
  }
}

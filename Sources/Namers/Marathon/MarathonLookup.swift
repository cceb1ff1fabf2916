import Dtab
import MeshBase
import Net

/// Which app a path means, without a list of all apps: the whole path is asked for, then ever shorter beginnings of it.
/// An id is never the beginning of another app's, so the first that is there is the only one.
@ControlActor
final class MarathonLookup {
  private let store: MarathonStore
  private let prefix: Path
  private let rest: Path
  private let selector: String?
  /// The longest first; with how many labels of `rest` each consumes.
  private let candidates: [(id: String, count: Int)]
  private weak var lookup: NameLookup?
  private var asked: [String: (entry: MarathonEntry, token: ObservationToken)] = [:]

  init(_ store: MarathonStore, prefix: Path, rest: Path, lookup: NameLookup) {
    self.store = store
    self.prefix = prefix
    self.lookup = lookup
    var rest = rest
    if let first = rest.first, first.bytes.first == UInt8(ascii: ":") {
      selector = String(first.text.dropFirst())
      rest = rest.dropFirst(1)
    } else {
      selector = nil
    }
    self.rest = rest
    candidates = Self.candidates(rest)
  }

  /// A segment more than any app has costs a question, so a path is not followed for ever.
  private static let segmentsMax = 16
  /// Marathon has lists under these names; no app may be called so.
  private static let reserved: Set<String> = ["tasks", "restart", "versions"]

  static func candidates(_ path: Path) -> [(id: String, count: Int)] {
    var id = ""
    var found: [(id: String, count: Int)] = []
    for (index, label) in path.labels.prefix(segmentsMax).enumerated() {
      let bytes = label.bytes.map(Ascii.lowercased)
      guard bytes.allSatisfy({ Ascii.isDigit($0) || $0 &- 0x61 < 26 || $0 == 0x2d || $0 == 0x2e }),
        bytes.contains(where: { $0 != 0x2e })
      else { break }
      let segment = String(decoding: bytes, as: UTF8.self)
      id += "/" + segment
      if !reserved.contains(segment) { found.append((id, index + 1)) }
    }
    return found.reversed()
  }

  func update() {
    guard let lookup else { return }
    // One that is known to be there needs no question about longer ones.
    for candidate in candidates {
      if let entry = store.known(candidate.id), entry.record != nil {
        watch(entry)
        return settle(lookup, entry, candidate.count)
      }
    }
    for candidate in candidates {
      let entry = asked[candidate.id]?.entry ?? store.entry(candidate.id)
      watch(entry)
      switch entry.state {
      case .unknown(let text):
        if let text { lookup.fail(text) }
        return
      case .present: return settle(lookup, entry, candidate.count)
      case .absent: continue
      }
    }
    lookup.publish(.neg)
  }

  private func watch(_ entry: MarathonEntry) {
    // It may have been forgotten and be there anew.
    if asked[entry.id]?.entry === entry { return }
    asked[entry.id] = (entry, entry.observe { [weak self] in self?.update() })
  }

  private func settle(_ lookup: NameLookup, _ entry: MarathonEntry, _ count: Int) {
    guard let record = entry.record, let index = record.app.portIndex(selector),
      record.hasEndpoints(
        portIndex: index, nowSeconds: Int64(Clock.wallNanoseconds / 1_000_000_000))
    else { return lookup.publish(.neg) }
    let source = entry.feed(index, store.resolver).endpoints()
    let id = MarathonNamer.boundID(prefix, rest.prefix(count), portIndex: index)
    lookup.publish(
      .leaf(.bound(BoundName(id: id, residual: rest.dropFirst(count), endpoints: source))))
  }
}

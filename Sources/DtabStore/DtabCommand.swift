import Dtab
import MeshBase

/// A change that somebody asks for, and the rules by which it is accepted: the same for every store.
enum DtabCommand: Sendable {
  case create(text: String, dtab: Dtab)
  case put(text: String, dtab: Dtab, expectedVersion: UInt64?)
  case delete(expectedVersion: UInt64?)
  case rollback(version: UInt64, expectedVersion: UInt64?)

  /// The text, checked and parsed.
  static func parse(_ text: String) throws(DtabStoreError) -> Dtab {
    let bytes = text.utf8.count
    guard bytes <= DtabHistory.textBytesMax else { throw .tooLarge(bytes: bytes, max: DtabHistory.textBytesMax) }
    do throws(DtabError) {
      return try Dtab(parsing: text)
    } catch {
      throw .malformed(error, text: text)
    }
  }

  /// What happens in a namespace that is at `last` (the newest version given out) with `current` in force.
  /// The change comes with its parsed dtab, unless it is a deletion.
  func decide(
    in namespace: String, last: UInt64, current: VersionedDtab?, history: () throws(DtabStoreError) -> [DtabChange],
    names: [String], by authorship: Authorship, at wallNanoseconds: UInt64
  ) throws(DtabStoreError) -> (change: DtabChange, result: VersionedDtab?) {
    func check(_ expected: UInt64?) throws(DtabStoreError) {
      guard let expected else { return }
      guard let current else { throw unknown() }
      if expected != current.version {
        throw .stale(namespace: namespace, expected: expected, current: current.version)
      }
    }
    func unknown() -> DtabStoreError { .unknown(namespace: namespace, near: nearNames(to: namespace, among: names)) }
    func accept(_ kind: DtabChange.Kind, _ text: String, _ dtab: Dtab?, source: UInt64? = nil)
      throws(DtabStoreError) -> (DtabChange, VersionedDtab?)
    {
      if current == nil && names.count >= DtabHistory.namespacesMax {
        throw .tooManyNamespaces(max: DtabHistory.namespacesMax)
      }
      let change = DtabChange(
        version: last + 1, kind: kind, source: source, text: text, authorship: authorship,
        wallNanoseconds: wallNanoseconds)
      return (change, dtab.map { VersionedDtab(namespace, change, $0) })
    }

    switch self {
    case .create(let text, let dtab):
      if let current { throw .exists(namespace: namespace, version: current.version) }
      return try accept(.created, text, dtab)
    case .put(let text, let dtab, let expected):
      try check(expected)
      return try accept(current == nil ? .created : .changed, text, dtab)
    case .delete(let expected):
      if current == nil { throw unknown() }
      try check(expected)
      return try accept(.deleted, "", nil)
    case .rollback(let version, let expected):
      try check(expected)
      if last == 0 { throw unknown() }
      let kept = try history().filter { $0.kind != .deleted }
      guard let target = kept.first(where: { $0.version == version }) else {
        throw .unknownVersion(namespace: namespace, version: version, kept: kept.map(\.version).sorted())
      }
      return try accept(.rolledBack, target.text, try Self.parse(target.text), source: version)
    }
  }
}

extension VersionedDtab {
  init(_ namespace: String, _ change: DtabChange, _ dtab: Dtab) {
    self.init(
      namespace: namespace, version: change.version, text: change.text, dtab: dtab, authorship: change.authorship,
      wallNanoseconds: change.wallNanoseconds)
  }
}

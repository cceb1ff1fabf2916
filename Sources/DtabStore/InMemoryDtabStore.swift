import Net

/// A store for routers without a directory: everything is gone when the process ends.
public final class InMemoryDtabStore: DtabStore {
  private struct Namespace {
    var last: UInt64 = 0
    var changes: [DtabChange] = []
  }

  private var namespaces: [String: Namespace] = [:]
  private let observers = DtabObservers()

  private var isClosed = false

  public init() {}

  /// Goes on with what another store has `exported`; what does not check is left out.
  public init(importing exported: [(namespace: String, history: [UInt8])]) {
    for (name, bytes) in exported where DtabNamespace.isValid(name) {
      let changes = HistoryLog.decode(bytes).changes
      guard let last = changes.last else { continue }
      namespaces[name] = Namespace(last: last.version, changes: changes)
      if last.kind != .deleted, let dtab = try? DtabCommand.parse(last.text) {
        observers.publish(name, version: last.version, VersionedDtab(name, last, dtab))
      }
    }
  }

  /// Every namespace with its changes, the deleted ones as well, for the store of another process.
  public func exported() -> [(namespace: String, history: [UInt8])] {
    namespaces.sorted { $0.key < $1.key }.map { ($0.key, $0.value.changes.flatMap(HistoryLog.encode)) }
  }

  public func close() { isClosed = true }

  public func reopen() { isClosed = false }

  public var problems: [DtabStoreProblem] { [] }

  public func list() -> [String] { observers.current.keys.sorted() }

  public func get(_ namespace: String) throws(DtabStoreError) -> VersionedDtab? {
    try DtabNamespace.check(namespace)
    return observers.current[namespace]
  }

  public func create(_ namespace: String, _ text: String, by authorship: Authorship) throws(DtabStoreError)
    -> VersionedDtab
  {
    try apply(.create(text: text, dtab: DtabCommand.parse(text)), to: namespace, authorship)!
  }

  public func put(_ namespace: String, _ text: String, expectedVersion: UInt64?, by authorship: Authorship)
    throws(DtabStoreError) -> VersionedDtab
  {
    let command = try DtabCommand.put(text: text, dtab: DtabCommand.parse(text), expectedVersion: expectedVersion)
    return try apply(command, to: namespace, authorship)!
  }

  public func delete(_ namespace: String, expectedVersion: UInt64?, by authorship: Authorship) throws(DtabStoreError) {
    _ = try apply(.delete(expectedVersion: expectedVersion), to: namespace, authorship)
  }

  public func rollback(_ namespace: String, to version: UInt64, expectedVersion: UInt64?, by authorship: Authorship)
    throws(DtabStoreError) -> VersionedDtab
  {
    try apply(.rollback(version: version, expectedVersion: expectedVersion), to: namespace, authorship)!
  }

  public func history(_ namespace: String, limit: Int) throws(DtabStoreError) -> [DtabChange] {
    try DtabNamespace.check(namespace)
    guard let changes = namespaces[namespace]?.changes else {
      throw .unknown(namespace: namespace, near: [])
    }
    return changes.suffix(max(0, limit)).reversed()
  }

  public func observe(_ namespace: String, onChange: @escaping @ControlActor (VersionedDtab?) -> Void)
    -> DtabObservation
  {
    observers.observe(namespace) { onChange($1) }
  }

  public func observeAll(onChange: @escaping @ControlActor (String, VersionedDtab?) -> Void) -> DtabObservation {
    observers.observe(nil, onChange)
  }

  private func apply(_ command: DtabCommand, to name: String, _ authorship: Authorship) throws(DtabStoreError)
    -> VersionedDtab?
  {
    if isClosed { throw .closed }
    try DtabNamespace.check(name)
    let namespace = namespaces[name] ?? Namespace()
    if namespace.last == 0 && namespaces.count >= DtabHistory.knownMax {
      let deleted = namespaces.filter { observers.current[$0.key] == nil }
      let oldest = deleted.min { $0.value.changes.last!.wallNanoseconds < $1.value.changes.last!.wallNanoseconds }
      if let oldest { namespaces[oldest.key] = nil }
    }
    let (change, result) = try command.decide(
      in: name, last: namespace.last, current: observers.current[name],
      history: { () throws(DtabStoreError) in namespace.changes }, names: Array(observers.current.keys),
      by: authorship, at: Clock.wallNanoseconds)
    namespaces[name, default: Namespace()].last = change.version
    namespaces[name]!.changes.append(change)
    if namespace.changes.count >= DtabHistory.keptMax { namespaces[name]!.changes.removeFirst() }
    observers.publish(name, version: change.version, result)
    return result
  }
}

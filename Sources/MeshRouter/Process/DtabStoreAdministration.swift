import Admin
import Dtab
import DtabStore
import Net

/// Shows the dtab store to the admin server, which does not know it.
@ControlActor
final class DtabStoreAdministration: DtabAdministration {
  private let store: any DtabStore

  init(_ store: any DtabStore) { self.store = store }

  func list() async throws(DtabRefusal) -> [String] {
    do { return try await store.list() } catch { throw DtabRefusal(error) }
  }

  func get(_ namespace: String) async throws(DtabRefusal) -> DtabDocument? {
    do { return try await store.get(namespace).map(DtabDocument.init) } catch { throw DtabRefusal(error) }
  }

  func create(
    _ namespace: String, _ text: String, author: String, reason: String
  ) async throws(DtabRefusal) -> DtabDocument {
    let authorship = Authorship(author: author, reason: reason)
    do { return DtabDocument(try await store.create(namespace, text, by: authorship)) } catch {
      throw DtabRefusal(error)
    }
  }

  func put(
    _ namespace: String, _ text: String, expectedVersion: UInt64?, author: String, reason: String
  ) async throws(DtabRefusal) -> DtabDocument {
    let authorship = Authorship(author: author, reason: reason)
    do {
      return DtabDocument(try await store.put(namespace, text, expectedVersion: expectedVersion, by: authorship))
    } catch {
      throw DtabRefusal(error)
    }
  }

  func delete(
    _ namespace: String, expectedVersion: UInt64?, author: String, reason: String
  ) async throws(DtabRefusal) {
    let authorship = Authorship(author: author, reason: reason)
    do {
      try await store.delete(namespace, expectedVersion: expectedVersion, by: authorship)
    } catch {
      throw DtabRefusal(error)
    }
  }

  func history(_ namespace: String, limit: Int) async throws(DtabRefusal) -> [DtabHistoryEntry] {
    do {
      return try await store.history(namespace, limit: limit).map { change in
        DtabHistoryEntry(
          version: change.version, kind: change.kind.rawValue, source: change.source, text: change.text,
          author: change.authorship.author, reason: change.authorship.reason, wallNanoseconds: change.wallNanoseconds)
      }
    } catch {
      throw DtabRefusal(error)
    }
  }

  func rollback(
    _ namespace: String, to version: UInt64, expectedVersion: UInt64?, author: String, reason: String
  ) async throws(DtabRefusal) -> DtabDocument {
    let authorship = Authorship(author: author, reason: reason)
    do {
      return DtabDocument(
        try await store.rollback(namespace, to: version, expectedVersion: expectedVersion, by: authorship))
    } catch {
      throw DtabRefusal(error)
    }
  }

  func states(of namespace: String) -> AsyncStream<DtabDocument?> {
    let (stream, continuation) = AsyncStream.makeStream(of: DtabDocument?.self, bufferingPolicy: .bufferingNewest(1))
    let observation = store.observe(namespace) { continuation.yield($0.map(DtabDocument.init)) }
    continuation.onTermination = { _ in Task { @ControlActor in observation.cancel() } }
    return stream
  }

  func lists() -> AsyncStream<[String]> {
    let (stream, continuation) = AsyncStream.makeStream(of: [String].self, bufferingPolicy: .bufferingNewest(1))
    var names: Set<String> = []
    let observation = store.observeAll { namespace, version in
      if version == nil { names.remove(namespace) } else { names.insert(namespace) }
      continuation.yield(names.sorted())
    }
    if names.isEmpty { continuation.yield([]) }
    continuation.onTermination = { _ in Task { @ControlActor in observation.cancel() } }
    return stream
  }
}

extension DtabDocument {
  init(_ version: VersionedDtab) {
    self.init(
      version: version.version, text: version.text, dtab: version.dtab, author: version.authorship.author,
      reason: version.authorship.reason, wallNanoseconds: version.wallNanoseconds)
  }
}

extension DtabRefusal {
  init(_ error: DtabStoreError) {
    let kind: Kind =
      switch error {
      case .badName: .badName
      case .exists: .exists
      case .stale: .stale
      case .unknown: .unknown
      case .unknownVersion: .unknownVersion
      case .malformed: .malformed
      case .tooLarge: .tooLarge
      case .tooManyNamespaces: .full
      case .storage, .inUse: .storage
      case .closed: .closed
      }
    self.init(kind, error.description)
  }
}

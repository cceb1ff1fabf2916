import Dtab
import MeshBase
import Net

/// The dtab store as the admin server sees it.
@ControlActor
public protocol DtabAdministration: AnyObject, Sendable {
  func list() async throws(DtabRefusal) -> [String]
  func get(_ namespace: String) async throws(DtabRefusal) -> DtabDocument?
  func create(_ namespace: String, _ text: String, author: String, reason: String) async throws(DtabRefusal)
    -> DtabDocument
  /// Without an expected version: creates or overwrites.
  func put(_ namespace: String, _ text: String, expectedVersion: UInt64?, author: String, reason: String)
    async throws(DtabRefusal) -> DtabDocument
  func delete(_ namespace: String, expectedVersion: UInt64?, author: String, reason: String) async throws(DtabRefusal)
  /// Newest first.
  func history(_ namespace: String, limit: Int) async throws(DtabRefusal) -> [DtabHistoryEntry]
  func rollback(_ namespace: String, to version: UInt64, expectedVersion: UInt64?, author: String, reason: String)
    async throws(DtabRefusal) -> DtabDocument
  /// The states of a namespace from the present one on; `nil` while there is none. Slow readers skip.
  func states(of namespace: String) -> AsyncStream<DtabDocument?>
  /// The lists of namespaces from the present one on.
  func lists() -> AsyncStream<[String]>
}

/// A dtab with its version.
public struct DtabDocument: Sendable {
  public var version: UInt64
  /// As it was entered.
  public var text: String
  public var dtab: Dtab
  public var author: String
  public var reason: String
  public var wallNanoseconds: UInt64

  public init(
    version: UInt64, text: String, dtab: Dtab, author: String, reason: String, wallNanoseconds: UInt64
  ) {
    self.version = version
    self.text = text
    self.dtab = dtab
    self.author = author
    self.reason = reason
    self.wallNanoseconds = wallNanoseconds
  }
}

/// A step in a namespace's past.
public struct DtabHistoryEntry: Sendable {
  public var version: UInt64
  /// `created`, `changed`, `deleted`, `rolled_back` or `external`.
  public var kind: String
  /// The version that was rolled back to.
  public var source: UInt64?
  public var text: String
  public var author: String
  public var reason: String
  public var wallNanoseconds: UInt64

  public init(
    version: UInt64, kind: String, source: UInt64?, text: String, author: String, reason: String,
    wallNanoseconds: UInt64
  ) {
    self.version = version
    self.kind = kind
    self.source = source
    self.text = text
    self.author = author
    self.reason = reason
    self.wallNanoseconds = wallNanoseconds
  }
}

/// Why the store did not do it; `message` names the remedy.
public struct DtabRefusal: Error, Sendable {
  public enum Kind: Sendable {
    case badName, exists, stale, unknown, unknownVersion, malformed, tooLarge, full, storage, closed
  }

  public var kind: Kind
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  var status: Int {
    switch kind {
    case .badName, .malformed: 400
    case .unknown, .unknownVersion: 404
    case .exists: 409
    case .stale: 412
    case .tooLarge: 413
    case .full, .storage: 507
    case .closed: 503
    }
  }
}

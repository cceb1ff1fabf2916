import Net

/// Keeps dtabs by namespace: what routers route by and operators edit while traffic flows.
///
/// Each change states what it was based on, gets a version of its own, and is durable when the call returns.
/// Observers hear of a change before the call that made it returns.
@ControlActor
public protocol DtabStore: AnyObject {
  /// Names of the namespaces there are, sorted.
  func list() async throws(DtabStoreError) -> [String]

  /// `nil` if there is no such namespace.
  func get(_ namespace: String) async throws(DtabStoreError) -> VersionedDtab?

  /// Fails if the namespace exists.
  func create(_ namespace: String, _ text: String, by authorship: Authorship) async throws(DtabStoreError)
    -> VersionedDtab

  /// With an expected version: changes exactly that one. Without: creates or overwrites.
  func put(_ namespace: String, _ text: String, expectedVersion: UInt64?, by authorship: Authorship)
    async throws(DtabStoreError) -> VersionedDtab

  /// The history stays, and the versions go on counting if the namespace comes back.
  func delete(_ namespace: String, expectedVersion: UInt64?, by authorship: Authorship) async throws(DtabStoreError)

  /// The last changes, newest first; `DtabHistory.keptMax` are kept.
  func history(_ namespace: String, limit: Int) async throws(DtabStoreError) -> [DtabChange]

  /// Puts an earlier version's text in force again, as a new version; brings a deleted namespace back.
  func rollback(_ namespace: String, to version: UInt64, expectedVersion: UInt64?, by authorship: Authorship)
    async throws(DtabStoreError) -> VersionedDtab

  /// Calls at once with what is in force (`nil`: nothing), then on every change, until the observation is cancelled
  /// or released.
  func observe(_ namespace: String, onChange: @escaping @ControlActor (VersionedDtab?) -> Void) -> DtabObservation

  /// As `observe`, for every namespace; calls at once for each that exists.
  func observeAll(onChange: @escaping @ControlActor (String, VersionedDtab?) -> Void) -> DtabObservation

  /// Lets another process have what is stored. Reading goes on with what was in force; changes are refused.
  func close() async

  /// Takes it back from a process that has come to nothing, with what that has changed.
  func reopen() async throws(DtabStoreError)

  /// What is wrong now, by namespace; empty when all is well.
  var problems: [DtabStoreProblem] { get }
}

/// Something an operator should mend; meanwhile the last good dtab stays in force.
public struct DtabStoreProblem: Sendable, Equatable {
  /// Empty if it is about the store as a whole.
  public let namespace: String
  public let message: String
  public let sinceWallNanoseconds: UInt64
}

/// How much of the past a store keeps, and other bounds.
public enum DtabHistory {
  /// Changes kept for each namespace.
  public static let keptMax = 100
  public static let textBytesMax = 262_144
  public static let namespacesMax = 1_000
  /// Deleted ones included; beyond it the history of the one deleted longest ago is forgotten.
  static let knownMax = 2_000
}

extension DtabStore {
  /// The states of a namespace, beginning with the present one. A slow reader skips what has been superseded.
  public func states(of namespace: String) -> AsyncStream<VersionedDtab?> {
    let (stream, continuation) = AsyncStream.makeStream(of: VersionedDtab?.self, bufferingPolicy: .bufferingNewest(1))
    let observation = observe(namespace) { continuation.yield($0) }
    continuation.onTermination = { _ in Task { @ControlActor in observation.cancel() } }
    return stream
  }
}

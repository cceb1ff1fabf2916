import Dtab
import MeshBase
import Net
import Telemetry

/// Where the admin server gets what it shows, and whom it tells what to do: the running router.
///
/// Admin owns URLs and JSON shapes; the source owns the facts.
@ControlActor
public protocol AdminSource: AnyObject, Sendable {
  var process: AdminProcess { get }
  var metrics: MetricsRegistry { get }
  /// In the order of the configuration; the first is the default.
  var routers: [AdminRouter] { get }
  var dtabs: any DtabAdministration { get }
  /// What an operator should mend, a sentence each; empty when all is well.
  var problems: [String] { get }
  /// Why requests should go elsewhere now (draining, no binding yet); `nil` if they may come.
  var unreadiness: String? { get }
  /// The configuration in force, as a JSON object; no secrets.
  var configurationJSON: String { get }

  /// How the path is bound, by the code that routes, with every alternative.
  func explain(_ path: Path, in table: AdminTable, overrides: Dtab) async -> AdminExplanation
  /// What is known of the endpoints of a bound id that is in use; `nil` if it is not.
  func endpoints(ofBound id: Path) async -> EndpointSet?
  /// Bound ids in use, with who uses them.
  func clients() async -> [AdminClient]
  func namers() async -> [AdminNamer]
  /// One request explained from identify to pick; `nil` if the URL is none.
  func why(_ query: AdminWhyQuery) async -> AdminWhy?

  var loggers: [AdminLogger] { get }
  /// False if there is no such logger or level.
  func setLevel(_ level: String, ofLogger name: String) -> Bool

  /// Begins to drain, for at most so many milliseconds or, if `nil`, as long as is configured. Returns at once; how long
  /// it is.
  func shutdown(graceMilliseconds: Int?) -> Int
  /// Applies a changed configuration; a plan only says what that would do.
  func reload(isPlan: Bool) async -> AdminReload
  /// Lets a new process take the place of this one: `binary`, or what the program's name leads to now.
  func upgrade(binary: String?, timeoutMilliseconds: UInt64?) async -> AdminUpgrade
}

/// Facts about this process.
public struct AdminProcess: Sendable {
  public var version: String
  public var hostName: String
  public var processID: Int32
  public var startedAt: MonotonicInstant
  public var startedWallNanoseconds: UInt64
  public var workers: Int
  /// Versions of what is linked, such as ("openssl", "3.0.15").
  public var libraries: [(name: String, version: String)]

  public init(
    version: String, hostName: String, processID: Int32, startedAt: MonotonicInstant, startedWallNanoseconds: UInt64,
    workers: Int, libraries: [(name: String, version: String)] = []
  ) {
    self.version = version
    self.hostName = hostName
    self.processID = processID
    self.startedAt = startedAt
    self.startedWallNanoseconds = startedWallNanoseconds
    self.workers = workers
    self.libraries = libraries
  }
}

/// One router of this process.
public struct AdminRouter: Sendable {
  public var label: String
  public var proto: String
  /// Addresses it listens on.
  public var servers: [String]
  /// Namespace of the dtab store whose entries it routes by.
  public var namespace: String

  public init(label: String, proto: String, servers: [String], namespace: String) {
    self.label = label
    self.proto = proto
    self.servers = servers
    self.namespace = namespace
  }
}

/// What a name is looked up in.
public enum AdminTable: Sendable {
  /// The whole table of the router with this label.
  case router(String)
  /// This dtab alone, with the namers of the process.
  case dtab(Dtab)
}

/// A name bound to endpoints.
public struct AdminBound: Sendable, Equatable {
  public var id: Path
  public var residual: Path
  public var endpoints: EndpointSet

  public init(id: Path, residual: Path, endpoints: EndpointSet) {
    self.id = id
    self.residual = residual
    self.endpoints = endpoints
  }
}

/// One bound id and what is known of its endpoints.
public struct AdminClient: Sendable {
  public var router: String
  public var id: String
  public var endpoints: EndpointSet
  /// Since the source began to fail; `nil` if it does not.
  public var staleMilliseconds: UInt64?

  public init(router: String, id: String, endpoints: EndpointSet, staleMilliseconds: UInt64? = nil) {
    self.router = router
    self.id = id
    self.endpoints = endpoints
    self.staleMilliseconds = staleMilliseconds
  }
}

/// One namer and its state.
public struct AdminNamer: Sendable {
  public var prefix: String
  /// A JSON object.
  public var json: String

  public init(prefix: String, json: String) {
    self.prefix = prefix
    self.json = json
  }
}

public struct AdminLogger: Sendable {
  public var name: String
  public var level: String

  public init(name: String, level: String) {
    self.name = name
    self.level = level
  }
}

/// A request to be explained and not sent.
public struct AdminWhyQuery: Sendable {
  public var url: String
  public var method: String
  public var headers: [(name: String, value: String)]
  /// Label; `nil` for the first router.
  public var router: String?
  /// Entries for this request alone.
  public var dtab: String?
  /// The name in the caller's certificate; `nil`: it shows none.
  public var caller: String?
}

public struct AdminWhy: Sendable {
  /// One JSON object.
  public var json: String
  /// The same for people.
  public var text: String

  public init(json: String, text: String) {
    self.json = json
    self.text = text
  }
}

/// What came of a reload, or would come of it.
public struct AdminReload: Sendable {
  /// False: nothing was changed, or nothing would be.
  public var isAccepted: Bool
  /// What was done, part by part, or everything that is wrong.
  public var json: String

  public init(isAccepted: Bool, json: String) {
    self.isAccepted = isAccepted
    self.json = json
  }
}

/// What came of an upgrade.
public struct AdminUpgrade: Sendable {
  public enum Outcome: Sendable {
    /// Another process serves.
    case done
    /// Not here, or not now.
    case refused
    /// The other process came to nothing.
    case failed
  }

  public var outcome: Outcome
  public var json: String

  public init(_ outcome: Outcome, json: String) {
    self.outcome = outcome
    self.json = json
  }
}

/// Why something was not done, for the one who asked.
public struct AdminRefusal: Error, Sendable {
  public var message: String

  public init(_ message: String) { self.message = message }
}

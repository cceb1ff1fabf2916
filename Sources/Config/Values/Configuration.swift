/// Everything an operator can set; defaults are the values of an empty file.
///
/// A value of this type has passed every check, so its users need none. It is immutable once loaded and is
/// handed from the control thread to the workers as it is. Durations and sizes bear their unit in the name.
public struct Configuration: Sendable, Equatable {
  public var admin = Admin()
  /// Worker threads; `nil` means one per core the process may use.
  public var workers: Int?
  /// Time that open connections get to end when another process, or nobody, serves their server from then on.
  public var drainTimeoutMilliseconds = 300_000
  /// Resident memory that is not to be exceeded; 0: no limit; `nil`: the control group's, where there is one.
  public var memoryLimitMegabytes: Int?
  public var metrics = Metrics()
  public var dtabStore = DtabStore.memory
  /// In the order of the file; prefixes are unique.
  public var namers: [Namer] = []
  public var dns = Dns()
  /// At least one; labels are unique, and so is the address of each server among all routers and the admin server.
  public var routers: [Router] = []
  public var logging = Logging()
  /// linkerd's `telemetry` list, kept so that the effective configuration shows it; changes nothing.
  public var telemetry: [Telemeter] = []
  /// linkerd's `usage`, accepted and without effect: nothing is ever reported to anyone.
  public var usage = Usage()

  /// Values which came from the environment or from a file: canonical key path (such as `routers[0].dtab`) to what
  /// `effectiveJSON` shows in their place.
  public var maskedValues: [String: String] = [:]

  public init() {}
}

extension Configuration {
  /// Bounds of what the metrics may cost.
  public struct Metrics: Sendable, Equatable {
    /// Prometheus series that services and clients may make, over all routers; what comes later counts under `other`.
    public var maxSeries = 100_000
    /// Count each status code by itself instead of by class (`2xx`).
    public var exactStatus = false

    public init() {}
  }

  public struct Logging: Sendable, Equatable {
    public var level = Level.info
    public var format = Format.text

    public enum Level: String, Sendable, CaseIterable {
      case trace, debug, info, notice, warning, error, critical
    }

    public enum Format: String, Sendable, CaseIterable {
      case text, json
    }

    public init() {}
  }

  /// Where dtabs edited at runtime live.
  public enum DtabStore: Sendable, Equatable {
    /// In the process: edits are lost when it ends.
    case memory
    /// One directory per namespace below `path`, written atomically, with history.
    case directory(DirectoryStore)

    public struct DirectoryStore: Sendable, Equatable {
      public var path = ""
      /// Versions kept per namespace; the oldest goes first.
      public var historyMax = 100

      public init() {}
    }
  }

  /// How names are resolved by DNS.
  public struct Dns: Sendable, Equatable {
    /// Resolvers as `IP` or `IP:PORT`; empty means those of /etc/resolv.conf.
    public var servers: [String] = []
    /// A shorter time to live in an answer counts as this.
    public var minTtlSeconds = 1
    /// A longer time to live in an answer counts as this.
    public var maxTtlSeconds = 300
    /// For one question to one resolver.
    public var timeoutMilliseconds = 1_000

    public init() {}
  }

  public struct Telemeter: Sendable, Equatable {
    public var kind = ""

    public init() {}
  }

  public struct Usage: Sendable, Equatable {
    public var enabled = false
    public var orgId: String?

    public init() {}
  }
}

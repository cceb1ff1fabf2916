extension Configuration {
  /// One router: its names, its servers, its clients.
  public struct Router: Sendable, Equatable {
    public var `protocol` = WireProtocol.http
    /// Unique; by default the protocol's name.
    public var label = ""
    /// Entries which hold beneath those of `namespace`; the text has been parsed once and is valid.
    public var dtab = ""
    /// Name of the table in the dtab store which is in force after (so: stronger than) `dtab`; by default the label.
    public var namespace = ""
    public var dstPrefix = "/svc"
    /// Only shown: the router is used by the programs of this host to reach others.
    public var originator = false
    /// For binding a name; after it `bind.timeout`.
    public var bindingTimeoutMilliseconds = 10_000
    public var bindingCache = BindingCache()
    /// Tried in order until one names the request; not empty.
    public var identifiers: [Identifier] = [.headerToken(header: "Host")]
    public var interpreter = Interpreter()
    public var servers: [Server] = []
    public var client = Client()
    public var service = Service()
    /// Request header whose value is how many milliseconds the caller waits. `nil`: none.
    public var timeoutHeader: String?
    public var rateLimits: [RateLimit] = []
    public var priority: Priority?
    /// Nothing moved in either direction for so long: the exchange ends. `nil`: never.
    public var streamIdleTimeoutMilliseconds: Int? = 300_000
    /// All header lines of one message together.
    public var maxHeadersKilobytes = 8
    public var maxInitialLineKilobytes = 4
    /// Body of an answer the router itself makes.
    public var maxErrorResponseKilobytes = 5_120
    /// A file, or `-` for standard output; `nil`: no access log.
    public var httpAccessLog: String?
    public var accessLogFormat = AccessLogFormat.common

    public init() {}

    public enum WireProtocol: String, Sendable, CaseIterable {
      case http, h2
    }

    public enum AccessLogFormat: String, Sendable, CaseIterable {
      case common, json
    }

    /// Capacities of the bind cache, per worker.
    public struct BindingCache: Sendable, Equatable {
      public var paths = 1_000
      public var trees = 1_000
      public var bounds = 1_000
      public var clients = 1_000
      /// An entry nobody used for so long is dropped.
      public var idleTtlSeconds = 600

      public init() {}
    }
  }

  /// How a request gets its logical name.
  public enum Identifier: Sendable, Equatable {
    /// `dstPrefix` and the header's value as one label.
    case headerToken(header: String)
    /// `dstPrefix` and the header's value as a path.
    case header(header: String)
    /// `dstPrefix`, version, method, host and optionally the segments of the URI.
    case methodAndHost(httpUriInDst: Bool)
    /// `dstPrefix` and the first segments of the URI, which `consume` takes off it.
    case path(segments: Int, consume: Bool)
    /// `dstPrefix` and the names in the caller's verified certificate.
    case clientCertificate
    /// `dstPrefix` and this path, whatever the request.
    case `static`(path: String)
  }

  /// What turns logical names into bound ones.
  public struct Interpreter: Sendable, Equatable {
    public var kind = Kind.default
    public var transformers: [Transformer] = []

    public enum Kind: Sendable, Equatable {
      /// The router's dtab and the configured namers.
      case `default`
      /// As default; the table from this watched file stands before the router's own, which so is stronger.
      case fs(dtabFile: String)
    }

    public init() {}
  }
}

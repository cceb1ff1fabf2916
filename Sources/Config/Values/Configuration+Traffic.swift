extension Configuration {
  /// Fields that heads lose or get on their way: `remove` first, then `set`, then `add`.
  public struct HeaderRules: Sendable, Equatable {
    /// Names, in any letter case.
    public var remove: [String] = []
    /// Put in place of all fields of the name.
    public var set: [HeaderLine] = []
    /// Put beside those that are there.
    public var add: [HeaderLine] = []

    public init() {}
  }

  public struct HeaderLine: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// A cookie that the router gives callers, so that their next requests go to the same endpoint.
  public struct StickyCookie: Sendable, Equatable {
    public var isEnabled = true
    /// marathon-lb's, so that sessions outlive the change to this router's names.
    public var name = "mesosphere_server_id"
    /// Mixed into the values, so that they cannot be told from addresses. `nil`: they can.
    public var secret: String?
    /// `nil`: the cookie ends with the caller's session.
    public var maxAgeSeconds: Int?
    public var isSecure = false
    public var isHTTPOnly = true
    /// `nil`: not said.
    public var sameSite: SameSite?

    public init() {}

    public enum SameSite: String, Sendable, CaseIterable {
      case strict = "Strict"
      case lax = "Lax"
      /// Only together with `isSecure`.
      case none = "None"
    }
  }

  /// What is done to requests on purpose, to see how callers take it.
  public struct Faults: Sendable, Equatable {
    public var delay: Delay?
    public var abort: Abort?
    /// `nil`: all requests are meant.
    public var onlyWith: Field?
    /// Requests may ask for faults of their own, in `l5d-fault-*` fields.
    public var isByHeader = false

    public init() {}

    public struct Delay: Sendable, Equatable {
      public var milliseconds = 0
      /// 0 to 100, of the requests that are meant.
      public var percent = 100.0

      public init() {}
    }

    public struct Abort: Sendable, Equatable {
      public var status = 503
      /// What calls of gRPC end with; `nil`: what the status stands for.
      public var grpcStatus: Int?
      /// 0 to 100, of the requests that are meant.
      public var percent = 0.0

      public init() {}
    }

    public struct Field: Sendable, Equatable {
      public var header = ""
      /// `nil`: any.
      public var value: String?

      public init() {}
    }
  }

  /// A share of the requests goes to another name as well, and nobody waits for its answers.
  public struct Mirror: Sendable, Equatable {
    /// The logical name that gets the copies.
    public var name = ""
    /// 0 to 100.
    public var percent = 100.0
    /// A request with a longer body is not copied.
    public var maxBodyBytes = 65_536
    /// On each worker, those for all names together.
    public var maxInFlight = 64
    /// From when the copy is sent to the end of its answer.
    public var timeoutMilliseconds = 10_000

    public init() {}
  }
}

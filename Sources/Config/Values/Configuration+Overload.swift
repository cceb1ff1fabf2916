extension Configuration {
  /// Requests that wait for a place instead of being refused.
  public struct Queue: Sendable, Equatable {
    /// At most; 0: nobody waits.
    public var size = 0
    public var waitMilliseconds = 100

    public init() {}
  }

  /// Attempts at the endpoints of one bound name, per worker, as latency allows.
  public struct ConcurrencyLimit: Sendable, Equatable {
    public var law = Law.none
    public var initial = 20
    public var min = 5
    public var max = 1_000
    public var queue = Queue()

    public init() {}

    public enum Law: Sendable, Equatable {
      case none
      case gradient(Gradient)
      case aimd(Aimd)
    }

    public struct Gradient: Sendable, Equatable {
      /// Times the least latency that answers may take.
      public var tolerance = 1.25
      /// How long a least latency counts.
      public var remeasureMilliseconds = 60_000

      public init() {}
    }

    public struct Aimd: Sendable, Equatable {
      public var decrease = 0.9
      /// Answers that take longer mean overload.
      public var latencyMilliseconds = 1_000

      public init() {}
    }
  }

  /// So many requests a second, with bursts.
  public struct RateLimit: Sendable, Equatable {
    public var requestsPerSecond = 0.0
    /// Requests at once after a pause; `nil`: a second's worth.
    public var burst: Int?
    /// Each value of this request header has the rate for itself. `nil`: all requests together.
    public var perHeader: String?
    /// Values that are told from each other at one time.
    public var headerValuesMax = 10_000

    public init() {}
  }

  /// Which requests matter more.
  public struct Priority: Sendable, Equatable {
    public var header = ""
    /// The most important first; empty: all are the same.
    public var classes: [Class] = []

    public init() {}

    public struct Class: Sendable, Equatable {
      public var value = ""
      /// Of each limit on concurrency that the class may use.
      public var share = 1.0
      /// Requests without one of the values are of the first class that says so, else of the last one.
      public var isDefault = false

      public init() {}
    }
  }
}

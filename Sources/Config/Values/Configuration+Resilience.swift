extension Configuration {
  /// Wait between retries, or between probes of an endpoint.
  public enum Backoff: Sendable, Equatable {
    case constant(milliseconds: Int)
    /// At random, and longer each time: `minMilliseconds` at first, never more than `maxMilliseconds`.
    case jittered(minMilliseconds: Int, maxMilliseconds: Int)
  }

  /// When an endpoint is taken out until a probe succeeds.
  public enum FailureAccrual: Sendable, Equatable {
    case none
    /// After so many failures without a success between them.
    case consecutiveFailures(failures: Int, backoff: Backoff)
    /// On a failure while the share of successes, a moving average over `requests`, is below `successRate`.
    case successRate(successRate: Double, requests: Int, backoff: Backoff)
    /// The same with an average over time.
    case successRateWindowed(successRate: Double, windowSeconds: Int, backoff: Backoff)

    /// Between probes, where nothing else is configured.
    public static let usualBackoff = Backoff.jittered(minMilliseconds: 5_000, maxMilliseconds: 300_000)
    /// What holds where nothing is configured.
    public static let usual = FailureAccrual.consecutiveFailures(failures: 5, backoff: usualBackoff)
  }

  /// When an endpoint is taken out for a while because it takes much longer than the others.
  public struct LatencyOutliers: Sendable, Equatable {
    /// Times the others' median.
    public var factor = 5.0
    /// What is faster than this is never too slow.
    public var minMilliseconds = 10
    /// Time after which the endpoints are compared.
    public var windowSeconds = 10
    /// Answers within the window without which nothing is said of an endpoint.
    public var requests = 20
    /// The first time; as often as long when found so again and again.
    public var ejectMilliseconds = 30_000

    public init() {}
  }

  /// How responses that the classifier finds retryable are asked for again.
  public struct Retries: Sendable, Equatable {
    /// Of each logical name.
    public var budget = RetryBudget()
    public var backoff = Backoff.constant(milliseconds: 0)
    /// A request with `Idempotency-Key` is taken for idempotent, whatever its method.
    public var heedIdempotencyKey = false

    public init() {}
  }

  /// When a second endpoint is asked because the first takes long; the first answer counts.
  public struct Hedge: Sendable, Equatable {
    /// Of the latencies of late, the one after which it is.
    public var percentile = 95.0
    /// It is never before this.
    public var minMilliseconds = 1
    /// Requests that are sent twice, of all.
    public var maxExtraPercent = 5.0
    public var methods = ResponseClassifier.Methods.read

    public init() {}
  }

  /// What is kept of a request so that it can be sent again.
  public struct RetryBufferSize: Sendable, Equatable {
    /// Of the body; a longer one makes the request one that is not retried.
    public var requestBytes = 16_383

    public init() {}
  }

  /// What counts as a success, and which failures may be tried again.
  public enum ResponseClassifier: Sendable, Equatable {
    /// 5xx is a failure, none is retried.
    case nonRetryable5XX
    /// Retried for GET, HEAD, OPTIONS, TRACE.
    case retryableRead5XX
    /// Retried for these and PUT, DELETE.
    case retryableIdempotent5XX
    /// Retried for these and POST, PATCH.
    case retryableAll5XX
    /// Every response is a success.
    case allSuccessful
    /// By ranges of status codes.
    case statusRanges(StatusRanges)
    /// By `grpc-status`.
    case grpc(GRPC)

    public struct StatusRanges: Sendable, Equatable {
      public var success = [100...499]
      /// Of failures.
      public var retryable: [ClosedRange<Int>] = []
      public var methods = Methods.idempotent

      public init() {}
    }

    /// Of requests that may be sent again.
    public enum Methods: String, Sendable, CaseIterable {
      /// GET, HEAD, OPTIONS, TRACE.
      case read
      /// These and PUT, DELETE.
      case idempotent
      case all
    }

    public struct GRPC: Sendable, Equatable {
      public var successStatusCodes = [0]
      public var retryable = Retryable.default

      public init(_ retryable: Retryable = .default) { self.retryable = retryable }

      public enum Retryable: Sendable, Equatable {
        /// UNAVAILABLE.
        case `default`
        /// UNAVAILABLE, streams refused, and HTTP 429, 502, 503, 504 where no `grpc-status` tells.
        case compliant
        case always
        case never
        case statusCodes([Int])
      }
    }
  }
}

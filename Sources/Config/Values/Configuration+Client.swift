extension Configuration {
  /// How the endpoints behind a bound name are chosen and spoken to.
  public struct Client: Sendable, Equatable {
    public var loadBalancer = LoadBalancer()
    public var pool = Pool()
    public var connectTimeoutMilliseconds = 1_000
    /// For one attempt, from sending to the end of the response's header. `nil`: none.
    public var requestAttemptTimeoutMilliseconds: Int?
    /// What pays for sending a request again of which surely nothing was processed.
    public var requeueBudget = RetryBudget()
    /// When an endpoint is taken out for its failures.
    public var failureAccrual = FailureAccrual.usual
    /// When one is taken out because it is much slower than the others. `nil`: never.
    public var latencyOutliers: LatencyOutliers?
    /// Of the endpoints, how many are left out at a time at most, whatever the cause.
    public var maxEjectedPercent = 100
    /// Until an endpoint that has come, or come back, takes its whole share. 0: it does at once.
    public var slowStartMilliseconds = 0
    public var concurrencyLimit = ConcurrencyLimit()
    public var session = Session(idleTimeMilliseconds: 60_000, keepAliveMilliseconds: 30_000)
    /// What endpoints speak; by default h2 for routers with `protocol: h2`, else h1.
    public var `protocol` = ClientProtocol.h1
    public var http2 = HTTP2()
    /// `nil`: clear text.
    public var tls: ClientTLS?
    /// Endpoints are told the caller's certificate.
    public var forwardClientCert = false
    public var requestHeaders: HeaderRules?
    public var responseHeaders: HeaderRules?
    /// `nil`: callers are not bound to endpoints.
    public var stickyCookie: StickyCookie?
    /// What some bound ids have otherwise, in the order of the file: each that covers an id sets its keys for it.
    public var configs: [Refinement<Client>] = []

    public init() {}

    /// Connections to one endpoint, per worker.
    public struct Pool: Sendable, Equatable {
      /// Kept open when idle.
      public var minSize = 0
      /// `nil`: no limit.
      public var maxSize: Int?
      /// A connection above `minSize` closes after so long without a request. `nil`: as `clientSession.idleTimeMs`.
      public var idleTimeMilliseconds: Int?
      /// Requests which may wait for a connection when `maxSize` is reached; beyond: `pick.overload`.
      public var maxWaiters = 1_024

      public init() {}
    }
  }

  public struct LoadBalancer: Sendable, Equatable {
    public var kind = Kind.ewma(decayTimeMilliseconds: 10_000)
    /// Draws made to find an endpoint which is up before any is taken.
    public var maxEffort = 5

    public enum Kind: Sendable, Equatable {
      /// The less loaded of two endpoints drawn at random.
      case p2c
      /// The one of two with the lower peak-sensitive moving average of latency times load.
      case ewma(decayTimeMilliseconds: Int)
      /// Least loaded of two among a subset which grows and shrinks with the load.
      case aperture(Aperture)
      case roundRobin
      /// Consistent hashing.
      case ring(Ring)
    }

    public struct Aperture: Sendable, Equatable {
      public var smoothWindowMilliseconds = 5_000
      /// Mean load per endpoint below which the aperture shrinks.
      public var lowLoad = 0.5
      /// Mean load per endpoint above which the aperture grows.
      public var highLoad = 2.0
      public var minAperture = 1

      public init() {}
    }

    public struct Ring: Sendable, Equatable {
      /// Request header whose value is hashed; requests without it, and all when `nil`, hash the caller's address.
      public var hashHeader: String?
      /// Cookie whose value is hashed in place of a header's.
      public var hashCookie: String?
      /// Points of an endpoint of weight 1 on the ring.
      public var pointsPerEndpoint = 160
      /// Above 1: an endpoint with more than that multiple of its fair share of the requests in progress is passed over.
      /// 0: never.
      public var loadBound = 0.0

      public init() {}
    }

    public init() {}
  }

  /// A share of the requests plus a fixed rate may be sent again.
  public struct RetryBudget: Sendable, Equatable {
    public var minRetriesPerSecond = 10
    /// Retries per request, as a fraction.
    public var percentCanRetry = 0.2
    /// For how long a request counts.
    public var ttlSeconds = 10

    public init() {}
  }

  /// What holds for a logical name as a whole.
  public struct Service: Sendable, Equatable {
    /// Over all attempts, to the end of the response's header. `nil`: none.
    public var totalTimeoutMilliseconds: Int?
    public var responseClassifier = ResponseClassifier.nonRetryable5XX
    public var retries = Retries()
    public var retryBufferSize = RetryBufferSize()
    public var requestHeaders: HeaderRules?
    public var responseHeaders: HeaderRules?
    /// Whether another endpoint is asked as well when an answer takes long. `nil`: never.
    public var hedge: Hedge?
    /// `nil`: none are injected.
    public var faults: Faults?
    /// `nil`: nothing is copied.
    public var mirror: Mirror?
    public var rateLimits: [RateLimit] = []
    /// What some logical names have otherwise, in the order of the file: each that covers a name sets its keys for it.
    public var configs: [Refinement<Service>] = []

    public init() {}
  }
}

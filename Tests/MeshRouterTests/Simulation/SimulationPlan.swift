import Balancers
import Config
import MeshBase

/// What one run is made of; all of it follows from the seed.
struct SimulationPlan: CustomStringConvertible {
  let seed: UInt64
  var workers = 1
  var backends = 1
  var requests = 0
  /// Nanoseconds between requests, on average.
  var spacing: UInt64 = 0
  var client = Configuration.Client()
  var service = Configuration.Service()
  var requeueBudget = Configuration.RetryBudget()
  var attemptTimeoutMilliseconds: UInt64?
  /// Of all attempts together; where nothing else ends a request that hangs.
  var totalTimeoutMilliseconds: UInt64?
  /// One in so many events is a change of some backend's mood.
  var moods: [SimulatedBackend.Mood] = []
  /// Whether time makes leaps, as over a suspension of the machine.
  var leaps = false
  /// Whether endpoints come and go.
  var listChanges = false
  /// Of each limit, by class of importance.
  var shares = [1.0]
  /// The server's places, if they are limited.
  var gate: Gate?
  var limit = Configuration.ConcurrencyLimit()

  struct Gate {
    var max: Int
    var queueMax: Int
    var waitMilliseconds: Int
    var shares: [Double]
  }

  init(seed: UInt64) {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    workers = 1 + random.below(3)
    backends = 1 + random.below(random.below(4) == 0 ? 12 : 5)
    requests = 10 + random.below(50)
    spacing = [20_000, 1_000_000, 30_000_000, 400_000_000][random.below(4)]
    client.loadBalancer.kind =
      [
        .p2c, .ewma(decayTimeMilliseconds: 10_000), .roundRobin, .aperture(Configuration.LoadBalancer.Aperture()),
        .ring(Self.ring),
      ][random.below(5)]
    client.failureAccrual =
      switch random.below(4) {
      case 0: .none
      case 1: .consecutiveFailures(failures: 1 + random.below(4), backoff: Self.backoff(&random))
      case 2: .successRate(successRate: random.unit(), requests: 1 + random.below(8), backoff: Self.backoff(&random))
      default:
        .successRateWindowed(
          successRate: random.unit(), windowSeconds: 1 + random.below(3), backoff: Self.backoff(&random))
      }
    client.slowStartMilliseconds = [0, 0, 20, 5_000][random.below(4)]
    client.maxEjectedPercent = [100, 100, 1, 50][random.below(4)]
    if random.below(3) == 0 {
      var outliers = Configuration.LatencyOutliers()
      outliers.requests = 1 + random.below(3)
      outliers.factor = 1.1 + 3 * random.unit()
      outliers.minMilliseconds = random.below(10)
      outliers.windowSeconds = 1 + random.below(2)
      outliers.ejectMilliseconds = 1 + random.below(10_000)
      client.latencyOutliers = outliers
    }
    service.responseClassifier =
      [.nonRetryable5XX, .retryableRead5XX, .retryableIdempotent5XX, .retryableAll5XX][random.below(4)]
    service.retries.backoff = random.below(3) == 0 ? .constant(milliseconds: 0) : Self.backoff(&random)
    service.retries.budget = Self.budget(&random)
    service.retryBufferSize.requestBytes = random.below(2) * 100
    if random.below(5) == 0 {
      var hedge = Configuration.Hedge()
      hedge.percentile = [50, 90, 99][random.below(3)]
      hedge.maxExtraPercent = [5, 50, 100][random.below(3)]
      hedge.methods = [.read, .idempotent, .all][random.below(3)]
      service.hedge = hedge
      // What is usual has to be known first.
      requests += 100 + random.below(100)
      workers = 1
    }
    requeueBudget = Self.budget(&random)
    if random.below(4) > 0 { attemptTimeoutMilliseconds = UInt64(1 + random.below(100)) }
    if random.below(2) == 0 || attemptTimeoutMilliseconds == nil {
      totalTimeoutMilliseconds = UInt64(1 + random.below(400))
    }
    let all = SimulatedBackend.Mood.allCases
    moods = (0..<6).map { _ in random.below(3) == 0 ? .healthy : all[random.below(all.count)] }
    leaps = random.below(3) == 0
    listChanges = random.below(3) == 0
    shares = [[1], [1, 0.5], [1, 1, 0.2]][random.below(3)]
    if random.below(3) == 0 {
      gate = Gate(
        max: 1 + random.below(10), queueMax: random.below(2) * random.below(30),
        waitMilliseconds: 1 + random.below(200),
        shares: shares)
    }
    if random.below(3) == 0 {
      limit.law = random.below(2) == 0 ? .gradient(.init()) : .aimd(.init())
      (limit.min, limit.max) = (1, 1 + random.below(20))
      limit.initial = 1 + random.below(10)
      limit.queue.size = random.below(2) * random.below(30)
      limit.queue.waitMilliseconds = 1 + random.below(200)
    }
  }

  private static var ring: Configuration.LoadBalancer.Ring {
    var ring = Configuration.LoadBalancer.Ring()
    ring.pointsPerEndpoint = 40
    ring.loadBound = 1.25
    return ring
  }

  private static func backoff(_ random: inout SeededRandom) -> Configuration.Backoff {
    let least = 1 + random.below(100)
    return random.below(2) == 0
      ? .constant(milliseconds: least) : .jittered(minMilliseconds: least, maxMilliseconds: least * 8)
  }

  private static func budget(_ random: inout SeededRandom) -> Configuration.RetryBudget {
    var budget = Configuration.RetryBudget()
    budget.minRetriesPerSecond = [0, 1, 10, 1_000][random.below(4)]
    budget.percentCanRetry = [0, 0.2, 1, 30][random.below(4)]
    budget.ttlSeconds = 1 + random.below(10)
    return budget
  }

  var description: String {
    """
    \(workers) workers, \(backends) backends, \(requests) requests each \(spacing) ns, \(client), \
    \(service), requeues \(requeueBudget), time-outs \(attemptTimeoutMilliseconds.map(String.init) ?? "none") and \
    \(totalTimeoutMilliseconds.map(String.init) ?? "none") ms, moods \(moods), leaps \(leaps), lists \(listChanges), \
    shares \(shares), places \(gate.map { "\($0)" } ?? "any"), limit \(limit)
    """
  }
}

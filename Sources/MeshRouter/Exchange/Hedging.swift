import Config
import HTTP
import MeshBase
import Resilience

/// When a second endpoint is asked for the answer of one logical name, on one worker.
final class Hedging {
  private let methods: Configuration.ResponseClassifier.Methods
  private let least: UInt64
  private var latency: LatencyQuantile
  private var budget: RetryBudget

  init(_ configuration: Configuration.Hedge) {
    methods = configuration.methods
    least = UInt64(configuration.minMilliseconds) * 1_000_000
    latency = LatencyQuantile(share: configuration.percentile / 100)
    budget = RetryBudget(percentCanRetry: configuration.maxExtraPercent / 100, minRetriesPerSecond: 0)
  }

  func covers(_ method: Method) -> Bool { methods.contain(method) }

  func requestBegan(at now: MonotonicInstant) { budget.deposit(at: now) }

  /// Nanoseconds without an answer after which another endpoint is asked; `nil` while it is not known what is usual.
  var delay: UInt64? { latency.value.map { max($0, least) } }

  /// An endpoint took so long for its answer to begin, or did not answer for so long.
  func took(nanoseconds: UInt64, at now: MonotonicInstant) { latency.record(nanoseconds: nanoseconds, at: now) }

  /// Takes the price of a second attempt, if it is there.
  func pays(at now: MonotonicInstant) -> Bool { budget.tryWithdraw(at: now) }
}

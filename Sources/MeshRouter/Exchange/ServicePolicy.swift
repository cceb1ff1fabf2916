import Config
import HTTP
import MeshBase
import Resilience

/// What holds for one logical name on one worker: what counts as a success, and what is tried again.
struct ServicePolicy {
  typealias Classifier = Configuration.ResponseClassifier

  private let classifier: Classifier
  private let backoff: Backoff.Policy
  private let heedsKeys: Bool
  /// Bytes of a request's body that are kept at most, so that it can be sent again.
  let keptBodyMax: Int
  /// `nil`: no second attempts while the first is out.
  let hedging: Hedging?
  /// Pays for retries; each worker has its part.
  var budget: RetryBudget
  /// Only 5xx are failures, or nothing at all: a response below needs no look.
  let failsOnlyAbove499: Bool

  init(_ service: Configuration.Service, workerCount: Int) {
    classifier = service.responseClassifier
    budget = RetryBudget(service.retries.budget, workerCount: workerCount)
    backoff =
      switch service.retries.backoff {
      case .constant(let milliseconds): .constant(milliseconds: UInt64(milliseconds))
      case .jittered(let least, let most):
        .decorrelatedJitter(minMilliseconds: UInt64(least), maxMilliseconds: UInt64(most))
      }
    hedging = service.hedge.map { Hedging($0) }
    heedsKeys = service.retries.heedIdempotencyKey
    keptBodyMax = service.retryBufferSize.requestBytes
    if case .statusRanges = classifier { failsOnlyAbove499 = false } else { failsOnlyAbove499 = true }
  }

  // MARK: Success

  func isSuccess(status: Int) -> Bool {
    switch classifier {
    case .allSuccessful: true
    case .statusRanges(let ranges): ranges.success.contains { $0.contains(status) }
    default: status < 500
    }
  }

  func isSuccess(_ call: GRPCStatus) -> Bool {
    switch classifier {
    case .allSuccessful: true
    case .grpc(let grpc): grpc.successStatusCodes.contains(Int(call.rawValue))
    default: call == .ok
    }
  }

  // MARK: Retries

  /// Whether a request that got no answer, or one with a 5xx, may be sent again as far as its method goes. `isKeyed`: it
  /// has an `Idempotency-Key`, so that the service knows it again.
  func retries(_ method: Method, isKeyed: Bool = false) -> Bool {
    let method = isKeyed && heedsKeys && method.isRepeatable && !method.isIdempotent ? .put : method
    return switch classifier {
    case .nonRetryable5XX, .allSuccessful: false
    case .retryableRead5XX: method.isSafe
    case .retryableIdempotent5XX: method.isIdempotent
    case .retryableAll5XX: method.isRepeatable
    case .statusRanges(let ranges): !ranges.retryable.isEmpty && ranges.methods.contain(method)
    case .grpc(let grpc): grpc.retryable != .never
    }
  }

  /// The same for an answer with this status.
  func retries(_ method: Method, isKeyed: Bool = false, status: Int) -> Bool {
    switch classifier {
    case .statusRanges(let ranges):
      !isSuccess(status: status) && ranges.retryable.contains { $0.contains(status) }
        && retries(method, isKeyed: isKeyed)
    case .grpc: false
    default: status >= 500 && retries(method, isKeyed: isKeyed)
    }
  }

  /// Whether a gRPC call that got this answer may be sent again; nil: none came, as when the connection was lost.
  /// A status below 400 that HTTP alone has says nothing of a call.
  func retriesCall(_ call: GRPCStatus?, status: Int) -> Bool {
    guard case .grpc(let grpc) = classifier else { return false }
    if let call, grpc.successStatusCodes.contains(Int(call.rawValue)) { return false }
    switch grpc.retryable {
    case .never: return false
    case .always: return true
    case .default: return call == .unavailable
    case .compliant: return call == .unavailable || (call == nil && [429, 502, 503, 504].contains(status))
    case .statusCodes(let codes): return call.map { codes.contains(Int($0.rawValue)) } ?? false
    }
  }

  /// Nanoseconds to wait before the retry with this number, counted from 1.
  func backOff(retry: Int, using random: inout SeededRandom) -> UInt64 {
    var backoff = Backoff(self.backoff)
    var wait: UInt64 = 0
    for _ in 0..<retry { wait = backoff.next(using: &random) }
    return wait
  }
}

extension Method {
  /// CONNECT cannot be sent again, and of an unknown method nobody knows.
  fileprivate var isRepeatable: Bool { self != .connect && self != .other }
}

extension Configuration.ResponseClassifier.Methods {
  func contain(_ method: Method) -> Bool {
    switch self {
    case .read: method.isSafe
    case .idempotent: method.isIdempotent
    case .all: method.isRepeatable
    }
  }
}

extension RetryBudget {
  /// One worker's part of what is configured for all of them together.
  init(_ configuration: Configuration.RetryBudget, workerCount: Int) {
    self.init(
      percentCanRetry: configuration.percentCanRetry,
      minRetriesPerSecond: Double(configuration.minRetriesPerSecond) / Double(workerCount),
      ttlMilliseconds: UInt64(configuration.ttlSeconds) * 1_000)
  }
}

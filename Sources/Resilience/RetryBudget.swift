import MeshBase

/// How many retries the requests of late have paid for; confined to one worker.
///
/// Integers throughout. A request deposits `deposit` tokens, a retry costs `cost`, and what was deposited or withdrawn
/// counts for `ttlMilliseconds`, in ten sub-windows of which the current one is the newest. A reserve that is always
/// there allows the minimum of retries; since withdrawals age out too, it comes back.
public struct RetryBudget: Sendable {
  /// Tokens a request deposits, unless retries are not to grow with traffic at all.
  private static let depositTokens = 1_000
  private static let windowCount = 10

  /// Tokens per request; 0 if `percentCanRetry` is 0.
  public let deposit: Int
  /// Tokens per retry.
  public let cost: Int
  /// Tokens that are always there.
  public let reserve: Int

  private let windowNanoseconds: UInt64
  /// Deposits less withdrawals of each sub-window, at its number modulo ten.
  private var sums = InlineArray<10, Int>(repeating: 0)
  /// Number of the newest sub-window.
  private var newest: UInt64 = 0
  /// Invariant: the sum of `sums`.
  private var total = 0

  /// - Parameters:
  ///   - percentCanRetry: retries allowed per request, as a fraction: 0.2 is one for five requests.
  ///   - minRetriesPerSecond: retries allowed whatever the traffic. Where workers have a budget each, each gets its part.
  ///
  /// Values that are negative or not finite count as 0. Both 0: no retry is ever allowed.
  public init(percentCanRetry: Double = 0.2, minRetriesPerSecond: Double = 10, ttlMilliseconds: UInt64 = 10_000) {
    let percent = percentCanRetry.isFinite ? max(percentCanRetry, 0) : 0
    let rate = minRetriesPerSecond.isFinite ? min(max(minRetriesPerSecond, 0), 1e6) : 0
    let ttl = min(max(ttlMilliseconds, UInt64(Self.windowCount)), 86_400_000)
    deposit = percent == 0 ? 0 : Self.depositTokens
    // At least 1, at most what leaves room for a day's deposits in an Int.
    cost = percent == 0 ? 1 : Int(min(max(Double(Self.depositTokens) / percent, 1), 1e9))
    reserve = Int(rate * Double(ttl) / 1_000 * Double(cost) + 0.5)
    windowNanoseconds = ttl * 1_000_000 / UInt64(Self.windowCount)
  }

  /// Call once per original request.
  public mutating func deposit(at now: MonotonicInstant) {
    advance(to: now)
    add(deposit)
  }

  /// Takes the price of one retry, if it is there.
  public mutating func tryWithdraw(at now: MonotonicInstant) -> Bool {
    advance(to: now)
    if total + reserve < cost { return false }
    add(-cost)
    return true
  }

  /// Retries that could be made now.
  public func balance(at now: MonotonicInstant) -> Int {
    var copy = self
    copy.advance(to: now)
    return max(0, copy.total + copy.reserve) / cost
  }

  private mutating func add(_ tokens: Int) {
    sums[Int(newest % UInt64(Self.windowCount))] += tokens
    total += tokens
  }

  /// Forgets the sub-windows that are ten or more older than the one `now` is in.
  private mutating func advance(to now: MonotonicInstant) {
    let current = now.nanoseconds / windowNanoseconds
    if current <= newest { return }
    for step in 0..<min(current - newest, UInt64(Self.windowCount)) {
      let index = Int((current - step) % UInt64(Self.windowCount))
      total -= sums[index]
      sums[index] = 0
    }
    newest = current
  }
}

import MeshBase

/// How many retries the requests of late have paid for; confined to one worker.
///
/// Integers throughout. A request deposits `deposit` tokens, a retry costs `cost`, and what was deposited or withdrawn
/// counts for `ttlMilliseconds`, in ten sub-windows of which the current one is the newest. A reserve that is always
/// there allows the minimum of retries; since withdrawals age out too, it comes back.
///
/// A sub-window that took more than it brought takes the rest from what the later ones have left when it ages out. Else
/// what was deposited while a burst was being paid for would pay for the next one, once in each `ttlMilliseconds`, for
/// as long as all requests fail.
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

  /// Forgets the sub-windows that are ten or more older than the one `now` is in, oldest first.
  private mutating func advance(to now: MonotonicInstant) {
    let current = now.nanoseconds / windowNanoseconds
    if current <= newest { return }
    let count = Int(min(current - newest, UInt64(Self.windowCount)))
    let oldest = Int((newest + 1) % UInt64(Self.windowCount))
    for step in 0..<count {
      let index = (oldest + step) % Self.windowCount
      total -= sums[index]
      if sums[index] < 0 { settle(-sums[index], after: index, windows: Self.windowCount - 1 - step) }
      sums[index] = 0
    }
    newest = current
  }

  /// Takes so many tokens from the sub-windows behind that index, as far as they have them.
  private mutating func settle(_ tokens: Int, after index: Int, windows: Int) {
    var left = tokens
    for step in 1..<windows + 1 where left > 0 {
      let later = (index + step) % Self.windowCount
      let taken = min(left, max(sums[later], 0))
      sums[later] -= taken
      total -= taken
      left -= taken
    }
  }
}

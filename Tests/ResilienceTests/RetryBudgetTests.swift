import MeshBase
import Testing

@testable import Resilience

private func at(milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: milliseconds)
}

private func withdraws(_ budget: inout RetryBudget, at now: MonotonicInstant) -> Bool { budget.tryWithdraw(at: now) }

@Suite("Retry budget") struct RetryBudgetTests {
  @Test("the reserve alone gives the minimum rate times the time to live, and comes back as withdrawals age out")
  func reserve() {
    var budget = RetryBudget()
    #expect(budget.cost == 5_000 && budget.deposit == 1_000 && budget.reserve == 500_000)
    #expect(budget.balance(at: at(milliseconds: 0)) == 100)
    var allowed = 0
    while withdraws(&budget, at: at(milliseconds: 0)) { allowed += 1 }
    #expect(allowed == 100)
    #expect(!withdraws(&budget, at: at(milliseconds: 8_999)))
    // Ten sub-windows on, the withdrawals count no more.
    #expect(budget.balance(at: at(milliseconds: 10_000)) == 100)
    #expect(withdraws(&budget, at: at(milliseconds: 10_000)))
  }

  @Test("five requests pay for one retry")
  func deposits() {
    var budget = RetryBudget(percentCanRetry: 0.2, minRetriesPerSecond: 0)
    for request in 0..<5 {
      #expect(!withdraws(&budget, at: at(milliseconds: 0)), "after \(request) requests")
      budget.deposit(at: at(milliseconds: 0))
    }
    #expect(withdraws(&budget, at: at(milliseconds: 500)))
    #expect(!withdraws(&budget, at: at(milliseconds: 500)))
    // The deposits and the withdrawal leave together.
    budget.deposit(at: at(milliseconds: 20_000))
    #expect(budget.balance(at: at(milliseconds: 20_000)) == 0)
  }

  @Test("without a percentage only the minimum rate counts")
  func minimumOnly() {
    var budget = RetryBudget(percentCanRetry: 0, minRetriesPerSecond: 2, ttlMilliseconds: 5_000)
    #expect(budget.cost == 1 && budget.deposit == 0 && budget.reserve == 10)
    for _ in 0..<1_000 { budget.deposit(at: at(milliseconds: 0)) }
    var allowed = 0
    while withdraws(&budget, at: at(milliseconds: 1)) { allowed += 1 }
    #expect(allowed == 10)
  }

  @Test("both 0 allows nothing, and senseless numbers count as 0")
  func never() {
    var budget = RetryBudget(percentCanRetry: 0, minRetriesPerSecond: 0)
    #expect(!withdraws(&budget, at: at(milliseconds: 0)))
    var odd = RetryBudget(percentCanRetry: .nan, minRetriesPerSecond: -.infinity)
    odd.deposit(at: at(milliseconds: 0))
    #expect(!withdraws(&odd, at: at(milliseconds: 0)) && odd.balance(at: at(milliseconds: 0)) == 0)
  }

  @Test("a percentage above 1 lets one request pay for several retries")
  func generous() {
    var budget = RetryBudget(percentCanRetry: 4, minRetriesPerSecond: 0)
    budget.deposit(at: at(milliseconds: 0))
    #expect(budget.cost == 250 && budget.balance(at: at(milliseconds: 0)) == 4)
  }

  @Test("equals a model that keeps a sum for each sub-window", arguments: 0..<20 as Range<UInt64>)
  func model(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let percent = [0.05, 0.2, 0.5, 1][random.below(4)]
    var budget = RetryBudget(percentCanRetry: percent, minRetriesPerSecond: Double(random.below(3)))
    let window: UInt64 = 1_000
    var sums: [(window: UInt64, tokens: Int)] = []
    var milliseconds: UInt64 = 0
    for step in 0..<3_000 {
      milliseconds += UInt64(random.below(random.below(50) == 0 ? 15_000 : 60))
      let now = at(milliseconds: milliseconds)
      // Sub-windows lie on whole seconds of the clock, and the tests' origin is one.
      let current = milliseconds / window
      while let oldest = sums.first, oldest.window + 10 <= current {
        sums.removeFirst()
        var debt = max(0, -oldest.tokens)
        for index in sums.indices {
          let taken = min(debt, max(0, sums[index].tokens))
          sums[index].tokens -= taken
          debt -= taken
        }
      }
      if sums.last?.window != current { sums.append((current, 0)) }
      let balance = budget.reserve + sums.reduce(0) { $0 + $1.tokens }
      #expect(budget.balance(at: now) == max(0, balance) / budget.cost, "seed \(seed) step \(step)")
      if random.below(3) > 0 {
        budget.deposit(at: now)
        sums[sums.count - 1].tokens += budget.deposit
      } else {
        let allowed = budget.tryWithdraw(at: now)
        #expect(allowed == (balance >= budget.cost), "seed \(seed) step \(step)")
        if allowed { sums[sums.count - 1].tokens -= budget.cost }
      }
    }
  }

  @Test("an outage gets its share and the minimum, however much was saved up, and no burst once in each time to live")
  func outage() {
    var budget = RetryBudget()
    let perSecond = 1_000
    var (requests, retries) = (0, 0)
    for millisecond in 0..<100_000 as Range<UInt64> {
      let now = at(milliseconds: millisecond)
      budget.deposit(at: now)
      if millisecond < 20_000 { continue }
      // From here on everything fails.
      requests += 1
      for _ in 0..<20 where withdraws(&budget, at: now) { retries += 1 }
      let seconds = (millisecond - 20_000) / 1_000 + 1
      guard seconds > 10 else { continue }
      let minimum = 100 * Int(seconds / 10 + 1)
      #expect(retries <= requests / 5 + minimum, "after \(seconds) s")
    }
    #expect(requests == 80 * perSecond && retries >= requests / 5)
  }

  @Test("an instant before the last one counts as the last one")
  func clockStandsStill() {
    var budget = RetryBudget(percentCanRetry: 1, minRetriesPerSecond: 0)
    budget.deposit(at: at(milliseconds: 5_000))
    #expect(withdraws(&budget, at: at(milliseconds: 1)))
    #expect(!withdraws(&budget, at: at(milliseconds: 5_000)))
  }
}

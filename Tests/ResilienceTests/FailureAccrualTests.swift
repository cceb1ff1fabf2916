import MeshBase
import Testing

@testable import Resilience

private func at(milliseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 1_000_000_000_000).advanced(byMilliseconds: milliseconds)
}

/// One endpoint and a clock.
private final class Endpoint {
  var accrual: FailureAccrual
  var random = SeededRandom(seed: 7)
  var milliseconds: UInt64 = 0

  init(_ policy: FailureAccrual.Policy) { accrual = FailureAccrual(policy) }

  @discardableResult
  func ends(_ ok: Bool, after: UInt64 = 0) -> FailureAccrual.Verdict? {
    milliseconds += after
    return accrual.record(ok: ok, at: at(milliseconds: milliseconds), using: &random)
  }

  /// Whether a request may go there now as a probe.
  func probes() -> Bool {
    accrual.beginProbing(at: at(milliseconds: milliseconds)) && accrual.requestBegins()
  }
}

@Suite("Failure accrual") struct FailureAccrualTests {
  @Test("five failures in a row, and no success between them, leave an endpoint out for five seconds")
  func consecutive() {
    let endpoint = Endpoint(.consecutiveFailures(5))
    for _ in 0..<4 { #expect(endpoint.ends(false) == nil) }
    endpoint.ends(true)
    for _ in 0..<4 { #expect(endpoint.ends(false) == nil) }
    #expect(endpoint.accrual.state == .alive)
    #expect(endpoint.ends(false) == .ejected(until: at(milliseconds: 5_000)))
    #expect(endpoint.accrual.state == .dead(until: at(milliseconds: 5_000)))
  }

  @Test("what was out when it died tells nothing, neither good nor bad")
  func late() {
    let endpoint = Endpoint(.consecutiveFailures(1))
    endpoint.ends(false)
    let dead = endpoint.accrual.state
    #expect(endpoint.ends(true) == nil && endpoint.ends(false) == nil)
    #expect(endpoint.accrual.state == dead)
    endpoint.milliseconds = 5_000
    let isDue = endpoint.accrual.beginProbing(at: at(milliseconds: 5_000))
    #expect(isDue)
    // The probe is due but not out.
    #expect(endpoint.ends(true) == nil && endpoint.ends(false) == nil)
    #expect(endpoint.accrual.state == .probing(isOut: false))
  }

  @Test("one probe at a time; its success revives, and the next death begins with the first wait again")
  func probe() {
    let endpoint = Endpoint(.consecutiveFailures(2))
    endpoint.ends(false)
    endpoint.ends(false)
    #expect(!endpoint.probes())
    endpoint.milliseconds = 4_999
    #expect(!endpoint.probes())
    endpoint.milliseconds = 5_000
    #expect(endpoint.probes())
    let second = endpoint.accrual.requestBegins()
    #expect(!second)
    #expect(endpoint.ends(true) == .revived)
    #expect(endpoint.ends(false) == nil)
    #expect(endpoint.ends(false) == .ejected(until: at(milliseconds: 10_000)))
  }

  @Test("each probe that fails makes the wait longer, up to five minutes")
  func longer() {
    let endpoint = Endpoint(.consecutiveFailures(1))
    var last: UInt64 = 0
    endpoint.ends(false)
    for round in 0..<12 {
      guard case .dead(let until) = endpoint.accrual.state else {
        Issue.record("alive in round \(round)")
        return
      }
      let wait = (until.nanoseconds - at(milliseconds: endpoint.milliseconds).nanoseconds) / 1_000_000
      #expect(round == 0 ? wait == 5_000 : wait >= min(last, 300_000) && wait <= 300_000, "round \(round): \(wait) ms")
      last = wait
      endpoint.milliseconds += wait + 1
      #expect(endpoint.probes())
      endpoint.ends(false)
    }
    #expect(last == 300_000)
  }

  @Test("a probe whose caller went away is sent again")
  func abandoned() {
    let endpoint = Endpoint(.consecutiveFailures(1))
    endpoint.ends(false)
    endpoint.milliseconds = 5_000
    #expect(endpoint.probes())
    let first = endpoint.accrual.probeWasAbandoned()
    let again = endpoint.accrual.probeWasAbandoned()
    #expect(first && !again)
    let isProbe = endpoint.accrual.requestBegins()
    #expect(isProbe)
  }

  @Test("success rate: nothing before there were enough requests; then a failure below the rate trips")
  func rate() {
    let endpoint = Endpoint(.successRate(0.8, requests: 20))
    for _ in 0..<19 { #expect(endpoint.ends(false) == nil) }
    #expect(endpoint.ends(true) == nil)  // never on a success
    #expect(endpoint.ends(false) != nil)
    let good = Endpoint(.successRate(0.8, requests: 20))
    for number in 0..<2_000 { #expect(good.ends(number % 10 != 0) == nil, "request \(number)") }
    let bad = Endpoint(.successRate(0.8, requests: 20))
    var tripped = false
    for number in 0..<200 where bad.ends(number % 2 == 0) != nil { tripped = true }
    #expect(tripped)
  }

  @Test("windowed success rate: a whole window first, requests of one moment all count, an idle one forgets")
  func windowed() {
    let endpoint = Endpoint(.successRateWindowed(0.8, nanoseconds: 30_000_000_000))
    for _ in 0..<100 { #expect(endpoint.ends(false) == nil) }
    #expect(endpoint.ends(false, after: 29_999) == nil)
    #expect(endpoint.ends(false, after: 1) != nil)

    let few = Endpoint(.successRateWindowed(0.8, nanoseconds: 1_000_000_000))
    for number in 0..<4 { #expect(few.ends(false, after: 2_000) == nil, "request \(number)") }
    #expect(few.ends(false, after: 2_000) != nil)

    let healed = Endpoint(.successRateWindowed(0.5, nanoseconds: 1_000_000_000))
    for _ in 0..<100 { healed.ends(false) }
    for _ in 0..<20 { healed.ends(true, after: 500) }
    #expect(healed.ends(false, after: 500) == nil)
  }

  @Test("a worker told by another keeps it out as long, and asks by itself afterwards")
  func elsewhere() {
    let endpoint = Endpoint(.consecutiveFailures(5))
    endpoint.accrual.ejectedElsewhere(until: at(milliseconds: 700))
    #expect(!endpoint.probes())
    endpoint.milliseconds = 700
    #expect(endpoint.probes())
    endpoint.accrual.ejectedElsewhere(until: at(milliseconds: 9_000))
    #expect(endpoint.accrual.state == .probing(isOut: true))
    #expect(endpoint.ends(true) == .revived)
  }

  @Test("none never ejects")
  func none() {
    let endpoint = Endpoint(.none)
    for _ in 0..<1_000 { #expect(endpoint.ends(false, after: 10) == nil) }
  }
}

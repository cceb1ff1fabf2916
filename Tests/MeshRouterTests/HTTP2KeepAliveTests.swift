import MeshBase
import Testing

@testable import MeshRouter

@Suite struct HTTP2KeepAliveTests {
  private func at(_ milliseconds: UInt64) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: 1_000_000_000).advanced(byMilliseconds: milliseconds)
  }

  @Test("a PING follows a silence, and death follows a PING without answer")
  func silence() {
    var keepAlive = HTTP2KeepAlive(milliseconds: 1_000, timeoutMilliseconds: 300)
    #expect(keepAlive.begin(at: at(0)) == at(1_000))
    #expect(keepAlive.next(at: at(400)) == .wait(until: at(1_000)))
    #expect(keepAlive.next(at: at(1_000)) == .ping(lookAgain: at(1_300)))
    #expect(keepAlive.next(at: at(1_200)) == .wait(until: at(1_300)))
    #expect(keepAlive.next(at: at(1_300)) == .dead)
  }

  @Test("any byte is a sign of life")
  func heard() {
    var keepAlive = HTTP2KeepAlive(milliseconds: 1_000, timeoutMilliseconds: 300)
    _ = keepAlive.begin(at: at(0))
    keepAlive.heard(at: at(900))
    #expect(keepAlive.next(at: at(1_000)) == .wait(until: at(1_900)))
    #expect(keepAlive.next(at: at(1_900)) == .ping(lookAgain: at(2_200)))
    keepAlive.heard(at: at(1_950))
    #expect(keepAlive.next(at: at(2_200)) == .wait(until: at(5_950)))
  }

  @Test("a quiet stream is asked ever more seldom, and a response begins anew")
  func backOff() {
    var keepAlive = HTTP2KeepAlive(milliseconds: 30_000, timeoutMilliseconds: 10_000)
    var now = keepAlive.begin(at: at(0))
    var gaps: [UInt64] = []
    var last = at(0)
    while gaps.count < 5 {
      switch keepAlive.next(at: now) {
      case .wait(let until): now = until
      case .ping:
        gaps.append(now.nanoseconds(since: last) / 1_000_000_000)
        last = now
        keepAlive.heard(at: now)
      case .dead: Issue.record("dead at \(now)")
      }
    }
    #expect(gaps == [30, 120, 480, 600, 600])
    keepAlive.progressed()
    #expect(keepAlive.next(at: now) == .wait(until: now.advanced(byMilliseconds: 30_000)))
  }
}

import Config
import HTTP
import MeshBase
import Testing

@testable import MeshRouter

@Suite("faults on purpose, as they are drawn")
struct FaultPlanTests {
  private func head(_ fields: String = "") -> ByteBuffer {
    let buffer = ByteBuffer()
    buffer.append("GET / HTTP/1.1\r\nHost: web\r\n" + fields)
    return buffer
  }

  private func plan(_ change: (inout Configuration.Faults) -> Void) -> FaultPlan? {
    var faults = Configuration.Faults()
    change(&faults)
    return FaultPlan(faults)
  }

  private func delay(_ milliseconds: Int, _ percent: Double) -> Configuration.Faults.Delay {
    var delay = Configuration.Faults.Delay()
    (delay.milliseconds, delay.percent) = (milliseconds, percent)
    return delay
  }

  private func abort(_ status: Int, _ percent: Double, call: Int? = nil) -> Configuration.Faults.Abort {
    var abort = Configuration.Faults.Abort()
    (abort.status, abort.percent, abort.grpcStatus) = (status, percent, call)
    return abort
  }

  @Test("what cannot befall anything is no plan")
  func none() {
    #expect(FaultPlan(nil) == nil)
    #expect(plan { _ in } == nil)
    #expect(plan { $0.abort = abort(503, 0) } == nil)
    #expect(plan { $0.delay = delay(5, 0) } == nil)
    #expect(plan { $0.isByHeader = true } != nil)
  }

  @Test(
    "shares are what is configured, from one in a million to all",
    arguments: [0.0001, 0.01, 0.5, 5, 50, 99.99, 100] as [Double])
  func shares(percent: Double) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    let plan = try #require(
      self.plan {
        $0.delay = delay(7, percent)
        $0.abort = abort(500, percent)
      })
    let head = head()
    let draws = percent < 0.01 ? 8_000_000 : 400_000
    var (delays, aborts) = (0, 0)
    for _ in 0..<draws {
      let fault = plan.draw(head.readable, using: &random)
      if fault.delayMilliseconds == 7 { delays += 1 }
      if fault.abort == FaultPlan.Abort(status: 500, call: .unknown) { aborts += 1 }
    }
    let mean = Double(draws) * percent / 100
    // Six standard deviations, and a few more where there are few.
    let slack = 6 * (mean * (1 - percent / 100)).squareRoot() + 4
    #expect(abs(Double(delays) - mean) <= slack, "seed \(seed): \(delays) of \(mean)")
    #expect(abs(Double(aborts) - mean) <= slack, "seed \(seed): \(aborts) of \(mean)")
    if percent == 100 { #expect(delays == draws && aborts == draws) }
  }

  @Test("only requests with the field are meant")
  func condition() throws {
    var random = SeededRandom(seed: 1)
    func isMeant(_ value: String?, _ fields: String) throws -> Bool {
      let plan = try #require(
        self.plan {
          $0.abort = abort(503, 100)
          var field = Configuration.Faults.Field()
          (field.header, field.value) = ("X-Chaos", value)
          $0.onlyWith = field
        })
      return plan.draw(head(fields).readable, using: &random).abort != nil
    }
    #expect(try isMeant(nil, "x-chaos: anything\r\n"))
    #expect(try !isMeant(nil, "x-chaoss: anything\r\n"))
    #expect(try isMeant("yes", "X-CHAOS:  yes \r\n"))
    #expect(try !isMeant("yes", "X-Chaos: yesterday\r\n"))
    #expect(try !isMeant("yes", ""))
  }

  @Test("requests choose their faults only where they may")
  func byHeader() throws {
    var random = SeededRandom(seed: 1)
    let wishes = "l5d-fault-delay: 12\r\nL5d-Fault-Abort: 429\r\nX: y\r\n"
    let deaf = try #require(plan { $0.abort = abort(503, 100) })
    #expect(deaf.draw(head(wishes).readable, using: &random) == .init(abort: .init(status: 503, call: .unavailable)))
    let plan = try #require(self.plan { $0.isByHeader = true })
    #expect(plan.draw(head().readable, using: &random).isNone)
    let fault = plan.draw(head(wishes).readable, using: &random)
    #expect(fault == .init(delayMilliseconds: 12, abort: .init(status: 429, call: .unavailable)))
    let call = plan.draw(head("l5d-fault-abort-grpc: 5\r\n").readable, using: &random)
    #expect(call.abort == .init(status: 503, call: .notFound))
    for wish in ["l5d-fault-delay: soon", "l5d-fault-abort: 99", "l5d-fault-abort: 2000", "l5d-fault-abort-grpc: x"] {
      #expect(plan.draw(head(wish + "\r\n").readable, using: &random).isNone, "\(wish)")
    }
    let long = plan.draw(head("l5d-fault-delay: 999999999\r\n").readable, using: &random)
    #expect(long.delayMilliseconds == FaultPlan.askedDelayMillisecondsMax)
    let asked = head(wishes)
    plan.removeWishes(from: asked, room: ByteBuffer())
    #expect(String(decoding: asked.readable, as: UTF8.self) == "GET / HTTP/1.1\r\nHost: web\r\nX: y\r\n")
  }

  @Test("a gRPC status is the configured one, else what the HTTP status stands for")
  func calls() throws {
    var random = SeededRandom(seed: 1)
    let own = try #require(plan { $0.abort = abort(500, 100, call: 8) })
    #expect(own.draw(head().readable, using: &random).abort?.call == .resourceExhausted)
    let derived = try #require(plan { $0.abort = abort(401, 100) })
    #expect(derived.draw(head().readable, using: &random).abort?.call == .unauthenticated)
  }
}

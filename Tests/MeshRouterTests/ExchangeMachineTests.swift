import MeshBase
import Testing

@testable import MeshRouter

@Suite struct ExchangeMachineTests {
  private func machine(idempotent: Bool, upTo state: ExchangeMachine.State, reused: Bool = false) -> ExchangeMachine {
    var machine = ExchangeMachine(isIdempotent: idempotent)
    let events: [(ExchangeMachine.State, ExchangeMachine.Event)] = [
      (.identifying, .identified), (.binding, .bound), (.picking, .picked), (.connecting, .connected(reused: reused)),
      (.awaitingResponse, .responseBegan),
    ]
    for (at, event) in events where machine.state != state && machine.state == at { _ = machine.handle(event) }
    #expect(machine.state == state)
    return machine
  }

  @Test("the plain journey asks for each stage in turn and ends with finish")
  func journey() {
    var machine = ExchangeMachine(isIdempotent: true)
    #expect(machine.handle(.identified) == .bind)
    #expect(machine.handle(.bound) == .pick)
    #expect(machine.handle(.picked) == .connect)
    #expect(machine.handle(.connected(reused: false)) == .send)
    #expect(machine.handle(.responseBegan) == .wait)
    #expect(machine.handle(.completed) == .finish)
    #expect(machine.state == .ended)
  }

  @Test("a GET on a stale pooled connection is sent again, once")
  func staleGet() {
    var machine = machine(idempotent: true, upTo: .awaitingResponse, reused: true)
    #expect(machine.handle(.backendLost) == .resend)
    #expect(machine.handle(.connected(reused: false)) == .send)
    #expect(machine.handle(.backendLost) == .answer(.relayResetByServer))
  }

  @Test("a POST is never sent twice")
  func stalePost() {
    var machine = machine(idempotent: false, upTo: .awaitingResponse, reused: true)
    #expect(machine.handle(.backendLost) == .answer(.relayResetByServer))
  }

  @Test("an idempotent request whose body has been touched is not sent again")
  func touchedBody() {
    var machine = machine(idempotent: true, upTo: .awaitingResponse, reused: true)
    _ = machine.handle(.bodyConsumed)
    #expect(machine.handle(.backendLost) == .answer(.relayResetByServer))
  }

  @Test("a fresh connection that breaks was no stale one: nothing is sent again")
  func freshConnection() {
    var machine = machine(idempotent: true, upTo: .awaitingResponse, reused: false)
    #expect(machine.handle(.backendLost) == .answer(.relayResetByServer))
  }

  @Test("whatever the method, a refused connection is tried elsewhere, up to the limit", arguments: [true, false])
  func requeue(idempotent: Bool) {
    var machine = machine(idempotent: idempotent, upTo: .connecting)
    for _ in 0..<ExchangeMachine.requeuesMax {
      #expect(machine.handle(.connectFailed(.connectRefused)) == .requeue(after: .connectRefused))
      #expect(machine.handle(.picked) == .connect)
    }
    #expect(machine.handle(.connectFailed(.connectRefused)) == .answer(.connectRefused))
  }

  @Test("once a response has begun, failures break off instead of answering or sending again")
  func relayFailures() {
    var lost = machine(idempotent: true, upTo: .relaying, reused: true)
    #expect(lost.handle(.backendLost) == .breakOff(.relayResetByServer))
    var bad = machine(idempotent: true, upTo: .relaying)
    #expect(bad.handle(.failed(.relayBadResponse)) == .breakOff(.relayBadResponse))
  }

  @Test("nothing happens after the end")
  func afterTheEnd() {
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      var machine = ExchangeMachine(isIdempotent: seed % 2 == 0)
      var ends = 0
      for _ in 0..<100 {
        let events: [ExchangeMachine.Event] = [
          .identified, .bound, .picked, .connected(reused: random.below(2) == 0), .connectFailed(.connectRefused),
          .bodyConsumed, .responseBegan, .tunnelOpened, .backendLost, .completed, .failed(.outcomeAttemptTimeout),
        ]
        let wasEnded = machine.state == .ended
        let action = machine.handle(events[random.below(events.count)])
        if wasEnded { #expect(action == .wait, "seed \(seed)") }
        switch action {
        case .answer, .breakOff, .finish: ends += 1
        default: break
        }
      }
      #expect(ends <= 1, "seed \(seed): answered more than once")
    }
  }

  @Test("no request is resent after its first response byte, nor a body byte taken", arguments: UInt64(1)...500)
  func neverAfterFirstByte(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var machine = ExchangeMachine(isIdempotent: random.below(2) == 0)
    var responded = false
    for _ in 0..<60 {
      let events: [ExchangeMachine.Event] = [
        .identified, .bound, .picked, .connected(reused: true), .connectFailed(.connectRefused), .responseBegan,
        .backendLost,
      ]
      let event = events[random.below(events.count)]
      let before = machine.state
      let action = machine.handle(event)
      if case .responseBegan = event, before == .awaitingResponse { responded = true }
      if responded {
        switch action {
        case .resend, .requeue, .send: Issue.record("seed \(seed): \(action) after the response began")
        default: break
        }
      }
    }
  }
}

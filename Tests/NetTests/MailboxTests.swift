import MeshBase
import Synchronization
import Testing

@testable import Net

@Suite struct MailboxTests {
  @Test("everything that several threads send arrives once, in each sender's order")
  func delivers() async throws {
    let senders = 4
    let each = 5_000
    let mailbox = try Mailbox<(sender: Int, number: Int)>()
    let received: [[Int]] = await withCheckedContinuation { continuation in
      Thread.start(name: "receiver") {
        do {
          let loop = try EventLoop()
          var byReceiver = [[Int]](repeating: [], count: senders)
          var total = 0
          try mailbox.attach(to: loop) { message in
            byReceiver[message.sender].append(message.number)
            total += 1
            if total == senders * each { loop.stop() }
          }
          loop.run()
          continuation.resume(returning: byReceiver)
        } catch {
          fatalError("\(error)")
        }
      }
      for sender in 0..<senders {
        Thread.start(name: "sender") { for number in 0..<each { mailbox.send((sender, number)) } }
      }
    }
    for numbers in received { #expect(numbers == Array(0..<each)) }
  }

  @Test("what was sent before the receiver came is not lost")
  func keeps() throws {
    let mailbox = try Mailbox<Int>()
    mailbox.send(1)
    mailbox.send(2)
    let loop = try EventLoop()
    var received: [Int] = []
    try mailbox.attach(to: loop) { received.append($0) }
    loop.turn(maxWaitMilliseconds: 1_000)
    #expect(received == [1, 2])
  }

  @Test("timers and deferred work of a loop run in the turn they are due")
  func loopTimers() throws {
    final class Owner: TimerOwner {
      var calls: [UInt8] = []
      override func timerFired(_ tag: UInt8, now: MonotonicInstant) { calls.append(tag) }
    }
    let loop = try EventLoop()
    let owner = Owner()
    let started = Clock.now
    _ = loop.schedule(owner, tag: 7, at: started.advanced(byMilliseconds: 20))
    let cancelled = loop.schedule(owner, tag: 8, at: started.advanced(byMilliseconds: 5))
    loop.cancel(cancelled)
    loop.deferToEndOfTurn(owner)
    loop.turn(maxWaitMilliseconds: 1_000)
    #expect(owner.calls == [EventLoop.deferredTag])
    while owner.calls.count < 2 { loop.turn(maxWaitMilliseconds: 1_000) }
    #expect(owner.calls[1] == 7)
    #expect(Clock.now.nanoseconds(since: started) >= 20_000_000)
  }
}

import Glibc
import TestSupport
import Testing

@testable import Net

@Suite("a thread that runs where nothing else wants to", .serialized)
struct IdleThreadTests {
  @Test("work comes back with its result, in order, from a thread of the lowest priority")
  @ControlActor func results() async {
    let order = Locked<[Int]>([])
    let tasks = (0..<20).map { place in
      Task { @ControlActor in
        await IdleThread.shared.run(patienceMilliseconds: 60_000) {
          order.withLock { $0.append(place) }
          return sched_getscheduler(0)
        }
      }
    }
    for task in tasks { #expect(await task.value == 5, "SCHED_IDLE") }
    #expect(order.withLock { $0 } == Array(0..<20))
  }

  @Test("work that does not begin in time is left to whoever asked; what has begun is waited for")
  @ControlActor func overdue() async {
    let begun = Locked(0)
    let first = Task { @ControlActor in
      await IdleThread.shared.run(patienceMilliseconds: 50) {
        begun.withLock { $0 += 1 }
        usleep(500_000)
        return 1
      }
    }
    #expect(await eventually { begun.withLock { $0 } == 1 })
    let second = await IdleThread.shared.run(patienceMilliseconds: 50) { begun.withLock { $0 = 2 } == () }
    #expect(second == nil)
    #expect(await first.value == 1)
    #expect(await IdleThread.shared.run(patienceMilliseconds: 60_000) { 3 } == 3)
    #expect(begun.withLock { $0 } == 1)
  }
}

import MeshBase
import Testing

@testable import Net

@Suite struct ControlActorTests {
  @Test("its code runs on the control thread, also after it has slept")
  @ControlActor func stays() async throws {
    #expect(ControlThread.shared.isCurrent)
    let started = Clock.now
    try await ControlActor.sleep(milliseconds: 20)
    #expect(ControlThread.shared.isCurrent)
    #expect(Clock.now.nanoseconds(since: started) >= 20_000_000)
    await Task.yield()
    #expect(ControlThread.shared.isCurrent)
  }

  @Test("code from elsewhere may sleep there too")
  func sleepsFromOutside() async throws {
    try await ControlActor.sleep(milliseconds: 1)
    #expect(!ControlThread.shared.isCurrent)
  }

  @Test("a cancelled sleep ends at once and throws")
  @ControlActor func cancels() async throws {
    let started = Clock.now
    let sleeper = Task { @ControlActor in try await ControlActor.sleep(milliseconds: 60_000) }
    await Task.yield()
    sleeper.cancel()
    await #expect(throws: CancellationError.self) { try await sleeper.value }
    let early = Task { @ControlActor in
      withUnsafeCurrentTask { $0?.cancel() }
      try await ControlActor.sleep(milliseconds: 60_000)
    }
    await #expect(throws: CancellationError.self) { try await early.value }
    #expect(Clock.now.nanoseconds(since: started) < 10_000_000_000)
  }

  @Test("a thread may wait for it, and gets its result or its error")
  func blocks() async throws {
    struct Oops: Error {}
    let (value, threw) = await withCheckedContinuation { continuation in
      Thread.start(name: "waiter") {
        let value = try? ControlActor.runBlocking {
          try await ControlActor.sleep(milliseconds: 1)
          return 42
        }
        var threw = false
        do { try ControlActor.runBlocking { throw Oops() } } catch { threw = error is Oops }
        continuation.resume(returning: (value, threw))
      }
    }
    #expect(value == 42 && threw)
  }
}

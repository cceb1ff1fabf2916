import Glibc
import MeshBase
import Testing

@testable import Net

@Suite("Event loop")
struct EventLoopTests {
  private final class Log { var entries: [Bool] = [] }

  /// Says in the log whether its event came (true) or its timer fired (false).
  private final class Reader: Channel {
    private let log: Log
    init(_ loop: EventLoop, _ descriptor: consuming Descriptor, _ log: Log) {
      self.log = log
      super.init(loop: loop, descriptor: descriptor)
    }
    override func ready(_ events: ReadyEvents) { if events.contains(.readable) { log.entries.append(true) } }
    override func timerFired(_ tag: UInt8, now: MonotonicInstant) { log.entries.append(false) }
  }

  @Test("a channel that is closed has no events, though a program that is being started still has a copy of it")
  func closedWithCopies() throws {
    let loop = try EventLoop()
    var pair: [Int32] = [0, 0]
    #expect(pipe(&pair) == 0)
    let reader = Reader(loop, Descriptor(owning: pair[0]), Log())
    let copy = dup(pair[0])
    defer { for descriptor in [copy, pair[1]] { close(descriptor) } }
    func watched() throws -> Int {
      try FileSystem.read("/proc/self/fdinfo/\(loop.epoll)").split(separator: UInt8(ascii: "\n")).count {
        $0.starts(with: "tfd:".utf8)
      }
    }
    try reader.register()
    #expect(try watched() == 1)
    reader.closeChannel()
    #expect(try watched() == 0)
    loop.turn(maxWaitMilliseconds: 0)
  }

  @Test("what came in time is handled before timers fire, also after a long turn and for more than one call's events")
  func eventsBeforeTimers() throws {
    let loop = try EventLoop()
    let log = Log()
    var readers: [Reader] = []
    var writers: [Int32] = []
    for _ in 0..<400 {
      var pair: [Int32] = [0, 0]
      #expect(pipe(&pair) == 0)
      let reader = Reader(loop, Descriptor(owning: pair[0]), log)
      try reader.register()
      readers.append(reader)
      writers.append(pair[1])
      _ = loop.schedule(reader, tag: 0, at: loop.now.advanced(byMilliseconds: 5))
    }
    for writer in writers { #expect(write(writer, "x", 1) == 1) }
    // The loop was busy elsewhere until long after the timers.
    usleep(20_000)
    for _ in 0..<3 { loop.turn(maxWaitMilliseconds: 0) }
    #expect(log.entries.prefix(400).allSatisfy { $0 })
    #expect(log.entries.count == 800)
    for reader in readers { reader.closeChannel() }
    loop.turn(maxWaitMilliseconds: 0)
    for writer in writers { close(writer) }
  }

  @Test("descriptors that stay ready do not keep timers waiting")
  func timersInTheEnd() throws {
    let loop = try EventLoop()
    let log = Log()
    var readers: [Reader] = []
    var writers: [Int32] = []
    for _ in 0..<300 {
      var pair: [Int32] = [0, 0]
      #expect(pipe(&pair) == 0)
      let reader = Reader(loop, Descriptor(owning: pair[0]), log)
      try reader.register(levels: .readable)
      #expect(write(pair[1], "x", 1) == 1)
      readers.append(reader)
      writers.append(pair[1])
    }
    _ = loop.schedule(readers[0], tag: 0, at: loop.now.advanced(byMilliseconds: 5))
    usleep(20_000)
    loop.turn(maxWaitMilliseconds: 0)
    #expect(log.entries.contains(false))
    for reader in readers { reader.closeChannel() }
    loop.turn(maxWaitMilliseconds: 0)
    for writer in writers { close(writer) }
  }
}

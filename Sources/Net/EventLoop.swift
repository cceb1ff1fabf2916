import CMeshShims
import Glibc
import MeshBase

/// What the kernel said about a descriptor.
public struct ReadyEvents: OptionSet, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let readable = ReadyEvents(rawValue: EPOLLIN.rawValue)
  public static let writable = ReadyEvents(rawValue: EPOLLOUT.rawValue)
  /// The peer will send no more; data may still be unread.
  public static let peerClosed = ReadyEvents(rawValue: EPOLLRDHUP.rawValue)
  public static let hangUp = ReadyEvents(rawValue: EPOLLHUP.rawValue)
  public static let error = ReadyEvents(rawValue: EPOLLERR.rawValue)

  @inlinable var wantsRead: Bool {
    rawValue & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
  }
}

/// One descriptor registered with one loop, edge-triggered for both directions, once.
///
/// The loop keeps a channel alive from `register` to the end of the turn in which `closeChannel` was called, so events
/// that were already fetched for a closed channel meet a live object, which ignores them (`descriptor` is -1).
open class Channel: TimerOwner {
  public final let loop: EventLoop
  /// -1 once closed.
  public final private(set) var descriptor: Int32

  public init(loop: EventLoop, descriptor: consuming Descriptor) {
    self.loop = loop
    self.descriptor = descriptor.release()
    super.init()
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Handles edges. Edge-triggered: read or write until the kernel says EAGAIN or gives less than was asked for.
  open func ready(_ events: ReadyEvents) {}

  @inlinable public final var isOpen: Bool { descriptor >= 0 }

  /// Starts events. `edges` is fixed for the life of the channel.
  public final func register(
    edges: UInt32 = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
  ) throws(SystemError) {
    var event = epoll_event()
    let pointer = Unmanaged.passRetained(self)
    mesh_epoll_set(&event, edges, pointer.toOpaque())
    if epoll_ctl(loop.epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 {
      let code = errno
      pointer.release()
      throw SystemError("epoll_ctl", code: code)
    }
    loop.channelCount += 1
  }

  /// Starts events that are repeated in every turn for as long as the condition lasts, for descriptors which someone
  /// else reads and writes.
  public final func register(levels: ReadyEvents) throws(SystemError) {
    try register(edges: levels.rawValue)
  }

  /// Closes the descriptor now; the object lives on until the turn has ended. Idempotent.
  public final func closeChannel() {
    guard descriptor >= 0 else { return }
    // The kernel takes a file out by itself only when its last descriptor is closed, and a program that is just being
    // started has copies of all until it is loaded: epoll(7). An event would find an object that is gone.
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, descriptor, nil)
    close(descriptor)
    descriptor = -1
    loop.buried(self)
  }

  /// Takes the descriptor out of the loop without closing it and hands it over.
  public final func detachDescriptor() -> Descriptor {
    precondition(descriptor >= 0, "closed channel")
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, descriptor, nil)
    let raw = descriptor
    descriptor = -1
    loop.buried(self)
    return Descriptor(owning: raw)
  }
}

/// epoll, timers and deferred work of one thread. Everything here is confined to that thread.
public final class EventLoop {
  let epoll: Int32
  /// Read once a turn, right after the kernel returned.
  public private(set) var now: MonotonicInstant
  var channelCount = 0
  private var timers: TimerWheel
  private var graveyard: [Unmanaged<Channel>] = []
  private var deferred: [TimerOwner] = []
  private var deferredSpare: [TimerOwner] = []
  private let events: UnsafeMutablePointer<epoll_event>
  public private(set) var isStopped = false
  /// Nanoseconds spent outside of the kernel's wait, for the worker's busy ratio.
  public private(set) var busyNanoseconds: UInt64 = 0
  public private(set) var turns: UInt64 = 0
  /// Runs at the end of each turn, after timers and deferred work. Set once, before `run`.
  public var endOfTurn: (() -> Void)?

  private static let eventsMax: Int32 = 256
  /// Descriptors that stay ready for ever do not keep timers waiting for ever.
  private static let catchUpRounds = 64
  private static let sleepMillisecondsMax: Int32 = 60_000
  /// The tag that deferred work is called with.
  public static let deferredTag: UInt8 = 255

  public init() throws(SystemError) {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw SystemError("epoll_create1") }
    now = Clock.now
    timers = TimerWheel(now: now)
    events = .allocate(capacity: Int(Self.eventsMax))
  }

  deinit {
    close(epoll)
    events.deallocate()
  }

  public func schedule(_ owner: TimerOwner, tag: UInt8, at deadline: MonotonicInstant) -> TimerID {
    timers.schedule(owner, tag: tag, at: deadline)
  }

  public func cancel(_ id: TimerID) { timers.cancel(id) }

  /// Calls `timerFired(deferredTag)` once at the end of this turn, after all events of the turn.
  public func deferToEndOfTurn(_ owner: TimerOwner) { deferred.append(owner) }

  public func stop() { isStopped = true }

  /// Runs turns until `stop`.
  public func run() {
    while !isStopped { turn(maxWaitMilliseconds: Self.sleepMillisecondsMax) }
  }

  /// Waits for events at most so long, then handles everything that is due.
  public func turn(maxWaitMilliseconds: Int32) {
    let wait = deferred.isEmpty ? timers.millisecondsUntilNext(now: now, limit: maxWaitMilliseconds) : 0
    let count = epoll_wait(epoll, events, Self.eventsMax, wait)
    let started = Clock.now
    now = started
    turns &+= 1
    handle(count)
    if count == Self.eventsMax { catchUp() }
    for (owner, tag) in timers.takeDue(now: now) { owner.timerFired(tag, now: now) }
    if !deferred.isEmpty {
      swap(&deferred, &deferredSpare)
      for owner in deferredSpare { owner.timerFired(Self.deferredTag, now: now) }
      deferredSpare.removeAll(keepingCapacity: true)
    }
    endOfTurn?()
    if !graveyard.isEmpty {
      for channel in graveyard { channel.release() }
      graveyard.removeAll(keepingCapacity: true)
    }
    busyNanoseconds &+= Clock.now.nanoseconds(since: started)
  }

  @inline(__always)
  private func handle(_ count: Int32) {
    if count <= 0 { return }
    for i in 0..<Int(count) {
      // Retained by `register` and released only by the graveyard at the end of the turn.
      Unmanaged<Channel>.fromOpaque(mesh_epoll_data(events + i))._withUnsafeGuaranteedRef { channel in
        if channel.descriptor >= 0 { channel.ready(ReadyEvents(rawValue: events[i].events)) }
      }
    }
  }

  /// More events may be there than one call takes. Before timers fire, what came in time is handled: after a long turn
  /// a connection that was made while nobody looked must not count as one that took too long.
  @inline(never)
  private func catchUp() {
    for _ in 0..<Self.catchUpRounds {
      if timers.millisecondsUntilNext(now: now, limit: 1) > 0 { return }
      let count = epoll_wait(epoll, events, Self.eventsMax, 0)
      handle(count)
      if count < Self.eventsMax { return }
    }
  }

  fileprivate func buried(_ channel: Channel) {
    graveyard.append(.passUnretained(channel))
    channelCount -= 1
  }
}

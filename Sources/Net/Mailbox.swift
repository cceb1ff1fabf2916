import CMeshShims
import Glibc

/// Many senders, one receiving loop: values are queued under a lock and the loop is woken by an eventfd.
///
/// The receiver takes everything there is in one go. Unbounded by itself: what goes in is bounded by its senders
/// (control-plane updates, one reply per parked bind).
public final class Mailbox<Message: Sendable>: Sendable {
  private let queue = Locked<[Message]>([])
  private let wakeup: Int32

  public init() throws(SystemError) {
    wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard wakeup >= 0 else { throw SystemError("eventfd") }
  }

  deinit { close(wakeup) }

  /// Callable from any thread.
  public func send(_ message: Message) {
    let wasEmpty = queue.withLock { queue in
      queue.append(message)
      return queue.count == 1
    }
    guard wasEmpty else { return }
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }

  /// Attaches the receiving end; `receive` runs on that loop, once per message, in order.
  public func attach(to loop: EventLoop, receive: @escaping (Message) -> Void) throws(SystemError) {
    let copy = fcntl(wakeup, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw SystemError("fcntl") }
    let channel = MailboxChannel(loop: loop, descriptor: Descriptor(owning: copy)) { [self] in
      let batch = queue.withLock { queue in
        let batch = queue
        queue = []
        return batch
      }
      for message in batch { receive(message) }
    }
    try channel.register(edges: EPOLLIN.rawValue | EPOLLET.rawValue)
  }
}

private final class MailboxChannel: Channel {
  private let drain: () -> Void

  init(loop: EventLoop, descriptor: consuming Descriptor, drain: @escaping () -> Void) {
    self.drain = drain
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    drain()
  }
}

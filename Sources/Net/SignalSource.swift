import CMeshShims
import Glibc

/// Delivers signals as ordinary events of the control loop (signalfd).
@ControlActor
public final class SignalSource {
  private let channel: SignalChannel

  /// Those that ask the process to end: SIGTERM and SIGINT.
  public nonisolated static let terminating = [SIGTERM, SIGINT]

  /// The one that asks a daemon to read its configuration again: SIGHUP.
  public nonisolated static let reloading = SIGHUP

  /// The one that asks a daemon to let a new process take its place: SIGUSR2.
  public nonisolated static let upgrading = SIGUSR2

  /// Call on the main thread before any other thread starts: the mask is inherited, so that no thread dies of them.
  /// SIGPIPE is ignored for good.
  public nonisolated static func block(_ signals: [Int32]) {
    signal(SIGPIPE, SIG_IGN)
    var set = Self.set(signals)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  public init(_ signals: [Int32], onSignal: @escaping @ControlActor (Int32) -> Void) throws {
    var set = Self.set(signals)
    let raw = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    guard raw >= 0 else { throw SystemError("signalfd") }
    channel = SignalChannel(loop: ControlThread.shared.loop, descriptor: Descriptor(owning: raw), onSignal: onSignal)
    try channel.register(edges: EPOLLIN.rawValue | EPOLLET.rawValue)
  }

  private nonisolated static func set(_ signals: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    return set
  }
}

/// Confined to the control thread.
private final class SignalChannel: Channel, @unchecked Sendable {
  private let onSignal: @ControlActor (Int32) -> Void

  init(loop: EventLoop, descriptor: consuming Descriptor, onSignal: @escaping @ControlActor (Int32) -> Void) {
    self.onSignal = onSignal
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    var info = signalfd_siginfo()
    while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
      let number = Int32(info.ssi_signo)
      ControlActor.assumeIsolated { onSignal(number) }
    }
  }
}

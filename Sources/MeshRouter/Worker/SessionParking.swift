import MeshBase
import Net

/// Parks the worker's TLS sessions that were not used for one to two seconds, a few at a time, so that no request waits
/// for it.
final class SessionParking: TimerOwner {
  private let workspace: TLSWorkspace
  private let loop: EventLoop
  private var isArmed = false
  /// About 2 µs each.
  private static let sessionsPerStep = 128
  private static let stepMilliseconds: UInt64 = 20

  init(_ workspace: TLSWorkspace, loop: EventLoop) {
    self.workspace = workspace
    self.loop = loop
  }

  /// Call about once a second.
  func beginRound() {
    guard !isArmed else { return }
    workspace.beginRound()
    step()
  }

  private func step() {
    isArmed = workspace.parkIdle(Self.sessionsPerStep)
    if isArmed { _ = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.stepMilliseconds)) }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { step() }
}

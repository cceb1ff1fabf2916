import MeshBase
import Net

/// Parks the worker's TLS sessions that were not used for one to two seconds, a few at a time, so that no request waits
/// for it.
final class SessionParking: TimerOwner {
  private let tls: AwakeList<TLSSession>
  private let loop: EventLoop
  private var isArmed = false
  private static let looksPerStep = 512
  /// The kernel's part is most of the cost: 3 to 10 µs each.
  private static let parksPerStep = 16
  private static let stepMilliseconds: UInt64 = 5

  init(_ tls: AwakeList<TLSSession>, loop: EventLoop) {
    self.tls = tls
    self.loop = loop
  }

  /// Call about once a second.
  func beginRound() {
    guard !isArmed else { return }
    tls.beginRound()
    step()
  }

  private func step() {
    isArmed = tls.parkIdle(looks: Self.looksPerStep, parks: Self.parksPerStep)
    if isArmed { _ = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.stepMilliseconds)) }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { step() }
}

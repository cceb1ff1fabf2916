import HTTP
import MeshBase
import Net

/// Parks the worker's sessions of TLS and of HTTP/2 that were not used for one to two seconds, a few at a time, so that
/// no request waits for it.
final class SessionParking: TimerOwner {
  private let tls: AwakeList<TLSSession>
  private let http2: AwakeList<HTTP2Session>
  private let loop: EventLoop
  private var isArmed = false
  private static let looksPerStep = 512
  /// Of each kind. The kernel's part is most of the cost: 3 to 10 µs each.
  private static let parksPerStep = 16
  private static let stepMilliseconds: UInt64 = 5

  init(_ tls: AwakeList<TLSSession>, _ http2: AwakeList<HTTP2Session>, loop: EventLoop) {
    self.tls = tls
    self.http2 = http2
    self.loop = loop
  }

  /// Call about once a second.
  func beginRound() {
    guard !isArmed else { return }
    tls.beginRound()
    http2.beginRound()
    step()
  }

  private func step() {
    let tlsGoesOn = tls.parkIdle(looks: Self.looksPerStep, parks: Self.parksPerStep)
    let http2GoesOn = http2.parkIdle(looks: Self.looksPerStep, parks: Self.parksPerStep)
    isArmed = tlsGoesOn || http2GoesOn
    if isArmed { _ = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.stepMilliseconds)) }
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { step() }
}

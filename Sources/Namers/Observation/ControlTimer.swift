import MeshBase
import Net

/// One alarm on the control loop; setting it again moves it. Ends with its owner.
@ControlActor
final class ControlTimer {
  private let owner: Owner
  private var id = TimerID.none

  init(_ action: @escaping @ControlActor () -> Void) { owner = Owner(action) }

  isolated deinit { cancel() }

  func set(milliseconds: UInt64) {
    cancel()
    owner.isArmed = true
    id = ControlThread.shared.loop.schedule(owner, tag: 0, at: Clock.now.advanced(byMilliseconds: milliseconds))
  }

  func cancel() {
    guard owner.isArmed else { return }
    owner.isArmed = false
    ControlThread.shared.loop.cancel(id)
  }

  var isSet: Bool { owner.isArmed }

  /// Confined to the control thread.
  private final class Owner: TimerOwner, @unchecked Sendable {
    let action: @ControlActor () -> Void
    var isArmed = false

    init(_ action: @escaping @ControlActor () -> Void) { self.action = action }

    override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
      ControlActor.assumeIsolated {
        // A cancel in the same turn comes too late for the wheel.
        guard isArmed else { return }
        isArmed = false
        action()
      }
    }
  }
}

/// Work done once at the end of the control turn in which it was asked for, however often it was asked for.
@ControlActor
final class EndOfTurn {
  private let owner: Owner

  init(_ action: @escaping @ControlActor () -> Void) { owner = Owner(action) }

  func request() {
    guard !owner.isAsked else { return }
    owner.isAsked = true
    ControlThread.shared.loop.deferToEndOfTurn(owner)
  }

  /// Confined to the control thread.
  private final class Owner: TimerOwner, @unchecked Sendable {
    let action: @ControlActor () -> Void
    var isAsked = false

    init(_ action: @escaping @ControlActor () -> Void) { self.action = action }

    override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
      ControlActor.assumeIsolated {
        isAsked = false
        action()
      }
    }
  }
}

import MeshBase

/// When an endpoint is asked by PING whether it lives, and when it counts as dead. Pure.
///
/// Only a connection with open streams is asked, after a silence. While nothing but answers to PINGs comes, the silences
/// grow fourfold up to ten minutes: gRPC servers close connections that ping more often than every five minutes without
/// data in between, and a quiet stream must not end for that.
struct HTTP2KeepAlive {
  enum Step: Equatable {
    /// Look again at that time.
    case wait(until: MonotonicInstant)
    /// Send a PING and look again at that time.
    case ping(lookAgain: MonotonicInstant)
    case dead
  }

  /// Milliseconds.
  static let silenceMax: UInt64 = 600_000

  private let shortest: UInt64
  private let timeout: UInt64
  private var silence: UInt64
  private var lastHeard = MonotonicInstant(nanoseconds: 0)
  private var pingedAt: MonotonicInstant?

  init(milliseconds: Int, timeoutMilliseconds: Int) {
    shortest = UInt64(milliseconds)
    timeout = UInt64(timeoutMilliseconds)
    silence = shortest
  }

  /// Any bytes came.
  mutating func heard(at now: MonotonicInstant) {
    lastHeard = now
    pingedAt = nil
  }

  /// A part of a response came, or a request was sent.
  mutating func progressed() { silence = shortest }

  /// The first time to look after a stream was opened on a quiet connection.
  mutating func begin(at now: MonotonicInstant) -> MonotonicInstant {
    if lastHeard < now { lastHeard = now }
    pingedAt = nil
    return now.advanced(byMilliseconds: silence)
  }

  mutating func next(at now: MonotonicInstant) -> Step {
    if let pingedAt {
      let due = pingedAt.advanced(byMilliseconds: timeout)
      return now >= due ? .dead : .wait(until: due)
    }
    let due = lastHeard.advanced(byMilliseconds: silence)
    if now < due { return .wait(until: due) }
    pingedAt = now
    silence = min(silence * 4, max(shortest, Self.silenceMax))
    return .ping(lookAgain: now.advanced(byMilliseconds: timeout))
  }
}

import COpenSSL

/// Memory that the TLS sessions of one thread share, so that none of them has any of its own while it is idle.
///
/// Nothing stays in it between two calls of a session.
public final class TLSWorkspace {
  /// The most plain text a record holds (RFC 8446 §5.1).
  static let recordBytesMax = 16_384
  /// What a record of any cipher here is longer than its plain text, and some.
  static let recordOverhead = 256
  /// Four whole records: one system call for 64 KiB.
  static let outputBytesMax = 4 * (recordBytesMax + recordOverhead)

  /// Records on their way to the kernel.
  let output: UnsafeMutableRawPointer
  /// Two small pieces joined into one record.
  let joinedBytes: UnsafeMutableRawPointer

  /// The way to the kernel of every session, by way of `current`: one BIO for all of them.
  let bio: OpaquePointer
  /// The session that has called OpenSSL; set before each call that may read, write or call back.
  unowned(unsafe) var current: TLSSession?

  /// Those that are not parked, each at its `place`.
  private var awake: ContiguousArray<Unmanaged<TLSSession>> = []
  /// Those before it are still to be looked at in this round.
  private var hand = 0

  public init() {
    bio = TLSTransport.makeBIO()
    output = .allocate(byteCount: Self.outputBytesMax, alignment: 64)
    joinedBytes = .allocate(byteCount: Self.recordBytesMax, alignment: 64)
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    BIO_free(bio)
    output.deallocate()
    joinedBytes.deallocate()
  }

  // MARK: Parking

  func joined(_ session: TLSSession) {
    session.place = awake.count
    awake.append(.passUnretained(session))
  }

  func left(_ session: TLSSession) {
    let last = awake.removeLast()
    if session.place == awake.count { return }
    awake[session.place] = last
    last._withUnsafeGuaranteedRef { $0.place = session.place }
  }

  /// Begins to look at all sessions, unless a round is under way.
  public func beginRound() {
    if hand == 0 { hand = awake.count }
  }

  /// Looks at up to `count` sessions, and parks those that were not used since the last round. True: the round goes on.
  public func parkIdle(_ count: Int) -> Bool {
    hand = min(hand, awake.count)
    let end = max(0, hand - count)
    // Downwards: who takes the place of one that goes has been looked at.
    while hand > end {
      hand -= 1
      let session = awake[hand]
      session._withUnsafeGuaranteedRef {
        if $0.wasUsed { $0.wasUsed = false } else { $0.park() }
      }
    }
    return hand > 0
  }
}

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
  let joined: UnsafeMutableRawPointer

  public init() {
    output = .allocate(byteCount: Self.outputBytesMax, alignment: 64)
    joined = .allocate(byteCount: Self.recordBytesMax, alignment: 64)
  }

  deinit {
    output.deallocate()
    joined.deallocate()
  }
}

import COpenSSL
import MeshBase

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

  /// Sessions that may be parked.
  package let awake = AwakeList<TLSSession>()

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
}

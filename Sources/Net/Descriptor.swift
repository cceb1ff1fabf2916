import Glibc

/// Owns one file descriptor and closes it when it goes out of scope.
public struct Descriptor: ~Copyable {
  public let raw: Int32

  public init(owning raw: Int32) { self.raw = raw }

  /// A second descriptor of the same open file, closed on exec; the first stays with its owner.
  public static func duplicate(of other: Int32) throws(SystemError) -> Descriptor {
    let raw = fcntl(other, F_DUPFD_CLOEXEC, 0)
    guard raw >= 0 else { throw SystemError("fcntl") }
    return Descriptor(owning: raw)
  }

  deinit { _ = close(raw) }

  /// Hands the descriptor over; the caller closes it.
  public consuming func release() -> Int32 {
    let raw = raw
    discard self
    return raw
  }
}

import Glibc

/// Owns one file descriptor and closes it when it goes out of scope.
public struct Descriptor: ~Copyable {
  public let raw: Int32

  public init(owning raw: Int32) { self.raw = raw }

  deinit { _ = close(raw) }

  /// Hands the descriptor over; the caller closes it.
  public consuming func release() -> Int32 {
    let raw = raw
    discard self
    return raw
  }
}

import Glibc

/// Why a connection could not be made, as far as a router has to tell one from the other.
public enum ConnectFailure: Sendable {
  case refused
  case timedOut
  case unreachable
  /// The process or the host has no descriptors, buffers or memory left.
  case exhausted

  public init(errno code: Int32) {
    switch code {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: self = .exhausted
    case ETIMEDOUT: self = .timedOut
    // EADDRNOTAVAIL: all local ports towards that address are in use.
    case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, EPERM, EINVAL, EAFNOSUPPORT: self = .unreachable
    default: self = .refused
    }
  }
}

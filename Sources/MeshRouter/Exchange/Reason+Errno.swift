import Glibc
import MeshBase

extension Reason {
  /// Why a connection could not be made.
  init(connectErrno code: Int32) {
    switch code {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: self = .connectNoDescriptors
    case ETIMEDOUT: self = .connectTimeout
    // EADDRNOTAVAIL: all local ports towards that address are in use.
    case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, EPERM, EINVAL, EAFNOSUPPORT: self = .connectUnreachable
    default: self = .connectRefused
    }
  }
}

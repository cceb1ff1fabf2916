import MeshBase
import Net

extension Reason {
  /// Why a connection could not be made.
  init(connectErrno code: Int32) {
    switch ConnectFailure(errno: code) {
    case .refused: self = .connectRefused
    case .timedOut: self = .connectTimeout
    case .unreachable: self = .connectUnreachable
    case .exhausted: self = .connectNoDescriptors
    }
  }
}

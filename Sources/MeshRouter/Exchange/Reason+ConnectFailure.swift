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

extension Reason {
  /// Whether a connection that could not be had speaks against the endpoint: not what the router itself is short of, or
  /// has enough of.
  var isEndpointsFault: Bool {
    switch self {
    case .pickOverload, .pickNoEndpoints, .connectNoDescriptors: false
    default: true
    }
  }
}

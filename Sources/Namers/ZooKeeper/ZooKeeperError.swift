import MeshBase

/// What went wrong with a ZooKeeper server or one of its nodes.
enum ZooKeeperError: Error, Equatable, CustomStringConvertible {
  case noNode
  /// The node may not be read with what we authenticated as.
  case noAuth
  /// The server does not know our session any more.
  case sessionExpired
  case authFailed
  /// The server closed the connection instead of agreeing on a session: it serves nobody now, or our session has seen
  /// more than it has.
  case refused(SocketAddress)
  case connection(SocketAddress, String)
  case malformed(String)
  case tooLarge(Int)
  /// Another of the server's error codes.
  case code(Int32)

  /// `nil` for 0.
  init?(code: Int32) {
    switch code {
    case 0: return nil
    case -101: self = .noNode
    case -102: self = .noAuth
    case -112: self = .sessionExpired
    case -115: self = .authFailed
    default: self = .code(code)
    }
  }

  var description: String {
    switch self {
    case .noNode: "there is no such node"
    case .noAuth: "the node's access list does not let us read it"
    case .sessionExpired: "the session has expired"
    case .authFailed: "the server does not accept the credentials"
    case .refused(let address): "\(address): the server closed the connection before there was a session"
    case .connection(let address, let text): "\(address): \(text)"
    case .malformed(let text): "malformed answer: \(text)"
    case .tooLarge(let bytes): "an answer of \(bytes) bytes is larger than \(ZooKeeperFrame.bytesMax)"
    case .code(let code): "error \(code)"
    }
  }
}

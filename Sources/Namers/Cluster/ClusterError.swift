import Net

/// Why a cluster manager gave no answer, or none that could be used; the text names the request, the server, what went
/// wrong and what to look at.
public struct ClusterError: Error, Sendable, CustomStringConvertible {
  public enum Cause: Sendable, Equatable {
    /// There is no host to ask.
    case noHosts
    /// No connection, or it was lost.
    case unreachable
    case timeout
    case tls
    /// The answer cannot be read.
    case malformed
    case tooLarge
    /// 401 or 403, or the login failed.
    case refused
    case redirect
    /// An answer with this status that is of no use.
    case status(Int)
    case cancelled
  }

  public var cause: Cause
  public var description: String

  public init(_ cause: Cause, _ text: String) {
    self.cause = cause
    description = text
  }

  /// Another server of the same cluster may do better.
  var isWorthAnotherHost: Bool {
    switch cause {
    case .unreachable, .timeout, .tls, .malformed, .redirect: true
    case .status(let status): ClusterClient.isGatewayFailure(status)
    case .noHosts, .tooLarge, .refused, .cancelled: false
    }
  }

  init(_ error: ControlHTTPError, _ place: String) {
    switch error {
    case .connect(_, let system) where system.isCancelled, .closed(_, let system?) where system.isCancelled:
      self.init(.cancelled, "\(place): given up")
    case .connect(_, let system) where system.isTimeout: self.init(.timeout, "\(place): \(error)")
    case .connect: self.init(.unreachable, "\(place): \(error)")
    case .closed: self.init(.unreachable, "\(place): \(error)")
    case .handshake: self.init(.tls, "\(place): \(error)")
    case .timeout: self.init(.timeout, "\(place): \(error)")
    case .malformed: self.init(.malformed, "\(place): \(error)")
    case .tooLarge: self.init(.tooLarge, "\(place): \(error)")
    case .badRequest(let text): self.init(.malformed, "\(place): \(text)")
    }
  }

  /// What usually is the matter behind a status.
  static func remedy(_ status: Int) -> String {
    switch status {
    case 401: "the credentials are missing or wrong: check the namer's auth settings"
    case 403: "the credentials are good, but may not do this: grant the account read access"
    case 404: "no such path: does a server of this kind listen here?"
    case 405, 406: "the server is of another kind or too old"
    case 429: "the server asks for fewer requests"
    case 502, 503, 504: "the server has no leader, or is overloaded"
    case 500...599: "the server failed: look at its log"
    default: "not an answer that was expected"
    }
  }
}

/// Why a connection could not be secured, or was lost again.
public enum TLSFailure: Error, Sendable, Equatable {
  /// No trust root vouches for the certificate.
  case untrusted
  /// The certificate is for other names.
  case nameMismatch
  /// The certificate is no longer, or not yet, valid.
  case expired
  /// No version in common, or what came is not TLS.
  case protocolVersion
  /// The client speaks HTTP in clear text: it may be told so in the same way.
  case plainHTTP
  /// Far more key updates than data came (RFC 8446 §4.6.3).
  case tooManyKeyUpdates
  /// The peer gave up, with this alert (RFC 8446 §6.2).
  case alert(UInt8)
  /// The client has none, and one is required.
  case noClientCertificate
  /// The client's certificate is good, but its names are not on the list.
  case notAllowed
  /// The connection ended before the handshake did.
  case closed
  case other

  /// A word for logs and metrics.
  public var word: String {
    switch self {
    case .untrusted: "untrusted"
    case .nameMismatch: "name_mismatch"
    case .expired: "expired"
    case .protocolVersion: "protocol_version"
    case .plainHTTP: "plain_http"
    case .tooManyKeyUpdates: "too_many_key_updates"
    case .alert: "alert"
    case .noClientCertificate: "no_client_certificate"
    case .notAllowed: "not_allowed"
    case .closed: "closed"
    case .other: "other"
    }
  }

  /// What the peer means by an alert, and what to look at.
  static func alertText(_ number: UInt8) -> String {
    let meaning =
      switch number {
      case 0: "close notify"
      case 10: "unexpected message"
      case 20: "bad record"
      case 40: "handshake failure: no cipher or signature algorithm in common, or it wants a client certificate"
      case 42: "bad certificate"
      case 43: "unsupported certificate"
      case 44: "certificate revoked"
      case 45: "certificate expired"
      case 46: "certificate unknown: it does not accept our certificate"
      case 47: "illegal parameter"
      case 48: "unknown CA: it does not trust the issuer of our certificate"
      case 49: "access denied"
      case 50: "decode error"
      case 51: "decrypt error"
      case 70: "protocol version: it speaks none that is allowed here"
      case 71: "insufficient security"
      case 80: "internal error"
      case 86: "inappropriate fallback"
      case 90: "user cancelled"
      case 109: "missing extension"
      case 112: "unrecognised name: it has no certificate for the name that was asked for"
      case 116: "certificate required: it wants a client certificate"
      case 120: "no application protocol in common"
      default: "alert"
      }
    return "the peer gave up: \(meaning) (alert \(number))"
  }
}

/// Why files or options make no context: which file, what is wrong with it, and what to do.
public struct TLSLoadError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Empty if it is about an option.
  public var file: String
  public var message: String
  public var remedy: String

  public init(file: String = "", _ message: String, remedy: String) {
    self.file = file
    self.message = message
    self.remedy = remedy
  }

  public var description: String { (file.isEmpty ? "" : file + ": ") + message + ". " + remedy }
}

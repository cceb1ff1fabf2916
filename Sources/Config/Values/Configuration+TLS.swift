import Dtab

extension Configuration {
  /// How a server, or the admin server, secures its connections.
  public struct ServerTLS: Sendable, Equatable {
    public var enabled = true
    /// Shown where no other certificate covers the name that a client asks for.
    public var certificate = Certificate()
    /// Further ones, chosen by the name that a client asks for.
    public var certificates: [Certificate] = []
    /// PEM roots, or a directory of such files, that vouch for clients.
    public var caCertPath: String?
    /// linkerd's way to say `clientAuth: required`.
    public var requireClientAuth = false
    /// `nil`: as `requireClientAuth` says.
    public var clientAuth: ClientAuth?
    /// Of a client's certificate; empty: whoever verifies may come in.
    public var allowedClientNames: [String] = []
    public var protocols = TLSProtocol.allCases
    /// Names of OpenSSL's or of the IANA's registry; empty: a good choice.
    public var ciphers: [String] = []
    /// What is offered by ALPN, the preferred one first.
    public var alpn = TLSApplicationProtocol.allCases
    /// Whether a request for a host that the certificate shown does not cover gets 421.
    public var rejectMisdirected = true

    public init() {}

    public enum ClientAuth: String, Sendable, CaseIterable {
      case none, optional, required
    }

    /// What is in force.
    public var clientAuthentication: ClientAuth { clientAuth ?? (requireClientAuth ? .required : .none) }
  }

  /// PEM files of one certificate.
  public struct Certificate: Sendable, Equatable {
    public var certPath = ""
    public var keyPath = ""
    /// Further certificates that lead up to a root.
    public var intermediateCertsPath: String?

    public init() {}
  }

  /// On what terms a server is spoken to with TLS: whom the router believes, and who it says it is.
  public struct TLSTerms: Sendable, Equatable {
    /// PEM roots, or a directory of such files.
    public var trustCertsBundle: String?
    /// linkerd's former key: more files of roots.
    public var trustCerts: [String] = []
    public var disableValidation = false
    /// The router's own certificate.
    public var clientAuth: Certificate?
    public var protocols = TLSProtocol.allCases
    public var ciphers: [String] = []

    public init() {}
  }

  /// How endpoints are spoken to.
  public struct ClientTLS: Sendable, Equatable {
    public var enabled = true
    /// Bound ids that this holds for, as a pattern with captures; others are spoken to in clear text. `nil`: all.
    public var prefix: String?
    /// What the endpoint's certificate must be for, and what it is asked for; captures of `prefix` may stand in it.
    /// `nil` only without validation.
    public var commonName: String?
    public var terms = TLSTerms()

    public init() {}
  }

  public enum TLSProtocol: String, Sendable, CaseIterable {
    case v12 = "TLSv1.2"
    case v13 = "TLSv1.3"
  }

  public enum TLSApplicationProtocol: String, Sendable, CaseIterable {
    case h2
    case http11 = "http/1.1"
  }
}

/// The name that an endpoint's certificate must have, by the bound id that led to it.
public struct ExpectedTLSName: Sendable, Equatable {
  private let pattern: CapturePattern?
  private let template: CaptureText?

  /// `prefix` is a pattern of bound ids; `commonName` text with its captures and those named in `captures`.
  public init(prefix: String?, commonName: String?, captures: [String] = []) throws(DtabError) {
    let pattern: CapturePattern? =
      if let prefix { try CapturePattern(parsing: prefix) } else { nil }
    self.pattern = pattern
    template =
      if let commonName { try CaptureText(parsing: commonName, names: captures + (pattern?.names ?? [])) } else { nil }
  }

  public enum Answer: Sendable, Equatable {
    /// The id does not fit the pattern.
    case clearText
    /// Empty: TLS, but no name is demanded.
    case name(String)
  }

  /// For the bound id, such as `/#/io.l5d.fs/web`; `captures` are those of the block around the one for TLS.
  public func answer(for id: Path, captures: CapturePattern.Captures = [:]) -> Answer {
    var captures = captures
    if let pattern {
      guard let own = pattern.captures(in: id) else { return .clearText }
      captures.merge(own) { $1 }
    }
    guard let template else { return .name("") }
    // Captures may all be empty. No certificate is for the template itself, so that nobody passes then.
    return .name(template.text(with: captures) ?? template.source)
  }
}

import COpenSSL

/// A version of the protocol; older ones are broken (RFC 8996) and not spoken.
public enum TLSVersion: String, Sendable, CaseIterable, Comparable {
  case v12 = "TLSv1.2"
  case v13 = "TLSv1.3"

  public static func < (a: TLSVersion, b: TLSVersion) -> Bool { a.number < b.number }

  var number: Int32 { self == .v12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}

/// What is spoken inside, as ALPN tells it (RFC 7301).
public enum TLSApplication: String, Sendable, CaseIterable {
  case h2
  case http11 = "http/1.1"

  /// A list as ALPN carries it: each name behind its length.
  static func wire(_ list: [TLSApplication]) -> [UInt8] {
    list.flatMap { [UInt8($0.rawValue.utf8.count)] + Array($0.rawValue.utf8) }
  }
}

/// The files of one certificate, PEM.
public struct TLSIdentityFiles: Sendable, Hashable {
  /// The certificate, and behind it in the same file any that lead up to a root.
  public var certificate: String
  public var key: String
  /// Further certificates that lead up to a root.
  public var intermediates: String?

  public init(certificate: String, key: String, intermediates: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.intermediates = intermediates
  }

  var paths: [String] { [certificate, key] + (intermediates.map { [$0] } ?? []) }
}

/// Whom to believe.
public enum TLSTrust: Sendable, Hashable {
  /// The roots that the operating system came with.
  case system
  /// PEM files with any number of roots each, and directories of such files.
  case files([String])

  var paths: [String] {
    if case .files(let paths) = self { paths } else { [] }
  }
}

/// Ciphers, versions and key exchange, in the order of preference.
enum TLSDefaults {
  // AES-128 first: as safe as anything here, and a fifth cheaper per byte. All have forward secrecy and an AEAD, as
  // RFC 9113 §9.2.2 asks for.
  static let ciphers = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
  ]
  static let suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
  static let groups = "X25519:P-256:P-384"
  /// How long a session can be resumed, in seconds.
  static let sessionSeconds = 7_200
}

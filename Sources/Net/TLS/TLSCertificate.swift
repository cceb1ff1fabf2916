import COpenSSL
import MeshBase

/// What a certificate says about its holder.
public struct TLSCertificate: Sendable, Equatable {
  /// As RFC 2253 writes it: `CN=web,O=Example`.
  public let subject: String
  public let issuer: String
  /// Subject alternative names. Names with bytes outside of visible ASCII are left out: they can only deceive.
  public let dnsNames: [String]
  public let uris: [String]
  /// Text forms, such as `10.0.0.1`.
  public let ipAddresses: [String]
  /// Seconds since the epoch.
  public let notBefore: Int64
  public let notAfter: Int64
  /// SHA-256 of the DER form, 64 hexadecimal digits in lower case.
  public let fingerprint: String
  /// Whether a trust root vouches for it. False also where validation is switched off.
  public internal(set) var isVerified: Bool

  init(_ certificate: OpaquePointer, isVerified: Bool = false) {
    subject = Self.name(X509_get_subject_name(certificate))
    issuer = Self.name(X509_get_issuer_name(certificate))
    var dnsNames: [String] = []
    var uris: [String] = []
    var ipAddresses: [String] = []
    Self.forEachAlternativeName(of: certificate) { kind, bytes in
      switch kind {
      case GEN_DNS: if let text = Self.visible(bytes) { dnsNames.append(text) }
      case GEN_URI: if let text = Self.visible(bytes) { uris.append(text) }
      case GEN_IPADD: if let address = Self.address(bytes) { ipAddresses.append(address.ip) }
      default: break
      }
    }
    self.dnsNames = dnsNames
    self.uris = uris
    self.ipAddresses = ipAddresses
    notBefore = mesh_asn1_time(X509_get0_notBefore(certificate))
    notAfter = mesh_asn1_time(X509_get0_notAfter(certificate))
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    X509_digest(certificate, EVP_sha256(), &digest, &length)
    fingerprint = String(
      decoding: digest[..<Int(length)].flatMap { [Ascii.hexDigit($0 >> 4), Ascii.hexDigit($0 & 15)] }, as: UTF8.self)
    self.isVerified = isVerified
  }

  /// DNS names and addresses a server may be called by; the common name where there is no alternative name at all.
  public var hostNames: [String] {
    let names = dnsNames + ipAddresses
    if !names.isEmpty || !uris.isEmpty { return names }
    return commonName.map { [$0] } ?? []
  }

  /// The first CN of the subject, unescaped where it needs no escape.
  public var commonName: String? {
    for part in subject.split(separator: ",") where part.hasPrefix("CN=") { return String(part.dropFirst(3)) }
    return nil
  }

  /// `2026-11-22T14:00:00Z`.
  static func date(_ seconds: Int64) -> String {
    let text = CivilTime(wallNanoseconds: UInt64(max(0, seconds)) * 1_000_000_000).iso8601
    return String(text.dropLast(5)) + "Z"
  }

  /// "CN=web for web.example, *.web.example".
  var summary: String {
    let names = (dnsNames + ipAddresses + uris)
    let shown = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? " and \(names.count - 8) more" : "")
    return names.isEmpty ? subject : "\(subject) for \(shown)"
  }

  private static func name(_ name: OpaquePointer?) -> String {
    guard let name, let memory = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(memory) }
    X509_NAME_print_ex(memory, name, 0, mesh_rfc2253)
    var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(memory))
    let count = BIO_read(memory, &bytes, Int32(bytes.count))
    return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
  }

  /// `body` gets GEN_DNS, GEN_URI or GEN_IPADD and the raw bytes.
  static func forEachAlternativeName(
    of certificate: OpaquePointer, _ body: (Int32, UnsafeBufferPointer<UInt8>) -> Void
  ) {
    guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return }
    let names = OpaquePointer(raw)
    defer { GENERAL_NAMES_free(names) }
    for index in 0..<max(0, OPENSSL_sk_num(names)) {
      var bytes: UnsafePointer<UInt8>?
      var length: Int32 = 0
      let kind = mesh_general_name(names, index, &bytes, &length)
      if kind != 0 { body(kind, UnsafeBufferPointer(start: bytes, count: Int(length))) }
    }
  }

  private static func visible(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> SocketAddress? {
    func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: return SocketAddress(ipv4: UInt32(word(0..<4)), port: 0)
    case 16: return SocketAddress(ipv6High: word(0..<8), low: word(8..<16), port: 0)
    default: return nil
    }
  }
}

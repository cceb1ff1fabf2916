/// The value of `x-forwarded-client-cert`: what a backend is told of the caller's certificate, as linkerd writes it.
///
/// `Hash=<SHA-256, hex>;SAN=<URI>;DNS=<name>;Subject="<RFC 2253>"`, with SAN and DNS once per name of that kind. The
/// value is a header's: every byte is visible ASCII or a blank, and no name can feign a further element.
public enum ForwardedClientCertificate {
  /// Empty unless the certificate was verified: nothing unproved is passed on as an identity.
  public static func headerValue(_ certificate: TLSCertificate) -> [UInt8] {
    guard certificate.isVerified else { return [] }
    var value = Array("Hash=\(certificate.fingerprint)".utf8)
    for uri in certificate.uris {
      value += ";SAN=".utf8
      append(uri, to: &value)
    }
    for name in certificate.dnsNames {
      value += ";DNS=".utf8
      append(name, to: &value)
    }
    value += ";Subject=".utf8
    appendQuoted(certificate.subject, to: &value)
    return value
  }

  /// As it is, or in quotes where it holds what the syntax uses.
  private static func append(_ text: String, to value: inout [UInt8]) {
    if text.utf8.contains(where: { ",;=\"\\ ".utf8.contains($0) }) {
      appendQuoted(text, to: &value)
    } else {
      value += text.utf8
    }
  }

  private static func appendQuoted(_ text: String, to value: inout [UInt8]) {
    value.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { value.append(UInt8(ascii: "\\")) }
      // RFC 2253's escapes have left none of these; a header must not have them in any case.
      value.append(byte < 0x20 || byte > 0x7e ? UInt8(ascii: "?") : byte)
    }
    value.append(UInt8(ascii: "\""))
  }
}

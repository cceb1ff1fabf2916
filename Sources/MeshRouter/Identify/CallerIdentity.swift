import HTTP
import MeshBase
import Net

/// Who a caller is by its certificate, which was verified. Made once per connection.
final class CallerIdentity {
  /// The first URI among the certificate's names, else its first DNS name, else the common name; empty: none of them.
  let name: String
  /// The same as labels in printed form: a URI without its scheme, `/mesh/ns/web` for `spiffe://mesh/ns/web`.
  let path: [UInt8]
  /// The whole line of `x-forwarded-client-cert`.
  let headerLine: [UInt8]

  /// `nil` unless the certificate was verified: nothing unproved passes for an identity.
  init?(_ certificate: TLSCertificate) {
    guard certificate.isVerified else { return nil }
    let buffer = ByteBuffer()
    if let uri = certificate.uris.first {
      name = uri
      Self.append(uri: uri, to: buffer)
    } else {
      name = certificate.dnsNames.first ?? certificate.commonName ?? ""
      if !name.isEmpty { Array(name.utf8.map(Ascii.lowercased)).withUnsafeBytes { buffer.appendLabel($0) } }
    }
    path = Array(buffer.readable)
    headerLine =
      Array("x-forwarded-client-cert: ".utf8) + ForwardedClientCertificate.headerValue(certificate)
      + Array("\r\n".utf8)
  }

  /// Of a caller that is only spoken of: a URI if it has a scheme, else a DNS name.
  init(name: String) {
    self.name = name
    let buffer = ByteBuffer()
    if name.contains(":") {
      Self.append(uri: name, to: buffer)
    } else if !name.isEmpty {
      Array(name.utf8.map(Ascii.lowercased)).withUnsafeBytes { buffer.appendLabel($0) }
    }
    path = Array(buffer.readable)
    headerLine = []
  }

  private static func append(uri: String, to buffer: ByteBuffer) {
    var rest = Array(uri.utf8)[...]
    if let colon = rest.firstIndex(of: UInt8(ascii: ":")), rest[colon...].starts(with: "://".utf8) {
      rest = rest[(colon + 3)...]
    }
    for segment in rest.split(separator: UInt8(ascii: "/")) {
      segment.withUnsafeBytes { buffer.appendLabel($0) }
    }
  }
}

import CMeshShims
import COpenSSL

/// A certificate with its chain and key as they were read from files.
struct TLSIdentity: ~Copyable {
  let files: TLSIdentityFiles
  /// X509, the holder's first; EVP_PKEY.
  private let chain: [OpaquePointer]
  private let key: OpaquePointer
  let certificate: TLSCertificate
  /// EVP_PKEY_RSA and so on: a context holds one certificate of each.
  let keyType: Int32
  /// What is odd but no reason to refuse them.
  let warnings: [TLSLoadError]

  init(_ files: TLSIdentityFiles) throws(TLSLoadError) {
    var chain = try TLSFiles.certificates(files.certificate)
    var isTaken = false
    defer { if !isTaken { for item in chain { X509_free(item) } } }
    if let intermediates = files.intermediates { chain += try TLSFiles.certificates(intermediates) }
    let key = try TLSFiles.privateKey(files.key)
    defer { if !isTaken { EVP_PKEY_free(key) } }
    let certificate = TLSCertificate(chain[0])
    guard X509_check_private_key(chain[0], key) == 1 else {
      ERR_clear_error()
      throw TLSLoadError(
        file: files.key, "the key does not belong to the certificate \(certificate.subject) in \(files.certificate)",
        remedy: "Name the key that the certificate was made with; the certificate must come first in its file.")
    }
    var warnings: [TLSLoadError] = []
    let now = Int64(mesh_wall_nanoseconds() / 1_000_000_000)
    for (index, entry) in chain.enumerated() {
      let info = index == 0 ? certificate : TLSCertificate(entry)
      if info.notAfter < now {
        warnings.append(
          TLSLoadError(
            file: files.certificate,
            "the certificate \(info.subject) expired on \(TLSCertificate.date(info.notAfter)): peers refuse it",
            remedy: "Renew it; a changed file comes into use by itself."))
      } else if info.notBefore > now {
        warnings.append(
          TLSLoadError(
            file: files.certificate,
            "the certificate \(info.subject) is not valid before \(TLSCertificate.date(info.notBefore))",
            remedy: "Look at this host's clock."))
      }
    }
    isTaken = true
    self.files = files
    self.chain = chain
    self.key = key
    self.certificate = certificate
    self.warnings = warnings
    keyType = EVP_PKEY_get_base_id(key)
  }

  deinit {
    for item in chain { X509_free(item) }
    EVP_PKEY_free(key)
  }

  /// Makes it the one that the context shows for keys of its type.
  func install(in context: OpaquePointer) throws(TLSLoadError) {
    guard SSL_CTX_use_certificate(context, chain[0]) == 1, SSL_CTX_use_PrivateKey(context, key) == 1 else {
      throw TLSLoadError(
        file: files.certificate,
        "the certificate \(certificate.subject) cannot be used: \(OpenSSLErrors.text(OpenSSLErrors.take()))",
        remedy: "Use an RSA key of 2048 bits or more, or an ECDSA key on P-256.")
    }
    // Whoever verifies has the root; a self-signed one behind the first is dead weight.
    for entry in chain.dropFirst() where X509_check_issued(entry, entry) != X509_V_OK {
      guard mesh_ssl_add_chain(context, entry) == 1 else {
        throw TLSLoadError(
          file: files.certificate, "its chain cannot be used: \(OpenSSLErrors.text(OpenSSLErrors.take()))",
          remedy: "The chain may hold certificates of 2048 bits RSA or more, or ECDSA.")
      }
    }
  }
}

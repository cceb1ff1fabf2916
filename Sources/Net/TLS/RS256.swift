import COpenSSL

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3), as JSON Web Tokens are signed with.
public enum RS256 {
  /// - Parameter keyPEM: an RSA key, not encrypted.
  public static func sign(_ bytes: [UInt8], keyPEM: String) throws(TLSLoadError) -> [UInt8] {
    _ = OpenSSLMemory.hasSlots
    var pem = keyPEM
    let key = pem.withUTF8 { text -> OpaquePointer? in
      guard let memory = BIO_new_mem_buf(text.baseAddress, Int32(text.count)) else { return nil }
      defer { BIO_free(memory) }
      return PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in 0 }, nil)
    }
    guard let key else {
      throw TLSLoadError(
        "the private key cannot be read: \(OpenSSLErrors.text(OpenSSLErrors.take()))",
        remedy: "It must be PEM text with a line -----BEGIN PRIVATE KEY-----, not encrypted.")
    }
    defer { EVP_PKEY_free(key) }
    guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
      throw TLSLoadError("the private key is not an RSA key", remedy: "RS256 signs with RSA keys only.")
    }
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("EVP_MD_CTX_new: no memory") }
    defer { EVP_MD_CTX_free(context) }
    var length = 0
    var signature: [UInt8] = []
    if EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      EVP_DigestSign(context, nil, &length, bytes, bytes.count) == 1
    {
      signature = [UInt8](repeating: 0, count: length)
      if EVP_DigestSign(context, &signature, &length, bytes, bytes.count) == 1 { return Array(signature[..<length]) }
    }
    throw TLSLoadError(
      "the private key cannot sign: \(OpenSSLErrors.text(OpenSSLErrors.take()))",
      remedy: "Look at it with openssl pkey -text -noout.")
  }
}

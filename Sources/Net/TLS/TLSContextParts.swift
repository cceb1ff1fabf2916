import COpenSSL

/// What contexts of both sides have in common.
enum TLSContextParts {
  static func make(
    isServer: Bool, versions: [TLSVersion], ciphers: [String]
  ) throws(TLSLoadError) -> OpaquePointer {
    _ = OpenSSLMemory.hasSlots
    guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
      preconditionFailure("SSL_CTX_new: \(OpenSSLErrors.text(OpenSSLErrors.take()))")
    }
    SSL_CTX_set_options(context, mesh_ssl_options)
    mesh_ssl_set_modes(context)
    let least = versions.min() ?? .v12
    let most = versions.max() ?? .v13
    precondition(mesh_ssl_set_versions(context, least.number, most.number) == 1, "protocol versions")
    precondition(mesh_ssl_set_groups(context, TLSDefaults.groups) == 1, "groups")
    do throws(TLSLoadError) { try setCiphers(context, ciphers, versions) } catch {
      SSL_CTX_free(context)
      throw error
    }
    SSL_CTX_set_info_callback(context, tlsMoved)
    SSL_CTX_set_timeout(context, TLSDefaults.sessionSeconds)
    return context
  }

  /// Names of OpenSSL's or of the IANA's registry, of any version, in the order of preference.
  private static func setCiphers(
    _ context: OpaquePointer, _ names: [String], _ versions: [TLSVersion]
  ) throws(TLSLoadError) {
    var old: [String] = []
    var suites: [String] = []
    for name in names {
      let isSuite = TLSDefaults.suites.contains(name)
      if isSuite || name.hasPrefix("TLS_AES_") && !name.contains("_WITH_") {
        suites.append(name)
      } else if name.hasPrefix("TLS_"), let standard = OPENSSL_cipher_name(name), String(cString: standard) != "(NONE)"
      {
        old.append(String(cString: standard))
      } else {
        old.append(name)
      }
    }
    // Naming ciphers of one version says nothing about the other.
    if suites.isEmpty { suites = TLSDefaults.suites }
    if old.isEmpty { old = TLSDefaults.ciphers }
    for name in old where SSL_CTX_set_cipher_list(context, name) != 1 {
      ERR_clear_error()
      throw unknown(name)
    }
    for name in suites where SSL_CTX_set_ciphersuites(context, name) != 1 {
      ERR_clear_error()
      throw unknown(name)
    }
    SSL_CTX_set_cipher_list(context, old.joined(separator: ":"))
    SSL_CTX_set_ciphersuites(context, suites.joined(separator: ":"))
  }

  private static func unknown(_ cipher: String) -> TLSLoadError {
    TLSLoadError(
      "\"\(cipher)\" is no cipher that OpenSSL has here",
      remedy: "openssl ciphers -v lists them; leave ciphers out to get a good choice.")
  }
}

/// Called for each step of the handshake protocol, those behind the handshake too.
private func tlsMoved(_ ssl: OpaquePointer?, _ what: Int32, _: Int32) {
  guard what & SSL_CB_LOOP != 0, let ssl, let session = TLSSession.of(ssl) else { return }
  session.lateMessageComes()
}

import Dtab

extension KeyTables {
  /// - Parameter isAdmin: the admin server speaks HTTP/1.1 only, so there is nothing to offer.
  static func serverTLS(isAdmin: Bool = false) -> ObjectTable<Configuration.ServerTLS> {
    let alpn = Key<Configuration.ServerTLS>(
      "alpn", \.alpn, .list(.choice()), origin: .ours, "What is offered by ALPN, the preferred one first.")
    let misdirected = Key<Configuration.ServerTLS>(
      "rejectMisdirected", \.rejectMisdirected, .boolean, origin: .ours,
      "A request for a host that the certificate shown does not cover gets 421 (RFC 9110 §15.5.20), unless another"
        + " router sent it. False: it is served.")
    return ObjectTable<Configuration.ServerTLS>(
      { Configuration.ServerTLS() },
      [
        Key("enabled", \.enabled, .boolean, "False: clear text, as if the block were not there."),
        Key(
          "certPath", \.certificate.certPath, .file, required: true,
          "PEM file of the certificate, and behind it any that lead up to a root. Watched: a changed file comes into"
            + " use for new connections."),
        Key(
          "keyPath", \.certificate.keyPath, .file, required: true,
          "PEM file of the certificate's key, of any type that OpenSSL reads, not encrypted."),
        Key(
          "intermediateCertsPath", \.certificate.intermediateCertsPath, .optional(.file), defaultNote: "none",
          "PEM file of further certificates that lead up to a root."),
        Key(
          "certificates", \.certificates, .list(certificate.codec), origin: .ours,
          "Further certificates. Each is shown to clients that ask (by SNI) for one of its names; others get the one"
            + " above."),
        Key(
          "caCertPath", \.caCertPath, .optional(.file), defaultNote: "none",
          "PEM file of the roots that vouch for clients, or a directory of such files."),
        Key("requireClientAuth", \.requireClientAuth, .boolean, "The same as `clientAuth: required`."),
        Key(
          "clientAuth", \.clientAuth, .optional(.choice()), origin: .ours,
          defaultNote: "required if `requireClientAuth`, else none",
          "Whether clients may or must show a certificate. One that does not verify is refused in both cases."),
        Key(
          "allowedClientNames", \.allowedClientNames, .list(.text("name")), origin: .ours,
          "Names of which a client's certificate must have one: DNS names (`*.` for one label), URIs (`/*` at the end"
            + " for all below), addresses. Empty: whoever verifies may come in."),
        Key("protocols", \.protocols, .list(.choice(unsupported: oldProtocols)), "Versions that are spoken."),
        Key(
          "ciphers", \.ciphers, .list(.text("name")), defaultNote: "AES-GCM and ChaCha20 with forward secrecy",
          "Ciphers in the order of preference, by OpenSSL's or the IANA's names."),
      ] + (isAdmin ? [] : [alpn, misdirected]),
      finish: { tls, _, trail, decoding in
        func conflict(_ key: String, _ message: String, _ remedy: String) {
          decoding.report(.error, .conflict, at: trail.key(key).canonical, message, remedy: remedy)
        }
        if tls.requireClientAuth, let mode = tls.clientAuth, mode != .required {
          conflict("clientAuth", "\(mode.rawValue), but requireClientAuth is true", "Leave one of them out.")
        } else if tls.clientAuthentication != .none, tls.caCertPath == nil {
          let key = tls.clientAuth == nil ? "requireClientAuth" : "clientAuth"
          conflict(key, "there is no caCertPath: nobody could vouch for clients", "Set caCertPath.")
        }
        if tls.clientAuthentication == .none {
          for (key, isSet) in [
            ("caCertPath", tls.caCertPath != nil), ("allowedClientNames", !tls.allowedClientNames.isEmpty),
          ] where isSet {
            decoding.report(
              .warning, .ignoredKey, at: trail.key(key).canonical,
              "has no effect: clients are asked for no certificate",
              remedy: "Set clientAuth.")
          }
        }
        let first = trail.key("protocols").index(0).canonical
        if tls.protocols.isEmpty, decoding.isSound(first) {
          conflict("protocols", "no version is left", "Leave the key out.")
        }
      })
  }

  private static let oldProtocols = [
    "TLSv1": "It is broken (RFC 8996).", "TLSv1.1": "It is broken (RFC 8996).", "SSLv3": "It is broken (RFC 7568).",
    "SSLv2": "It is broken.", "SSLv2Hello": "It is broken.",
  ]

  static let certificate = ObjectTable<Configuration.Certificate>(
    { Configuration.Certificate() },
    [
      Key(
        "certPath", \.certPath, .file, required: true,
        "PEM file of the certificate, and behind it any that lead up to a root."),
      Key("keyPath", \.keyPath, .file, required: true, "PEM file of the certificate's key."),
      Key(
        "intermediateCertsPath", \.intermediateCertsPath, .optional(.file), defaultNote: "none",
        "PEM file of further certificates that lead up to a root."),
    ])

  static let clientTLS = ObjectTable<Configuration.ClientTLS>(
    { Configuration.ClientTLS() },
    [
      Key("enabled", \.enabled, .boolean, "False: clear text, as if the block were not there."),
      Key(
        "prefix", \.prefix, .optional(.capturePattern), origin: .ours, defaultNote: "all",
        "Bound ids that are spoken to with TLS, such as `/#/io.l5d.fs/{service}`; others are spoken to in clear text."),
      Key(
        "commonName", \.commonName, .optional(.text("name")), defaultNote: "none",
        "The name that an endpoint's certificate must have, and that it is asked for by SNI. Captures of `prefix` may"
          + " stand in it: `{service}.mesh`."),
      Key(
        "trustCertsBundle", \.terms.trustCertsBundle, .optional(.file), defaultNote: "the system's roots",
        "PEM file of the roots that vouch for endpoints, or a directory of such files."),
      Key("trustCerts", \.terms.trustCerts, .list(.file), "More such files; linkerd's former key."),
      Key(
        "disableValidation", \.terms.disableValidation, .boolean,
        "Believe any endpoint. What is sent can then be read and changed by whoever stands between."),
      Key(
        "clientAuth", \.terms.clientAuth, .optional(certificate.codec), defaultNote: "none",
        "The certificate that is shown to endpoints which ask for one."),
      Key("protocols", \.terms.protocols, .list(.choice(unsupported: oldProtocols)), "Versions that are spoken."),
      Key(
        "ciphers", \.terms.ciphers, .list(.text("name")), origin: .ours,
        defaultNote: "AES-GCM and ChaCha20 with forward secrecy",
        "Ciphers in the order of preference, by OpenSSL's or the IANA's names."),
    ],
    finish: { tls, _, trail, decoding in
      func conflict(_ key: String?, _ message: String, _ remedy: String) {
        let path = key.map { trail.key($0).canonical } ?? trail.canonical
        decoding.report(.error, .conflict, at: path, message, remedy: remedy)
      }
      if tls.terms.disableValidation {
        decoding.report(
          .warning, .exposure, at: trail.key("disableValidation").canonical,
          "true: an endpoint may be anyone, and so may whoever stands between",
          remedy: "Set commonName, and trustCertsBundle where the roots are your own.")
      } else if tls.commonName == nil {
        conflict(
          nil, "there is no commonName: what should an endpoint's certificate be for?",
          "Set commonName, with captures of prefix where it differs, as in {service}.mesh.")
      }
      if let name = tls.commonName {
        do throws(DtabError) {
          _ = try ExpectedTLSName(prefix: tls.prefix, commonName: name, captures: decoding.captures)
        } catch {
          conflict(
            "commonName", error.message.last == "." ? String(error.message.dropLast()) : error.message,
            "Captures are those of prefix, as in prefix: /#/io.l5d.fs/{service}.")
        }
      }
      if tls.terms.protocols.isEmpty, decoding.isSound(trail.key("protocols").index(0).canonical) {
        conflict("protocols", "no version is left", "Leave the key out.")
      }
    })
}

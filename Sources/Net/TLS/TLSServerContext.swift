import COpenSSL
import MeshBase

/// What a server shows and asks for: certificates chosen by name, versions, ciphers, client certificates.
///
/// Made once from files and never changed; shared by all workers. A change of a file makes a new one, and connections
/// that were made with the old one go on with it.
public final class TLSServerContext: @unchecked Sendable {
  // SSL_CTX is safe to share once it is set up; nothing here changes after `init`.

  public enum ClientAuth: String, Sendable, CaseIterable {
    case none
    /// A client may have a certificate; one that does not verify ends the handshake.
    case optional
    case required
  }

  public struct Options: Sendable, Equatable {
    /// The first one is shown to clients that ask for no name, or for one that no other certificate covers.
    public var certificates: [TLSIdentityFiles]
    public var clientAuth = ClientAuth.none
    /// Who vouches for clients.
    public var clientTrust = TLSTrust.files([])
    /// Names of which a client's certificate must have one: DNS names, `*.` for one label, URIs, `/*` for all below.
    /// Empty: whoever verifies may come in.
    public var allowedClients: [String] = []
    /// In the order of preference.
    public var applications: [TLSApplication] = [.http11]
    public var versions: [TLSVersion] = TLSVersion.allCases
    /// Empty: a good choice.
    public var ciphers: [String] = []

    public init(certificates: [TLSIdentityFiles]) { self.certificates = certificates }

    /// Every file that the context is made from; directories as they are.
    public var paths: [String] {
      certificates.flatMap(\.paths) + (clientAuth == .none ? [] : clientTrust.paths)
    }
  }

  /// One SSL_CTX: the certificates (of different key types) for one set of names.
  struct Entry {
    let context: OpaquePointer
    let names: TLSNameSet
    var keyTypes: Set<Int32>
  }

  public let options: Options
  /// The certificates with their files, in the order of the options.
  public let certificates: [(file: String, certificate: TLSCertificate)]
  /// What an operator should know: certificates that have expired and the like.
  public let warnings: [TLSLoadError]
  let ticketKeys: TLSTicketKeys
  private let entries: [Entry]
  let allowList: TLSAllowList?
  /// ALPN, in the order of preference.
  private let applicationWire: [UInt8]

  /// Reads and checks all files.
  public init(_ options: Options, ticketKeys: TLSTicketKeys = .shared) throws(TLSLoadError) {
    precondition(!options.certificates.isEmpty, "a server without a certificate")
    var entries: [Entry] = []
    var certificates: [(file: String, certificate: TLSCertificate)] = []
    var warnings: [TLSLoadError] = []
    var isDone = false
    defer { if !isDone { for item in entries { SSL_CTX_free(item.context) } } }
    for files in options.certificates {
      let identity = try TLSIdentity(files)
      let names = TLSNameSet(identity.certificate.hostNames)
      certificates.append((files.certificate, identity.certificate))
      warnings += identity.warnings
      // RSA and ECDSA for the same names: OpenSSL takes what the client can verify.
      if let index = entries.firstIndex(where: { $0.names == names && !$0.keyTypes.contains(identity.keyType) }) {
        try identity.install(in: entries[index].context)
        entries[index].keyTypes.insert(identity.keyType)
        continue
      }
      let context = try TLSContextParts.make(isServer: true, versions: options.versions, ciphers: options.ciphers)
      entries.append(Entry(context: context, names: names, keyTypes: [identity.keyType]))
      try identity.install(in: context)
    }
    // A ticket is honoured where it was given out, and wherever clients are asked for the same things: whom one server
    // let in without a certificate must not come in by that ticket where one is required. Certificates of the server's
    // own do not count, so tickets outlive them.
    var scope = "\(options.clientAuth.rawValue)\n\(options.allowedClients.sorted())\n"
    if options.clientAuth != .none {
      let (store, roots) = try TLSFiles.trustStore(options.clientTrust)
      defer {
        X509_STORE_free(store)
        for item in roots { X509_free(item) }
      }
      for entry in entries { Self.askClients(entry.context, options.clientAuth, store, roots) }
      scope += roots.map { TLSCertificate($0).fingerprint }.sorted().joined()
    }
    let scopeDigest = Sha256.digest(Array(scope.utf8))
    for entry in entries { Self.prepare(entry.context, scope: scopeDigest) }
    isDone = true
    allowList = options.allowedClients.isEmpty ? nil : TLSAllowList(options.allowedClients)
    applicationWire = TLSApplication.wire(options.applications)
    self.options = options
    self.certificates = certificates
    self.warnings = warnings
    self.ticketKeys = ticketKeys
    self.entries = entries
  }

  deinit { for entry in entries { SSL_CTX_free(entry.context) } }

  private static func askClients(
    _ context: OpaquePointer, _ mode: ClientAuth, _ store: OpaquePointer, _ roots: [OpaquePointer]
  ) {
    let required = mode == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, tlsVerified)
    SSL_CTX_set1_cert_store(context, store)
    for root in roots { SSL_CTX_add_client_CA(context, root) }
  }

  private static func prepare(_ context: OpaquePointer, scope: [UInt8]) {
    // Tickets only: a cache on the server would be memory per client, and a lock between workers.
    mesh_ssl_set_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    SSL_CTX_set_num_tickets(context, 1)
    SSL_CTX_set_session_id_context(context, scope, UInt32(scope.count))
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, tlsTicket)
    mesh_ssl_on_server_name(context, tlsServerName)
    SSL_CTX_set_alpn_select_cb(context, tlsSelectApplication, nil)
  }

  // MARK: For sessions

  func makeSession() -> OpaquePointer {
    let ssl = OpenSSLMemory.makeSession(entries[0].context)
    SSL_set_accept_state(ssl)
    return ssl
  }

  /// The entry for the name that a client asks for: one that has it whole, else one with a wildcard, else the first.
  func entry(for name: UnsafeRawBufferPointer) -> Int {
    if entries.count == 1 { return 0 }
    var wildcard: Int?
    for (index, entry) in entries.enumerated() {
      switch entry.names.match(name) {
      case .exact: return index
      case .wildcard: if wildcard == nil { wildcard = index }
      case nil: break
      }
    }
    return wildcard ?? 0
  }

  func names(of entry: Int) -> TLSNameSet { entries[entry].names }

  func show(_ entry: Int, in ssl: OpaquePointer) {
    if entry != 0 { SSL_set_SSL_CTX(ssl, entries[entry].context) }
  }

  /// Ours that the client offers too, the most preferred one; `nil`: none in common.
  func select(among offered: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    var own = applicationWire[...]
    while let length = own.first {
      let name = own.dropFirst().prefix(Int(length))
      own = own.dropFirst(1 + Int(length))
      var at = 0
      while at < offered.count {
        let end = at + 1 + Int(offered[at])
        if end > offered.count { break }
        let candidate = UnsafeBufferPointer(rebasing: offered[(at + 1)..<end])
        if candidate.elementsEqual(name) { return candidate }
        at = end
      }
    }
    return nil
  }

  /// Whether the server can speak nothing but what it names.
  var speaksHTTP1: Bool { options.applications.contains(.http11) }
}

/// Chooses the certificate. OpenSSL calls it for each handshake, resumed ones too.
private func tlsServerName(_ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<Int32>?, _: UnsafeMutableRawPointer?)
  -> Int32
{
  guard let ssl, let session = TLSSession.of(ssl) else { return SSL_TLSEXT_ERR_NOACK }
  guard let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return SSL_TLSEXT_ERR_NOACK }
  session.wasAsked(forName: UnsafeRawBufferPointer(start: name, count: strlen(name)))
  return SSL_TLSEXT_ERR_OK
}

private func tlsSelectApplication(
  _ ssl: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ length: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32,
  _: UnsafeMutableRawPointer?
) -> Int32 {
  guard let ssl, let context = TLSSession.of(ssl)?.server, let selected, let length else {
    return SSL_TLSEXT_ERR_NOACK
  }
  let offered = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
  if let choice = context.select(among: offered) {
    selected.pointee = choice.baseAddress
    length.pointee = UInt8(choice.count)
    return SSL_TLSEXT_ERR_OK
  }
  // RFC 7301 §3.2 wants an alert; but a client that names only, say, "http/1.0" is served as one that names nothing.
  return context.speaksHTTP1 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL
}

private func tlsTicket(
  _ ssl: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>?, _ iv: UnsafeMutablePointer<UInt8>?,
  _ cipher: OpaquePointer?, _ mac: OpaquePointer?, _ seals: Int32
) -> Int32 {
  guard let ssl, let keys = TLSSession.of(ssl)?.server?.ticketKeys, let name, let iv, let cipher, let mac else {
    return -1
  }
  return seals != 0
    ? TLSTicketKeys.seal(keys, name: name, iv: iv, cipher: cipher, mac: mac)
    : TLSTicketKeys.open(keys, renews: SSL_version(ssl) >= TLS1_3_VERSION, name: name, iv: iv, cipher: cipher, mac: mac)
}

/// Sees every verdict on every certificate of a chain; remembers the first bad one and adds our own rules.
func tlsVerified(_ isGood: Int32, _ verification: OpaquePointer?) -> Int32 {
  guard let verification,
    let raw = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()),
    let session = TLSSession.of(OpaquePointer(raw))
  else { return 0 }
  return session.judge(isGood: isGood == 1, verification) ? 1 : 0
}

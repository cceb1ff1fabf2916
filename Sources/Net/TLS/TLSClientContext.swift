import COpenSSL
import Synchronization

/// What a client demands of servers and shows them. Made once from files and never changed; shared by all workers.
public final class TLSClientContext: @unchecked Sendable {
  // SSL_CTX is safe to share once it is set up; nothing here changes after `init`.

  public struct Options: Sendable, Equatable {
    public var trust = TLSTrust.system
    /// Believe anyone. For tests and for backends behind a secured network only.
    public var disableValidation = false
    /// Shown to servers that ask for one.
    public var identity: TLSIdentityFiles?
    /// Offered, in the order of preference; empty: ALPN is not used.
    public var applications: [TLSApplication] = [.http11]
    public var versions: [TLSVersion] = TLSVersion.allCases
    /// Empty: a good choice.
    public var ciphers: [String] = []

    public init() {}

    /// Every file that the context is made from; directories as they are.
    public var paths: [String] { (disableValidation ? [] : trust.paths) + (identity?.paths ?? []) }
  }

  private static let nextID = Atomic<UInt64>(0)

  public let options: Options
  /// The own certificate with its file.
  public let certificates: [(file: String, certificate: TLSCertificate)]
  public let warnings: [TLSLoadError]
  /// Unique in the process.
  let id: UInt64
  private let context: OpaquePointer

  /// Reads and checks all files.
  public init(_ options: Options) throws(TLSLoadError) {
    let context = try TLSContextParts.make(isServer: false, versions: options.versions, ciphers: options.ciphers)
    var isDone = false
    defer { if !isDone { SSL_CTX_free(context) } }
    if let files = options.identity {
      let identity = try TLSIdentity(files)
      try identity.install(in: context)
      certificates = [(files.certificate, identity.certificate)]
      warnings = identity.warnings
    } else {
      certificates = []
      warnings = []
    }
    if options.disableValidation {
      SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    } else {
      let (store, roots) = try TLSFiles.trustStore(options.trust)
      for item in roots { X509_free(item) }
      SSL_CTX_set1_cert_store(context, store)
      X509_STORE_free(store)
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tlsVerified)
    }
    let wire = TLSApplication.wire(options.applications)
    if !wire.isEmpty { SSL_CTX_set_alpn_protos(context, wire, UInt32(wire.count)) }
    mesh_ssl_set_cache_mode(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(context, tlsNewSession)
    self.options = options
    self.context = context
    id = Self.nextID.add(1, ordering: .relaxed).newValue
    isDone = true
  }

  deinit { SSL_CTX_free(context) }

  func makeSession() -> OpaquePointer {
    let ssl = OpenSSLMemory.makeSession(context)
    SSL_set_connect_state(ssl)
    return ssl
  }
}

/// A session that can be resumed: 1 if the reference is taken.
private func tlsNewSession(_ ssl: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
  guard let ssl, let session, let owner = TLSSession.of(ssl) else { return 0 }
  return owner.keep(session) ? 1 : 0
}

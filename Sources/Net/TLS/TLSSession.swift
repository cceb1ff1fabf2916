import CMeshShims
import COpenSSL
import Glibc
import MeshBase

/// TLS over one non-blocking descriptor, which stays its owner's. Confined to one thread.
///
/// Results are those of `Socket`: bytes above zero, 0 at a clean end, `-EAGAIN` when the kernel has nothing or takes
/// nothing, another negated error number when the connection is lost, `-EPROTO` when TLS is (`failure` tells more).
/// An idle session has no buffers of its own, and once `AwakeList` has parked it, little else.
public final class TLSSession: Parkable {
  public enum Progress: Sendable, Equatable {
    case done
    /// Call `handshake` again after the next edge, whichever it is.
    case wantsMore
    case failed(TLSFailure)
  }

  /// Of a server's session; `nil` for a client's.
  public let server: TLSServerContext?
  public let client: TLSClientContext?
  /// Parked while `parked` is there: not to be touched, but by way of `ssl`.
  private let storage: OpaquePointer
  private var parked: UnsafeMutableRawPointer?
  package var isResting = false
  package var place = 0
  let workspace: TLSWorkspace
  var transport: TLSTransport

  /// Of a server's session: the certificate that was chosen.
  private var entry = 0
  /// The name that the client asked for (SNI), in lower case; empty: none. Of a client's session: the name it asked for.
  public private(set) var serverName = ""
  /// Of a client's session: the name that the server's certificate must have.
  private let expectedName: String
  private let cache: TLSSessionCache?
  private let slot: TLSSessionCache.Key?

  public private(set) var isHandshakeDone = false
  /// Why the session is of no more use; `nil` as long as it is.
  public internal(set) var failure: TLSFailure?
  /// The same for people: names, dates and issuers.
  public internal(set) var failureText = ""
  /// The stream ended without the peer's word that it would (close_notify): what came may not be all there was.
  public internal(set) var wasTruncated = false
  /// Whether bytes may be at hand which no edge will tell of: call `receive` again.
  public internal(set) var hasPending = false
  /// What `receive` will answer once what was decrypted before it is taken.
  var pendingEnd: Int?
  /// Plain bytes whose records are not yet all in the kernel, and which `send` has not answered for yet.
  var claimedBytes = 0
  /// Steps of the handshake protocol behind the handshake: a key update takes one to five, a ticket one.
  private var lateMessages = 0
  /// Bytes of data, either way.
  var transferredBytes = 0
  private var verdict: (failure: TLSFailure, text: String)?

  /// A server's end of an accepted connection.
  public init(server: TLSServerContext, descriptor: Int32, workspace: TLSWorkspace) {
    self.server = server
    client = nil
    expectedName = ""
    cache = nil
    slot = nil
    self.workspace = workspace
    storage = server.makeSession()
    transport = TLSTransport(descriptor: descriptor)
    attach()
  }

  /// A client's end of a connection that is made or being made.
  /// - Parameters:
  ///   - expectedName: a host name or an address that the server's certificate must have.
  ///   - serverName: what to ask for by SNI; `nil`: `expectedName`, unless it is an address (RFC 6066 §3).
  ///   - applications: what to offer by ALPN instead of what the context does.
  ///   - cache: where sessions are kept, and looked for under `slot`.
  public init(
    client: TLSClientContext, descriptor: Int32, workspace: TLSWorkspace, expectedName: String,
    serverName: String? = nil, applications: [TLSApplication]? = nil, cache: TLSSessionCache? = nil,
    slot: TLSSessionCache.Key? = nil
  ) {
    server = nil
    self.client = client
    self.expectedName = expectedName
    self.cache = cache
    self.slot = slot ?? (cache == nil ? nil : TLSSessionCache.Key(name: expectedName))
    self.workspace = workspace
    storage = client.makeSession()
    transport = TLSTransport(descriptor: descriptor)
    attach()
    let isAddress = SocketAddress(ip: expectedName, port: 0) != nil
    if !client.options.disableValidation {
      let parameters = SSL_get0_param(ssl)
      if isAddress {
        X509_VERIFY_PARAM_set1_ip_asc(parameters, expectedName)
      } else {
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        X509_VERIFY_PARAM_set1_host(parameters, expectedName, expectedName.utf8.count)
      }
    }
    if let applications {
      let wire = TLSApplication.wire(applications)
      SSL_set_alpn_protos(ssl, wire, UInt32(wire.count))
    }
    let name = serverName ?? (isAddress ? "" : expectedName)
    if !name.isEmpty {
      _ = mesh_ssl_set_host_name(ssl, name)
      self.serverName = name
    }
    if let cache, let slot = self.slot, let session = cache.session(slot, of: client) {
      // OpenSSL spends a TLS 1.3 session by its use. Connections that are made at the same time need it too, and what
      // a second use gives away (RFC 8446 §C.4), that two connections are of one client, servers know already.
      let copy = SSL_SESSION_dup(session)
      SSL_set_session(ssl, copy)
      SSL_SESSION_free(copy)
    }
  }

  deinit {
    // Else OpenSSL would spoil the session for later connections, which no version of TLS since 1.1 asks for.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(ssl)
    workspace.awake.leave(self)
    transport.release()
  }

  // MARK: Parking

  /// For every use of it, each of which ends the session's rest.
  var ssl: OpaquePointer {
    if isResting { wake() }
    return storage
  }

  private func wake() {
    isResting = false
    guard let kept = parked else { return }
    mesh_slot_fetch(UnsafeMutableRawPointer(storage), kept)
    parked = nil
    workspace.awake.join(self)
  }

  /// Gives most of the memory back until the session is used again, which then costs two page faults.
  package func park() -> Bool {
    if isHandshakeDone, parked == nil { parked = mesh_slot_park(UnsafeMutableRawPointer(storage)) }
    return parked != nil
  }

  public var isParked: Bool { parked != nil }

  private func attach() {
    workspace.awake.join(self)
    BIO_up_ref(workspace.bio)
    SSL_set_bio(ssl, workspace.bio, workspace.bio)
  }

  /// The session that an SSL belongs to, for OpenSSL's callbacks.
  static func of(_ ssl: OpaquePointer) -> TLSSession? { SSL_get_rbio(ssl).flatMap { TLSTransport.session($0) } }

  // MARK: Handshake

  /// Goes as far as it can.
  public func handshake() -> Progress {
    if isHandshakeDone { return .done }
    if let failure { return .failed(failure) }
    if transport.hasUnsent {
      let result = transport.flush()
      if result < 0 && !Socket.wouldBlock(result) { return lost(result) }
    }
    ERR_clear_error()
    workspace.current = self
    transport.begin(mayAssumeDry: false)
    // Whatever the handshake writes goes out in one piece.
    transport.isHolding = true
    let result = SSL_do_handshake(ssl)
    transport.isHolding = false
    if result == 1 {
      ERR_clear_error()
      return finish()
    }
    if transport.isBlocked {
      let result = transport.flush()
      return result < 0 && !Socket.wouldBlock(result) ? lost(result) : .wantsMore
    }
    let code = classify(result)
    _ = transport.flush()  // The alert.
    return .failed(failure ?? (code == 0 ? .closed : .other))
  }

  private func finish() -> Progress {
    isHandshakeDone = true
    hasPending = SSL_has_pending(ssl) != 0 || !transport.isDry
    // Resumed: the certificate was verified when the ticket was given out, under the same rules; but be sure.
    if let server, let list = server.allowList, SSL_session_reused(ssl) != 0, let peer = peerCertificate,
      !list.allows(peer)
    {
      fail(.notAllowed, "the client \(peer.summary) is not among the allowed ones")
      return .failed(.notAllowed)
    }
    // A request has come along with the client's last words, so an answer follows: the ticket goes out with it.
    let mayWait = server != nil && hasPending && version == .v13
    // The keys of the exchange have done their work; OpenSSL would keep them as long as the connection.
    if version == .v13 { mesh_ssl_drop_exchange_keys(ssl) }
    transport.awaitsCompany = mayWait
    if !mayWait {
      let result = transport.flush()
      if result < 0 && !Socket.wouldBlock(result) { return lost(result) }
    }
    return .done
  }

  private func lost(_ result: Int) -> Progress {
    fail(.closed, "the connection was lost during the handshake: \(SystemError.text(Int32(-result)))")
    return .failed(.closed)
  }

  // MARK: What was agreed on

  public var version: TLSVersion { SSL_version(ssl) == TLS1_2_VERSION ? .v12 : .v13 }

  /// Such as `TLS_AES_128_GCM_SHA256`.
  public var cipher: String {
    guard let cipher = SSL_get_current_cipher(ssl), let name = SSL_CIPHER_get_name(cipher) else {
      return ""
    }
    return String(cString: name)
  }

  /// `nil`: none was agreed on by ALPN.
  public var application: TLSApplication? {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &length)
    guard let name else { return nil }
    // Names that were offered or allowed by us: their lengths tell them apart.
    return length == 2 && name[0] == UInt8(ascii: "h") ? .h2 : length == 8 ? .http11 : nil
  }

  /// Whether the handshake was spared by a ticket.
  public var wasResumed: Bool { SSL_session_reused(ssl) != 0 }

  /// What the peer showed; read anew each time.
  public var peerCertificate: TLSCertificate? {
    guard let certificate = SSL_get0_peer_certificate(ssl) else { return nil }
    let validates =
      server.map { $0.options.clientAuth != .none } ?? client.map { !$0.options.disableValidation } ?? false
    return TLSCertificate(certificate, isVerified: validates && SSL_get_verify_result(ssl) == Int(X509_V_OK))
  }

  /// Of a server's session: whether the certificate that the client was shown is good for this name (RFC 9110 §15.5.20).
  public func covers(host: UnsafeRawBufferPointer) -> Bool { server?.names(of: entry).covers(host) ?? false }

  public func covers(host: String) -> Bool { server?.names(of: entry).covers(host) ?? false }

  // MARK: Called by OpenSSL

  func wasAsked(forName name: UnsafeRawBufferPointer) {
    guard let server else { return }
    serverName = String(decoding: name.lazy.map(Ascii.lowercased), as: UTF8.self)
    entry = server.entry(for: name)
    server.show(entry, in: ssl)
  }

  /// A peer may ask for new keys as often as it likes (RFC 8446 §4.6.3), and each time is work: so many are free, and
  /// one for so many bytes of data.
  private static let freeLateMessages = 64
  private static let bytesPerLateMessage = 4_096

  func lateMessageComes() {
    guard isHandshakeDone else { return }
    lateMessages += 1
    if lateMessages > Self.freeLateMessages + transferredBytes / Self.bytesPerLateMessage {
      fail(.tooManyKeyUpdates, "far more key updates than data came")
    }
  }

  /// True if the reference was taken.
  func keep(_ session: OpaquePointer) -> Bool {
    guard let cache, let slot, let client else { return false }
    cache.put(session, slot, of: client)
    return true
  }

  /// A verdict on one certificate of the peer's chain. False ends the handshake.
  func judge(isGood: Bool, _ verification: OpaquePointer) -> Bool {
    let code = X509_STORE_CTX_get_error(verification)
    if !isGood {
      if verdict == nil { verdict = describe(code, verification) }
      return false
    }
    guard X509_STORE_CTX_get_error_depth(verification) == 0, let list = server?.allowList,
      let leaf = X509_STORE_CTX_get0_cert(verification)
    else { return true }
    let certificate = TLSCertificate(leaf)
    if list.allows(certificate) { return true }
    verdict = (.notAllowed, "the client \(certificate.summary) is not among the allowed ones")
    X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION)
    return false
  }

  private func describe(_ code: Int32, _ verification: OpaquePointer) -> (TLSFailure, String) {
    let bad = X509_STORE_CTX_get_current_cert(verification) ?? X509_STORE_CTX_get0_cert(verification)
    guard let bad else { return (.untrusted, "the peer's certificate cannot be verified") }
    let certificate = TLSCertificate(bad)
    switch code {
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      return (.nameMismatch, "expected a certificate for \(expectedName), got \(certificate.summary)")
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return (
        .expired, "the certificate \(certificate.subject) expired on \(TLSCertificate.date(certificate.notAfter))"
      )
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return (
        .expired,
        "the certificate \(certificate.subject) is not valid before \(TLSCertificate.date(certificate.notBefore))"
      )
    default:
      let reason = String(cString: X509_verify_cert_error_string(Int(code)))
      return (
        .untrusted,
        "the certificate \(certificate.subject), issued by \(certificate.issuer), is not trusted: \(reason)"
      )
    }
  }

  // MARK: Failures

  func fail(_ failure: TLSFailure, _ text: String) {
    if self.failure != nil { return }
    self.failure = failure
    failureText = text
  }

  /// What a call that did not succeed means: 0, or a negated error number.
  func classify(_ result: Int32) -> Int {
    if let failure {
      ERR_clear_error()
      return failure == .closed ? -Int(ECONNRESET) : -Int(EPROTO)
    }
    if SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN {
      ERR_clear_error()
      return 0
    }
    if transport.sawEnd {
      ERR_clear_error()
      wasTruncated = true
      if !isHandshakeDone { fail(.closed, "the peer closed the connection during the handshake") }
      return 0
    }
    if transport.errorNumber != 0 {
      ERR_clear_error()
      let code = transport.errorNumber
      if !isHandshakeDone {
        fail(.closed, "the connection was lost during the handshake: \(SystemError.text(code))")
      }
      return -Int(code)
    }
    let error = OpenSSLErrors.take()
    if let verdict {
      fail(verdict.failure, verdict.text)
      return -Int(EPROTO)
    }
    let reason = ERR_GET_REASON(error)
    let isSSL = ERR_GET_LIB(error) == ERR_LIB_SSL
    switch reason {
    case 1_000...1_255 where isSSL:
      fail(.alert(UInt8(reason - 1_000)), TLSFailure.alertText(UInt8(reason - 1_000)))
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE where isSSL:
      fail(.noClientCertificate, "the client has no certificate, and one is required")
    case SSL_R_UNSUPPORTED_PROTOCOL where isSSL, SSL_R_VERSION_TOO_LOW where isSSL,
      SSL_R_NO_PROTOCOLS_AVAILABLE where isSSL:
      fail(.protocolVersion, "no TLS version in common")
    case SSL_R_HTTP_REQUEST where isSSL: fail(.plainHTTP, "the client speaks plain HTTP to a TLS port")
    case SSL_R_WRONG_VERSION_NUMBER where isSSL: fail(.protocolVersion, "what the peer sent is not TLS")
    default: fail(.other, OpenSSLErrors.text(error))
    }
    return -Int(EPROTO)
  }
}

import MeshBase
import Net

/// A caller's connection as its worker keeps it, whichever protocol it speaks.
class CallerChannel: StreamChannel {
  /// Where it was accepted; its limits hold to the end. Requests go to the server's `current`.
  final let server: ServerRuntime
  final let peer: SocketAddress?
  /// Place in the worker's list of connections.
  final var position = 0
  private final var labelStorage: String?
  private final var identityStorage: CallerIdentity?

  init(
    server: ServerRuntime, worker: Worker, descriptor: consuming Descriptor, peer: SocketAddress?, tls: TLSSession?
  ) {
    self.server = server
    self.peer = peer
    super.init(worker: worker, descriptor: descriptor, tls: tls)
  }

  /// The same word for all requests of this connection (RFC 7239 §6.3), made on first use.
  final var randomLabel: String {
    if let labelStorage { return labelStorage }
    let label = String(worker.random.next(), radix: 36)
    labelStorage = label
    return label
  }

  /// Of a verified certificate; `nil`: the caller has shown none. Made on first use.
  final var identity: CallerIdentity? {
    if let identityStorage { return identityStorage }
    guard let certificate = tls?.peerCertificate else { return nil }
    let identity = CallerIdentity(certificate)
    identityStorage = identity
    return identity
  }

  /// Whether the caller's way with TLS, behind the handshake, is the end of the connection; then it is counted and told.
  final func overdidTLS() -> Bool {
    guard let tls, tls.failure == .tooManyKeyUpdates else { return false }
    server.handshakeFailed(.tooManyKeyUpdates, tls.failureText, peer: peer)
    return true
  }

  /// The worker or the server drains: what is under way is served, nothing new is.
  func drain() {}

  /// The drain's time is over.
  func forceClose() {}
}

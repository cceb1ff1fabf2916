import COpenSSL
import MeshBase

/// Sessions that can be resumed, of one thread. Bounded: beyond, the one that was put in first goes.
public final class TLSSessionCache {
  /// To whom a session belongs.
  public struct Key: Hashable, Sendable {
    /// The name that the server's certificate was checked against.
    public var name: String
    public var address: SocketAddress?

    public init(name: String, address: SocketAddress? = nil) {
      self.name = name
      self.address = address
    }
  }

  private struct Slot: Hashable {
    /// Resuming skips the checks of the certificate, so another context's sessions must not be found.
    var context: UInt64
    var key: Key
  }

  private let capacity: Int
  /// SSL_SESSION.
  private var sessions: [Slot: OpaquePointer] = [:]
  private var order: [Slot] = []

  public init(capacity: Int = 1_024) { self.capacity = capacity }

  deinit { for session in sessions.values { SSL_SESSION_free(session) } }

  public var count: Int { sessions.count }

  func session(_ key: Key, of context: TLSClientContext) -> OpaquePointer? {
    sessions[Slot(context: context.id, key: key)]
  }

  /// Takes over one reference.
  func put(_ session: OpaquePointer, _ key: Key, of context: TLSClientContext) {
    let slot = Slot(context: context.id, key: key)
    if let old = sessions.updateValue(session, forKey: slot) { return SSL_SESSION_free(old) }
    order.append(slot)
    if order.count > capacity, let old = sessions.removeValue(forKey: order.removeFirst()) { SSL_SESSION_free(old) }
  }
}

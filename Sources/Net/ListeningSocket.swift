import MeshBase

/// A stream socket that listens, and that nobody accepts from yet. Closed with the last reference, unless it is taken.
public final class ListeningSocket: Sendable {
  private let descriptor: Locked<Int32?>

  public init(_ descriptor: consuming Descriptor) {
    let raw = descriptor.release()
    self.descriptor = Locked(raw)
  }

  deinit { if let raw = descriptor.withLock({ $0 }) { _ = Descriptor(owning: raw) } }

  /// Once.
  func take() -> Descriptor {
    guard let raw = descriptor.withLock({ $0.take() }) else { preconditionFailure("a socket is taken once") }
    return Descriptor(owning: raw)
  }
}

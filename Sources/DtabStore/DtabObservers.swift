import Net

/// Keeps an observer subscribed for as long as it is held.
public final class DtabObservation: Sendable {
  private let end: @ControlActor @Sendable () -> Void

  init(end: @escaping @ControlActor @Sendable () -> Void) { self.end = end }

  deinit {
    let end = end
    Task { @ControlActor in end() }
  }

  /// No call comes after this. Idempotent.
  @ControlActor public func cancel() { end() }
}

/// What is in force in each namespace, and who wants to hear of changes.
@ControlActor
final class DtabObservers {
  private(set) var current: [String: VersionedDtab] = [:]
  /// The newest version that has been published, deletions included.
  private var published: [String: UInt64] = [:]
  private var observers: [UInt64: (namespace: String?, call: @ControlActor (String, VersionedDtab?) -> Void)] = [:]
  private var nextID: UInt64 = 0

  /// Results may arrive out of order; an older one than was published is dropped.
  func publish(_ namespace: String, version: UInt64, _ dtab: VersionedDtab?) {
    guard version > published[namespace, default: 0] else { return }
    published[namespace] = version
    current[namespace] = dtab
    // In order of subscription, so that what is told to whom first does not vary from run to run.
    for (id, observer) in observers.sorted(by: { $0.key < $1.key })
    where (observer.namespace ?? namespace) == namespace && observers[id] != nil {
      observer.call(namespace, dtab)
    }
  }

  func observe(
    _ namespace: String?, _ call: @escaping @ControlActor (String, VersionedDtab?) -> Void
  ) -> DtabObservation {
    nextID += 1
    let id = nextID
    observers[id] = (namespace, call)
    if let namespace {
      call(namespace, current[namespace])
    } else {
      for (name, dtab) in current.sorted(by: { $0.key < $1.key }) { call(name, dtab) }
    }
    return DtabObservation { [weak self] in self?.observers[id] = nil }
  }
}

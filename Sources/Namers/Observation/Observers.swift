import Net

/// Keeps an observation alive; it ends with `cancel` or with the token.
@ControlActor
public final class ObservationToken {
  private var onCancel: (@ControlActor () -> Void)?

  init(_ onCancel: @escaping @ControlActor () -> Void) { self.onCancel = onCancel }

  isolated deinit { cancel() }

  /// Idempotent. No call is made to the observer after this has returned.
  public func cancel() {
    let action = onCancel
    onCancel = nil
    action?()
  }
}

/// Those who want to hear of a change, called in the order in which they came.
@ControlActor
final class Observers {
  private var closures: [(id: UInt64, onChange: @ControlActor () -> Void)] = []
  private var nextID: UInt64 = 0
  private let onIdle: (@ControlActor () -> Void)?

  /// `onIdle` is called when the last observer has gone.
  init(onIdle: (@ControlActor () -> Void)? = nil) { self.onIdle = onIdle }

  var isEmpty: Bool { closures.isEmpty }
  var count: Int { closures.count }

  func add(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken {
    let id = nextID
    nextID += 1
    closures.append((id, onChange))
    return ObservationToken { [weak self] in self?.remove(id) }
  }

  func notify() {
    let called = closures
    // One observer may end another's observation: then that one hears nothing more.
    for (id, onChange) in called where closures.contains(where: { $0.id == id }) { onChange() }
  }

  private func remove(_ id: UInt64) {
    closures.removeAll { $0.id == id }
    if closures.isEmpty { onIdle?() }
  }
}

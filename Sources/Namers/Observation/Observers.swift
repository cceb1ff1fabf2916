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
  /// By ascending id.
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
    for (id, onChange) in called where place(of: id) != nil { onChange() }
  }

  private func remove(_ id: UInt64) {
    guard let place = place(of: id) else { return }
    closures.remove(at: place)
    if closures.isEmpty { onIdle?() }
  }

  /// Binary search: thousands of names may hang on one source.
  private func place(of id: UInt64) -> Int? {
    var low = 0
    var high = closures.count
    while low < high {
      let middle = (low + high) / 2
      if closures[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < closures.count && closures[low].id == id ? low : nil
  }
}

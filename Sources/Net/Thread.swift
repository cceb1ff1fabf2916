import CMeshShims
import Glibc
import Synchronization

/// A named operating-system thread that runs one closure.
public enum Thread {
  /// Starts a detached thread. `name` is cut at 15 bytes (the kernel's limit).
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) {
    final class Box {
      let name: String
      let body: @Sendable () -> Void
      init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
      }
    }
    let box = Unmanaged.passRetained(Box(name, body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
        mesh_name_thread(box.name)
        box.body()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "pthread_create: \(SystemError.text(code))")
    pthread_detach(thread)
  }
}

/// Lets one thread wait for a value that another one delivers, once.
public final class Promise<Value: Sendable>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // Guarded by `mutex`.
  private var value: Value?

  public init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  /// The first value wins.
  public func fulfil(_ newValue: Value) {
    pthread_mutex_lock(mutex)
    if value == nil { value = newValue }
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Blocks the calling thread; never call it on a loop.
  public func wait() -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let value { return value }
      pthread_cond_wait(condition, mutex)
    }
  }
}

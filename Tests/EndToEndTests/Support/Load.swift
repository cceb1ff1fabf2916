import Foundation

/// Threads of their own, since the tests' pool has no more than there are cores.
final class Load: Sendable {
  private let group = DispatchGroup()

  func start(_ body: @escaping @Sendable () -> Void) {
    group.enter()
    let thread = Thread { [group] in
      body()
      group.leave()
    }
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Returns when all have ended.
  func wait() { group.wait() }
}

import CMeshShims
import Glibc
import Net

/// A bare epoll set of descriptors, for load generators and backends that must cost less than what they measure.
final class Poller {
  private let descriptor: Int32
  private let events: UnsafeMutableBufferPointer<epoll_event>

  init() throws {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0 else { throw SystemError("epoll_create1") }
    events = .allocate(capacity: 512)
    events.initialize(repeating: epoll_event())
  }

  deinit {
    close(descriptor)
    events.deallocate()
  }

  func add(_ file: Int32, writable: Bool = false) {
    var event = epoll_event()
    let wanted = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | (writable ? EPOLLOUT.rawValue : 0)
    mesh_epoll_set(&event, wanted, UnsafeMutableRawPointer(bitPattern: Int(file)))
    if epoll_ctl(descriptor, EPOLL_CTL_ADD, file, &event) != 0 { epoll_ctl(descriptor, EPOLL_CTL_MOD, file, &event) }
  }

  /// Calls `body` for each descriptor that is ready; waits for at most so long.
  func wait(milliseconds: Int32, _ body: (_ file: Int32, _ canWrite: Bool) -> Void) {
    let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), milliseconds)
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      let file = Int32(Int(bitPattern: mesh_epoll_data(&events[index])))
      body(file, events[index].events & EPOLLOUT.rawValue != 0)
    }
  }
}

import Foundation

/// A port of the loopback where connections are refused, and which nobody else gets while this lives.
public final class ClosedPort: Sendable {
  public let number: UInt16
  private let descriptor: Int32

  public init() {
    // Bound, so that it is taken; not listening, so that nobody is there.
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(descriptor, $0, length) == 0, "bind: \(errno)")
        precondition(getsockname(descriptor, $0, &length) == 0, "getsockname: \(errno)")
      }
    }
    self.descriptor = descriptor
    number = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }
}

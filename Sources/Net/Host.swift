import Glibc
import MeshBase

/// Facts about this host and process.
public enum Host {
  public static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  public static var name: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, gethostname(base, 255) == 0 else { return "localhost" }
      base[255] = 0
      return String(cString: base)
    }
  }

  public static var processID: Int32 { getpid() }

  /// The addresses of this host's network interfaces that are up, loopback included, each with port 0.
  public static func addresses() throws(SystemError) -> Set<SocketAddress> {
    var head: UnsafeMutablePointer<ifaddrs>?
    if getifaddrs(&head) != 0 { throw SystemError("getifaddrs") }
    defer { freeifaddrs(head) }
    var addresses: Set<SocketAddress> = []
    var next = head
    while let interface = next {
      next = interface.pointee.ifa_next
      guard let raw = interface.pointee.ifa_addr, interface.pointee.ifa_flags & UInt32(IFF_UP) != 0 else {
        continue
      }
      let length: Int
      switch Int32(raw.pointee.sa_family) {
      case AF_INET: length = MemoryLayout<sockaddr_in>.size
      case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
      default: continue
      }
      var storage = sockaddr_storage()
      withUnsafeMutableBytes(of: &storage) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: length))
      }
      if let address = SocketAddress(storage) { addresses.insert(address.withPort(0)) }
    }
    return addresses
  }

  /// Descriptors this process may have open; raises the soft limit to the hard one first.
  public static func raiseDescriptorLimit() -> UInt64 {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return UInt64(limit.rlim_cur)
  }

  public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

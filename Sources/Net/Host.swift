import Glibc

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

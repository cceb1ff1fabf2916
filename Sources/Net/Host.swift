import CMeshShims
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

  /// The process may open as many descriptors as the system lets it: raises the soft limit to the hard one.
  public static func raiseDescriptorLimit() {
    var limit = descriptorLimit
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  private static var descriptorLimit: rlimit {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return limit
  }

  public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// What the environment says of descriptors that the process was started with, once: no later look and no child
  /// finds it there. Call before any other thread starts.
  public static func takeDescriptorTable() throws(DescriptorTable.Problem) -> DescriptorTable {
    defer { for name in DescriptorTable.names { unsetenv(name) } }
    return try DescriptorTable(environment: environment, processID: getpid(), parentID: getppid())
  }

  /// Where the program of this name is, as a shell finds it; `nil`: nowhere.
  public static func program(_ name: String) -> String? {
    if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
    let folders = (environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    return folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}

extension Host {
  /// What this process uses, from /proc/self; zeros where that cannot be read.
  public struct Usage: Sendable {
    /// User and system time, in seconds.
    public var cpuSeconds = 0.0
    public var residentBytes = 0.0
    public var virtualBytes = 0.0
  }

  public static var usage: Usage {
    var usage = Usage()
    if let stat = try? FileSystem.read("/proc/self/stat") {
      // Fields are counted after the command's name, which may itself hold blanks.
      let text = String(decoding: stat, as: UTF8.self)
      let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ").dropFirst()
      let numbers = fields.map { Double($0) ?? 0 }
      if numbers.count > 21 {
        usage.cpuSeconds = (numbers[11] + numbers[12]) / Double(sysconf(Int32(_SC_CLK_TCK)))
        usage.virtualBytes = numbers[20]
        usage.residentBytes = numbers[21] * Double(sysconf(Int32(_SC_PAGESIZE)))
      }
    }
    return usage
  }

  /// Resident memory, from /proc/self/statm; 0 where that cannot be read.
  public static var residentBytes: UInt64 {
    guard let text = try? FileSystem.read("/proc/self/statm") else { return 0 }
    let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (UInt64(fields[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
  }

  /// What the control group of this process and those around it allow of memory; `nil`: there is no bound.
  public static var memoryGroupLimit: UInt64? {
    guard let text = try? FileSystem.read("/proc/self/cgroup") else { return nil }
    return ControlGroup.memoryLimit(groups: String(decoding: text, as: UTF8.self)) { path in
      (try? FileSystem.read(path)).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// The size of their folder, which is their number from Linux 6.2 on; before, they have to be listed.
  public static var openDescriptors: Int {
    if let size = try? FileSystem.status("/proc/self/fd")?.size, size > 0 { return Int(size) }
    return (try? FileSystem.list("/proc/self/fd").count) ?? 0
  }

  /// The soft limit on open descriptors.
  public static var descriptorsMax: UInt64 { UInt64(descriptorLimit.rlim_cur) }
}

extension Host {
  /// Gives back what only the start needed: freed heap, and pages of code that ran once.
  ///
  /// Code pages are clean copies of the file and come back one by one where they are still used; what stays is what
  /// serving takes. Only executable mappings are dropped: others may hold relocated data.
  public static func trimMemory() {
    trimHeap()
    guard let maps = try? FileSystem.read("/proc/self/maps") else { return }
    for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
      let bounds = fields[0].split(separator: "-").compactMap { UInt(radix: 16, $0) }
      guard bounds.count == 2, let start = UnsafeMutableRawPointer(bitPattern: bounds[0]) else { continue }
      madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
    }
  }
}

extension Host {
  /// Gives freed heap back to the system.
  public static func trimHeap() { mesh_trim_heap() }
}

extension UInt {
  fileprivate init?(radix: Int, _ text: Substring) { self.init(text, radix: radix) }
}

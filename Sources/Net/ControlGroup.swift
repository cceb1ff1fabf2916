/// Reads what control groups allow. Sources: cgroups(7); Documentation/admin-guide/cgroup-v2.rst, "memory.max".
enum ControlGroup {
  /// The least limit of the process's group and of those around it; `nil`: there is none.
  /// - Parameters:
  ///   - groups: the text of /proc/self/cgroup.
  ///   - read: a file's text, `nil` if there is no such file.
  static func memoryLimit(groups: String, read: (String) -> String?) -> UInt64? {
    var limits: [UInt64] = []
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isUnified = parts[1].isEmpty
      guard isUnified || parts[1].split(separator: ",").contains("memory") else { continue }
      let root = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
      let file = isUnified ? "memory.max" : "memory.limit_in_bytes"
      // A container may see its own group as the root, whatever its path is outside.
      var folders = parts[2].split(separator: "/")
      while true {
        let path = ([root] + folders.map(String.init) + [file]).joined(separator: "/")
        if let text = read(path), let limit = UInt64(text.prefix { $0.isNumber }), limit < noLimit {
          limits.append(limit)
        }
        if folders.isEmpty { break }
        folders.removeLast()
      }
    }
    return limits.min()
  }

  /// Version 1 says so with a number near 2⁶³.
  private static var noLimit: UInt64 { 1 << 60 }
}

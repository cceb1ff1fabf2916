import Glibc
import MeshBase

/// Small whole-file operations for configuration, dtabs and discovery files. Blocking; not for workers.
public enum FileSystem {
  public struct Status: Equatable, Sendable {
    public var isDirectory: Bool
    public var size: Int64
    /// Nanoseconds since the epoch; with `inode` and `size` it tells whether a file has been replaced.
    public var modifiedNanoseconds: Int64
    public var inode: UInt64
  }

  /// `nil` if there is nothing at the path.
  public static func status(_ path: String) throws(SystemError) -> Status? {
    var result = stat()
    if stat(path, &result) != 0 {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw SystemError("stat", subject: path)
    }
    return Status(
      isDirectory: result.st_mode & S_IFMT == S_IFDIR, size: Int64(result.st_size),
      modifiedNanoseconds: Int64(result.st_mtim.tv_sec) * 1_000_000_000 + Int64(result.st_mtim.tv_nsec),
      inode: UInt64(result.st_ino))
  }

  /// The path with every symbolic link in it followed; `nil` if there is nothing at its end.
  public static func resolvingLinks(_ path: String) throws(SystemError) -> String? {
    guard let resolved = realpath(path, nil) else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw SystemError("realpath", subject: path)
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The whole file; throws EFBIG beyond `limit` bytes.
  public static func read(_ path: String, limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { throw SystemError("open", subject: path) }
    let descriptor = Descriptor(owning: raw)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor.raw, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read", subject: path)
      }
      bytes.append(contentsOf: chunk[..<count])
      if bytes.count > limit { throw SystemError("read", code: EFBIG, subject: path) }
    }
  }

  /// Replaces the file so that a reader, or a crash at any moment, sees the old or the new content and nothing between:
  /// write beside it, fsync, rename, fsync of the directory. When it returns, the content is on disk.
  public static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o644) throws(SystemError) {
    let temporary = path + ".tmp.\(getpid())"
    do {
      try write(temporary, bytes, mode: mode)
      try move(temporary, to: path)
    } catch {
      unlink(temporary)
      throw error
    }
    try syncDirectory(parent(of: path))
  }

  /// Writes the file in place, from its start, and returns once the content (not yet its name) is on disk.
  public static func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(SystemError) {
    try write(path, bytes, flags: O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode: mode)
  }

  /// Renames within one file system, replacing what is at the target. On disk only after `syncDirectory`.
  public static func move(_ path: String, to target: String) throws(SystemError) {
    if rename(path, target) != 0 { throw SystemError("rename", subject: target) }
  }

  /// Cuts the file to so many bytes, on disk when it returns.
  public static func truncate(_ path: String, to size: Int) throws(SystemError) {
    let raw = open(path, O_WRONLY | O_CLOEXEC)
    guard raw >= 0 else { throw SystemError("open", subject: path) }
    let descriptor = Descriptor(owning: raw)
    if ftruncate(descriptor.raw, off_t(size)) != 0 { throw SystemError("ftruncate", subject: path) }
    if fsync(descriptor.raw) != 0 { throw SystemError("fsync", subject: path) }
  }

  /// Appends and returns once the bytes are on disk. A crash may leave a torn last record; readers must tell.
  public static func append(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(SystemError) {
    try write(path, bytes, flags: O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode: mode)
  }

  private static func write(_ path: String, _ bytes: [UInt8], flags: Int32, mode: UInt32) throws(SystemError) {
    let raw = open(path, flags, mode)
    guard raw >= 0 else { throw SystemError("open", subject: path) }
    let descriptor = Descriptor(owning: raw)
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor.raw, $0.baseAddress! + offset, bytes.count - offset) }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("write", subject: path)
      }
      offset += count
    }
    if fsync(descriptor.raw) != 0 { throw SystemError("fsync", subject: path) }
  }

  public static func syncDirectory(_ path: String) throws(SystemError) {
    let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard raw >= 0 else { throw SystemError("open", subject: path) }
    let descriptor = Descriptor(owning: raw)
    if fsync(descriptor.raw) != 0 { throw SystemError("fsync", subject: path) }
  }

  /// Names in a directory, in no order, without "." and "..".
  public static func list(_ path: String) throws(SystemError) -> [String] {
    guard let directory = opendir(path) else { throw SystemError("opendir", subject: path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Creates the directory and its parents where they are missing.
  public static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
    if try status(path)?.isDirectory == true { return }
    let above = parent(of: path)
    if above != path { try makeDirectory(above, mode: mode) }
    if mkdir(path, mode) != 0 && errno != EEXIST { throw SystemError("mkdir", subject: path) }
  }

  /// Removes a file or an empty directory; a missing one is not an error.
  public static func remove(_ path: String) throws(SystemError) {
    if Glibc.remove(path) != 0 && errno != ENOENT { throw SystemError("remove", subject: path) }
  }

  public static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

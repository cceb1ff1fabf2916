import CMeshShims
import Glibc

/// Keeps a second process out of a directory. The kernel lets go of it when the process ends, however it ends.
public final class FileLock: Sendable {
  private let descriptor: Int32

  /// Creates the file where it is missing and writes the process id into it. Throws EWOULDBLOCK if another process, or
  /// another lock of this one, holds it; `holder` then tells which.
  public init(_ path: String) throws(SystemError) {
    let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard raw >= 0 else { throw SystemError("open", subject: path) }
    if flock(raw, LOCK_EX | LOCK_NB) != 0 {
      let failure = SystemError("flock", subject: path)
      close(raw)
      throw failure
    }
    descriptor = raw
    let text = Array("\(getpid())\n".utf8)
    // For people and `holder` only; the lock holds without it.
    if ftruncate(raw, 0) == 0 { _ = write(raw, text, text.count) }
  }

  deinit {
    // Closing alone would leave it to a child process that has not reached its exec yet.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// The process id in a lock file, if one is there.
  public static func holder(_ path: String) -> Int32? {
    guard let bytes = try? FileSystem.read(path, limit: 64) else { return nil }
    return Int32(String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self))
  }
}

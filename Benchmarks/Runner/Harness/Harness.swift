import Config
import Glibc
import Net

/// What all benchmarks share: configurations, scratch folders, the process table.
enum Harness {
  struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }

  static func configuration(_ yaml: String) throws -> Configuration {
    let (configuration, diagnostics) = ConfigLoader.load(
      text: yaml, environment: { _ in nil }, readFile: { _ in throw Failure("no files are read") })
    guard let configuration else {
      throw Failure(diagnostics.map { "\($0.line): \($0.message)" }.joined(separator: "\n"))
    }
    return configuration
  }

  /// A new folder of our own, to be removed by the caller.
  static func scratchFolder() throws -> String {
    var template = Array("/tmp/meshrouter-bench-XXXXXX".utf8CString)
    return try template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let path = mkdtemp(base) else { throw SystemError("mkdtemp") }
      return String(cString: path)
    }
  }

  static func removeFolder(_ path: String) {
    for entry in (try? FileSystem.list(path)) ?? [] {
      // What is no file is a folder.
      if unlink("\(path)/\(entry)") != 0 { removeFolder("\(path)/\(entry)") }
    }
    rmdir(path)
  }

  static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw SystemError("open", subject: path) }
    fputs(text, file)
    fclose(file)
  }

  /// Replaces the file in one step, as a discovery agent does.
  static func replace(_ path: String, with text: String) throws {
    let temporary = path + ".new~"
    try write(text, to: temporary)
    guard rename(temporary, path) == 0 else { throw SystemError("rename", subject: path) }
  }

  /// The contents of a file, also of one in /proc whose size is not known; `nil` if it cannot be read.
  static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Runs a command of the operating system to its end; throws if it fails.
  static func run(_ arguments: String...) throws {
    var vector = arguments.map { strdup($0) } + [nil]
    defer { for case let pointer? in vector { free(pointer) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var id: pid_t = 0
    var status: Int32 = 0
    let code = posix_spawnp(&id, arguments[0], &actions, nil, &vector, environ)
    guard code == 0, waitpid(id, &status, 0) == id, status == 0 else {
      throw Failure("\(arguments.joined(separator: " ")): status \(status)")
    }
  }

  static func sleep(milliseconds: Int) { usleep(useconds_t(milliseconds) * 1_000) }

  /// A TCP port that nobody listens on at this moment.
  static func freePort() throws -> UInt16 {
    let descriptor = try Socket.listen(on: .loopback(port: 0))
    guard let address = Socket.localAddress(descriptor.raw) else { throw SystemError("getsockname") }
    return address.port
  }
}

/// What the kernel says about processes and threads.
enum ProcessTable {
  /// Kernel ids of the threads of a process, by name.
  static func threads(of process: String = "self") -> [String: Int32] {
    var result: [String: Int32] = [:]
    for entry in (try? FileSystem.list("/proc/\(process)/task")) ?? [] {
      guard let id = Int32(entry), let name = Harness.read("/proc/\(process)/task/\(entry)/comm") else { continue }
      result[String(name.prefix { $0 != "\n" })] = id
    }
    return result
  }

  /// CPU time of a thread in nanoseconds.
  static func nanoseconds(process: String, thread: Int32) -> UInt64 {
    let text = Harness.read("/proc/\(process)/task/\(thread)/schedstat") ?? ""
    return text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
  }

  /// CPU time of a process in nanoseconds; threads that have ended are left out.
  static func nanoseconds(process: Int32) -> UInt64 {
    ((try? FileSystem.list("/proc/\(process)/task")) ?? []).reduce(0) { sum, thread in
      sum + (Int32(thread).map { nanoseconds(process: "\(process)", thread: $0) } ?? 0)
    }
  }

  /// Resident bytes of a process that are its own: what only it would give back.
  static func residentBytes(process: Int32) -> Int {
    for line in (Harness.read("/proc/\(process)/status") ?? "").split(separator: "\n") where line.hasPrefix("RssAnon:")
    {
      return line.split { !$0.isNumber }.first.flatMap { Int($0) }.map { $0 * 1_024 } ?? 0
    }
    return 0
  }

  static func openFiles(process: Int32) -> Int { (try? FileSystem.list("/proc/\(process)/fd"))?.count ?? 0 }
}

import Foundation
import Synchronization
import TestSupport

import class Net.Locked

/// The binary that was built with these tests, running with a configuration of its own in a directory of its own.
final class Router: Sendable {
  let port: Int
  let adminPort: Int
  let directory: String
  private let process: SpawnedProcess
  /// Of those that took the place of the first one, the newest last.
  private let successors = Locked<[pid_t]>([])

  /// `router` and `server` are further keys, indented by the initialiser; `rest` replaces the `routers` list where it
  /// is given and may name `$PORT` and `$DIR`; `namers` are further items of that list; `admin` are further keys of the
  /// admin server, with a comma before each; `dtabStore` may name `$DIR`.
  init(
    dtab: String = "/svc => /#/io.l5d.fs", router: String = "", server: String = "", top: String = "",
    routers: String? = nil, namers: String = "", descriptors: Int? = nil, admin: String = "",
    dtabStore: String = "{kind: io.l5d.inMemory}", program: String? = nil
  ) throws {
    let (port, adminPort) = (Backend.freePort(), Backend.freePort())
    let directory = "/tmp/meshrouter-e2e-\(UUID().uuidString.prefix(8))"
    self.port = port
    self.adminPort = adminPort
    self.directory = directory
    try FileManager.default.createDirectory(atPath: directory + "/disco", withIntermediateDirectories: true)
    func indented(_ text: String, by spaces: Int) -> String {
      text.split(separator: "\n").map { String(repeating: " ", count: spaces) + $0 + "\n" }.joined()
    }
    let own = """
      - protocol: http
        label: e2e
        dtab: |
      \(indented(dtab, by: 4))
      \(indented(router, by: 2))
        servers:
        - port: \(port)
      \(indented(server, by: 4))
      """
    let list = routers.map { $0.replacing("$PORT", with: "\(port)").replacing("$DIR", with: directory) } ?? own
    let yaml = """
      admin: {port: \(adminPort), shutdownGraceMs: 5000\(admin.replacing("$DIR", with: directory))}
      workers: 2
      dtabStore: \(dtabStore.replacing("$DIR", with: directory))
      \(top)
      namers:
      - {kind: io.l5d.fs, rootDir: \(directory)/disco}
      \(namers)
      routers:
      \(list)

      """
    try yaml.write(toFile: directory + "/router.yaml", atomically: true, encoding: .utf8)
    process = SpawnedProcess()
    let program = program ?? Products.path("meshrouter")
    let command = "exec \(program) run \(directory)/router.yaml"
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.environment = Sanitizer.environment
    process.arguments = ["-c", descriptors.map { "ulimit -n \($0); \(command)" } ?? command]
    _ = FileManager.default.createFile(atPath: directory + "/output", contents: nil)
    let output = FileHandle(forWritingAtPath: directory + "/output")
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    _ = Self.endAtExit
    Self.started.withLock { $0.append((process, directory)) }
    try waitUntilItAccepts()
  }

  deinit {
    Self.end(process, in: directory)
    Self.started.withLock { $0.removeAll { $0.directory == directory } }
    try? FileManager.default.removeItem(atPath: directory)
  }

  private static let started = Locked<[(process: SpawnedProcess, directory: String)]>([])
  /// Those that a suite keeps live until then.
  private static let endAtExit: Int32 = atexit {
    for (process, directory) in started.withLock({ $0 }) {
      end(process, in: directory)
      try? FileManager.default.removeItem(atPath: directory)
    }
  }

  /// One for all cases that need no configuration of their own.
  static let shared: Router = {
    do {
      return try Router(
        dtab: "/svc => /#/io.l5d.fs",
        server: "allowConnect: true\nheaderTimeoutMs: 1500\nclearContext: false")
    } catch {
      fatalError("the router does not start: \(error)")
    }
  }()

  struct StartError: Error, CustomStringConvertible { var description: String }

  private func waitUntilItAccepts() throws {
    // The admin server follows the others.
    var ports = [port, adminPort]
    for _ in 0..<1_500 {
      while let next = ports.first, let socket = try? RawSocket(connectingTo: next) {
        socket.close()
        ports.removeFirst()
      }
      if ports.isEmpty { return }
      guard process.isRunning else { throw StartError(description: output) }
      usleep(20_000)
    }
    throw StartError(description: "does not accept within 30 s: " + output)
  }

  var output: String { (try? String(contentsOfFile: directory + "/output", encoding: .utf8)) ?? "" }
  /// The text of the file that it was started with; what is written here is read at the next reload.
  var configuration: String {
    get { (try? String(contentsOfFile: directory + "/router.yaml", encoding: .utf8)) ?? "" }
    set { try! newValue.write(toFile: directory + "/router.yaml", atomically: true, encoding: .utf8) }
  }
  var isRunning: Bool { successors.withLock { $0.last }.map { kill($0, 0) == 0 } ?? process.isRunning }
  /// Of the process that serves.
  var processID: pid_t { successors.withLock { $0.last } ?? process.processIdentifier }
  func signal(_ number: Int32) { kill(processID, number) }

  /// The first process has ended.
  var firstHasEnded: Bool { !process.isRunning }

  /// Another process has taken over.
  func succeeded(by id: pid_t) { successors.withLock { $0.append(id) } }

  /// All that run, those that drain included: whoever has the configuration among its arguments.
  static func processes(in directory: String) -> [pid_t] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { entry -> pid_t? in
      guard let id = pid_t(entry),
        let arguments = try? String(contentsOfFile: "/proc/\(id)/cmdline", encoding: .utf8)
      else { return nil }
      return arguments.contains(directory + "/") ? id : nil
    }
  }

  /// Ends the router and, behind an upgrade, those that took its place or still drain.
  private static func end(_ process: SpawnedProcess, in directory: String) {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    for id in processes(in: directory) { kill(id, SIGKILL) }
  }

  func waitForExit(milliseconds: Int) -> Int32? {
    for _ in 0..<(milliseconds / 10) {
      if !process.isRunning { return process.terminationStatus }
      usleep(10_000)
    }
    return process.isRunning ? nil : process.terminationStatus
  }

  /// Resident memory in KiB.
  var residentKilobytes: Int {
    let status = (try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "") ?? 0
  }

  /// Threads with this name.
  func threadCount(_ name: String) -> Int {
    let folder = "/proc/\(processID)/task"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).count {
      (try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8)) == name + "\n"
    }
  }

  // MARK: Services

  /// Writes the endpoint file of a service, as operators do: beside it, then renamed.
  func service(_ name: String, ports: [Int]) {
    let text = ports.map { "127.0.0.1 \($0)\n" }.joined()
    let temporary = directory + "/disco/.\(UUID().uuidString)"
    try! text.write(toFile: temporary, atomically: false, encoding: .utf8)
    rename(temporary, directory + "/disco/\(name)")
  }

  func removeService(_ name: String) { unlink(directory + "/disco/\(name)") }

  private static let names = Atomic<Int>(0)
  /// A case may hold none of its own to the end, so the router does: until it ends itself, or has been given many more.
  private let backends = Locked<[Backend]>([])
  private static let backendsHeldMax = 64

  /// A service with a name of its own for these backends.
  func service(_ backends: Backend...) -> String {
    let name = "s\(Self.names.add(1, ordering: .relaxed).newValue)"
    service(name, ports: backends.map(\.port))
    self.backends.withLock {
      $0 += backends
      for old in $0.prefix(max($0.count - Self.backendsHeldMax, 0)) { old.retire() }
      $0 = $0.suffix(Self.backendsHeldMax)
    }
    return name
  }

  // MARK: Requests

  func connect() throws -> RawSocket { try RawSocket(connectingTo: port) }

  /// One request on a connection of its own.
  func get(_ name: String, _ target: String = "/", fields: String = "") throws -> Message? {
    let socket = try connect()
    socket.send("GET \(target) HTTP/1.1\r\nHost: \(name)\r\n\(fields)Connection: close\r\n\r\n")
    return socket.readResponse()
  }
}

import Foundation
import TestSupport
import Testing

/// systemd's part is played by a script: it opens the sockets, sets the variables and becomes the router.
@Suite("sockets and notices of a service manager", .serialized)
struct ActivationTests {
  /// What NOTIFY_SOCKET gets, datagram by datagram.
  private final class Notices {
    let path: String
    private let descriptor: Int32

    init(_ path: String) {
      self.path = path
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          precondition(bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
        }
      }
      var limit = timeval(tv_sec: 20, tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func next() -> String {
      var bytes = [UInt8](repeating: 0, count: 4_096)
      let count = recv(descriptor, &bytes, bytes.count, 0)
      return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
  }

  private static let launcher = """
    import os, socket, sys
    sockets = []
    for number, place in enumerate(sys.argv[1].split(",")):
        s = socket.socket(socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", int(place)))
        s.listen(64)
        sockets.append(os.dup(s.fileno()) if s.fileno() < 20 else s.fileno())
    high = [os.dup2(s, 100 + i) for i, s in enumerate(sockets)]
    for i, s in enumerate(high):
        os.dup2(s, 3 + i, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(high))
    os.environ["LISTEN_FDNAMES"] = ":".join("s%d" % i for i in range(len(high)))
    os.execv(sys.argv[2], sys.argv[2:])
    """

  @Test("inherited sockets are used by their address, and told if they are of no use; so goes each change of state")
  func activated() throws {
    let (port, adminPort, useless) = (Backend.freePort(), Backend.freePort(), Backend.freePort())
    let directory = "/tmp/meshrouter-e2e-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory + "/disco", withIntermediateDirectories: true)
    defer {
      for id in Router.processes(in: directory) { kill(id, SIGKILL) }
      try? FileManager.default.removeItem(atPath: directory)
    }
    let backend = Backend()
    try "127.0.0.1 \(backend.port)\n".write(toFile: directory + "/disco/web", atomically: true, encoding: .utf8)
    let yaml = """
      admin: {port: \(adminPort)}
      workers: 3
      drainTimeoutMs: 1000
      namers: [{kind: io.l5d.fs, rootDir: \(directory)/disco}]
      routers:
      - protocol: http
        dtab: /svc => /#/io.l5d.fs
        servers: [{port: \(port)}]
      """
    try yaml.write(toFile: directory + "/router.yaml", atomically: true, encoding: .utf8)
    let notices = Notices(directory + "/notify")
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c", Self.launcher, "\(port),\(adminPort),\(useless)", Products.path("meshrouter"), "run",
      directory + "/router.yaml",
    ]
    process.environment = Sanitizer.environment
    process.environment?["NOTIFY_SOCKET"] = notices.path
    _ = FileManager.default.createFile(atPath: directory + "/output", contents: nil)
    let output = FileHandle(forWritingAtPath: directory + "/output")
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let ready = notices.next()
    #expect(ready.hasPrefix("READY=1\nSTATUS=serving, version "), "\(ready)")
    func get() throws -> Int? {
      let socket = try RawSocket(connectingTo: port)
      socket.send("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
      return socket.readResponse()?.status
    }
    for _ in 0..<9 { #expect(try get() == 200) }
    let log = { (try? String(contentsOfFile: directory + "/output", encoding: .utf8)) ?? "" }
    for _ in 0..<200 where !log().contains("of no configured server") { usleep(10_000) }
    #expect(log().contains("at=127.0.0.1:\(useless)") && log().contains("name=s2"), "\(log())")

    kill(process.processIdentifier, SIGHUP)
    let reloading = notices.next()
    #expect(reloading.hasPrefix("RELOADING=1\nMONOTONIC_USEC="), "\(reloading)")
    #expect(notices.next() == "READY=1\nSTATUS=serving")
    // The successor has the same sockets, and is the main process from then on.
    kill(process.processIdentifier, SIGUSR2)
    let upgraded = notices.next().components(separatedBy: "\n")
    let successor = try #require(upgraded.first.flatMap { pid_t($0.dropFirst("MAINPID=".count)) })
    #expect(upgraded.first?.hasPrefix("MAINPID=") == true && upgraded.dropFirst().first == "READY=1", "\(upgraded)")
    #expect(Router.processes(in: directory).contains(successor))
    for _ in 0..<9 { #expect(try get() == 200) }
    for _ in 0..<500 where process.isRunning { usleep(10_000) }
    #expect(process.terminationStatus == 0)
    kill(successor, SIGTERM)
    #expect(notices.next() == "STOPPING=1")
    for _ in 0..<500 where !Router.processes(in: directory).isEmpty { usleep(10_000) }
    #expect(Router.processes(in: directory) == [])
  }
}

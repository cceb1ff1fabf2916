import Glibc
import Net

/// What a caller's idle connection keeps in memory.
enum IdleBar {
  private static let connections = 5_000

  static func run(binary: String) throws -> Bool {
    var report = BarReport("idle")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LoadBackend()
    try fixture.name("web", backend.port)
    let router = try fixture.router(binary)
    let request = BarFixture.get(host: "web")
    // Pools and caches come into being first.
    let warm = try LoadGenerator(.init(port: router.port, connections: 64, requests: [request]))
    warm.waitForCompleted(5_000)
    warm.stop()
    Harness.sleep(milliseconds: 1_200)
    report.note("resident memory of its own before", Double(router.residentBytes) / 1_048_576, unit: "MiB")
    let before = router.residentBytes
    var files: [Int32] = []
    defer { for file in files { close(file) } }
    var buffer = [UInt8](repeating: 0, count: 4_096)
    for _ in 0..<connections {
      guard let file = Sockets.connect(port: router.port) else { throw SystemError("connect") }
      files.append(file)
      Sockets.setTimeout(file, seconds: 10)
      // Each has been used once: that is what keep-alive connections are.
      _ = request.withUnsafeBytes { Socket.send(file, $0) }
      guard recv(file, &buffer, buffer.count, 0) > 0 else { throw SystemError("recv") }
    }
    Harness.sleep(milliseconds: 1_200)
    let bytes = Double(router.residentBytes - before) / Double(connections)
    report.check("memory per idle connection", bytes, max: 600, unit: "bytes")
    try router.end()
    backend.stop()
    return report.passes
  }
}

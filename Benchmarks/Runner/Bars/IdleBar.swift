import Glibc
import Net

/// What a caller's idle connection keeps in memory.
enum IdleBar {
  private static let connections = 5_000
  /// Before anything is measured: what shrinks when it is idle for a while has done so.
  private static let restMilliseconds = 4_000

  static func run(binary: String) throws -> Bool {
    var report = BarReport("idle")
    try measure(binary, &report)
    for applications in [[TLSApplication.http11], [.h2]] { try measureTLS(binary, applications, &report) }
    return report.passes
  }

  private static func measure(_ binary: String, _ report: inout BarReport) throws {
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
  }

  private static func measureTLS(
    _ binary: String, _ applications: [TLSApplication], _ report: inout BarReport
  ) throws {
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LoadBackend()
    try fixture.name("web", backend.port)
    let router = try fixture.router(binary, server: ", " + (try fixture.tls()))
    var options = TLSClientContext.Options()
    options.disableValidation = true
    options.applications = applications
    let callers = SecureCallers(try TLSClientContext(options), port: router.port, isHTTP2: applications == [.h2])
    for _ in 0..<64 { try callers.open() }
    callers.closeAll()
    Harness.sleep(milliseconds: restMilliseconds)
    let before = router.residentBytes
    for _ in 0..<connections { try callers.open() }
    let busy = Double(router.residentBytes - before) / Double(connections) / 1_024
    Harness.sleep(milliseconds: restMilliseconds)
    let idle = Double(router.residentBytes - before) / Double(connections) / 1_024
    let name = applications == [.h2] ? "TLS HTTP/2" : "TLS"
    report.note("memory per \(name) connection just used", busy, unit: "KiB")
    report.check("memory per idle \(name) connection", idle, max: 12, unit: "KiB")
    // They go on where they were.
    for index in [0, connections / 2, connections - 1] { try callers.use(index) }
    callers.closeAll()
    try router.end()
    backend.stop()
  }
}

/// Callers over TLS, one connection after the other. A session's socket does not block; what waits is here.
private final class SecureCallers {
  private let context: TLSClientContext
  private let port: UInt16
  private let isHTTP2: Bool
  private let workspace = TLSWorkspace()
  private var callers: [(file: Int32, session: TLSSession, requests: UInt8)] = []
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)

  init(_ context: TLSClientContext, port: UInt16, isHTTP2: Bool) {
    self.context = context
    self.port = port
    self.isHTTP2 = isHTTP2
  }

  deinit {
    closeAll()
    buffer.deallocate()
  }

  /// A connection that has been used once.
  func open() throws {
    guard let file = Sockets.connect(port: port) else { throw SystemError("connect") }
    _ = fcntl(file, F_SETFL, O_NONBLOCK)
    let session = TLSSession(client: context, descriptor: file, workspace: workspace, expectedName: "web")
    callers.append((file, session, 0))
    while true {
      let progress = session.handshake()
      if progress == .done { break }
      guard progress == .wantsMore else { throw Harness.Failure("handshake: \(session.failureText)") }
      try waitForBytes(file)
    }
    if isHTTP2 {
      try send(session, Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
    }
    try use(callers.count - 1)
  }

  /// A request and its answer.
  func use(_ index: Int) throws {
    let (file, session, requests) = callers[index]
    callers[index].requests += 1
    guard isHTTP2 else {
      try send(session, BarFixture.get(host: "web"))
      _ = try receive(file, session)
      return
    }
    // Indexed: GET, http scheme https, path /; then the authority as a literal.
    let head: [UInt8] = [0x82, 0x87, 0x84, 0x01, 3] + Array("web".utf8)
    try send(session, [0, 0, UInt8(head.count), 1, 5, 0, 0, 0, 1 + 2 * requests] + head)
    var frames: [UInt8] = []
    while !endsStream(frames) {
      frames += buffer[..<(try receive(file, session))]
    }
  }

  /// Waits for bytes; how many are in the buffer.
  private func receive(_ file: Int32, _ session: TLSSession) throws -> Int {
    while true {
      let count = session.receive(into: buffer)
      if count > 0 { return count }
      guard count < 0, Socket.wouldBlock(count) else {
        throw Harness.Failure("the router closed: \(session.failureText)")
      }
      try waitForBytes(file)
    }
  }

  private func waitForBytes(_ file: Int32) throws {
    var one = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    guard poll(&one, 1, 10_000) == 1 else { throw Harness.Failure("no answer within 10 s") }
  }

  /// Whether a frame of a stream with END_STREAM is among them, whole.
  private func endsStream(_ frames: [UInt8]) -> Bool {
    var at = 0
    while at + 9 <= frames.count {
      let length = Int(frames[at]) << 16 | Int(frames[at + 1]) << 8 | Int(frames[at + 2])
      if at + 9 + length > frames.count { return false }
      if frames[at + 3] < 2, frames[at + 4] & 1 != 0 { return true }
      at += 9 + length
    }
    return false
  }

  private func send(_ session: TLSSession, _ bytes: [UInt8]) throws {
    guard bytes.withUnsafeBytes({ session.send($0) }) == bytes.count else { throw SystemError("send") }
  }

  func closeAll() {
    for caller in callers { close(caller.file) }
    callers.removeAll()
  }
}

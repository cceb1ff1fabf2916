import Glibc
import MeshBase
import Net

/// Twenty times another process takes over, and the configuration is read again each second, under HTTP/1, HTTP/2 and
/// WebSockets: no caller sees any of it, but that connections end in good order.
enum UpgradeBar {
  private static let upgrades = 20
  private static let periodMilliseconds = 2_000
  private static let drainMilliseconds = 10_000
  private static let webSockets = 16

  /// - Parameter rate: requests per second over HTTP/1, and as many over HTTP/2.
  static func run(binary: String, rate: Double) throws -> Bool {
    var report = BarReport("resilience upgrade")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backends = try (0..<2).map { _ in try LoadBackend() }
    let echo = try EchoBackend()
    try fixture.name("web", backends.map(\.port))
    try fixture.name("chat", echo.port)
    let router = try fixture.router(binary, extra: "drainTimeoutMs: \(drainMilliseconds)", workers: 2)
    let successors = Successors(of: router)
    defer { successors.killAll() }
    let plan = LoadGenerator.Plan(
      port: router.port, requests: [ResilienceStage.request], rate: rate, mayBeSentAway: true)
    let http1 = try LoadGenerator(plan)
    let http2 = try H2Load(.init(port: router.port, rate: rate, mayBeSentAway: true))
    let sockets = WebSocketLoad(port: router.port, count: webSockets)
    ResilienceStage.warmUp(http1)
    var longest: UInt64 = 0
    for _ in 0..<upgrades {
      successors.signal(SIGHUP)
      Harness.sleep(milliseconds: periodMilliseconds / 2)
      successors.signal(SIGHUP)
      let began = Clock.now.nanoseconds
      try successors.upgrade()
      longest = max(longest, Clock.now.nanoseconds - began)
      Harness.sleep(milliseconds: periodMilliseconds / 2)
    }
    http1.stop()
    http2.stop()
    sockets.stop()
    report.note("upgrades", Double(successors.count))
    report.note("longest upgrade, from the request to the answer", Double(longest) / 1e6, unit: "ms")
    report.note("p99 of HTTP/1", http1.latencies[0].milliseconds(quantile: 0.99), unit: "ms")
    report.note("longest of HTTP/1", http1.latencies[0].milliseconds(quantile: 1), unit: "ms")
    report.note("longest of HTTP/2", http2.latencies[0].milliseconds(quantile: 1), unit: "ms")
    report.check("upgrades that came to nothing", Double(upgrades - successors.count), equals: 0)
    report.check(http1, "requests over HTTP/1")
    report.check(http2, "requests over HTTP/2, a reset stream is a failed one")
    report.note("WebSockets", Double(sockets.opened))
    report.check(sockets, "messages over WebSockets, there and back")
    // Those before it have ended by themselves, or are about to.
    let left = successors.running(afterMilliseconds: drainMilliseconds + 5_000)
    report.check("processes that are left when the old ones' time is over", Double(left), equals: 1)
    let refused = (Harness.read(router.log) ?? "").split(separator: "\n").filter { $0.contains("nothing was changed") }
    report.check("reloads that were refused", Double(refused.count), equals: 0)
    report.check("wait status of the last process to end", Double(successors.endLast()), equals: 0)
    for backend in backends { backend.stop() }
    return report.passes
  }
}

/// The router, and those that have taken its place since.
private final class Successors {
  private let router: RouterChild
  private var processes: [Int32]
  var count: Int { processes.count - 1 }

  init(of router: RouterChild) {
    self.router = router
    processes = [router.process]
  }

  func signal(_ number: Int32) { kill(processes[processes.count - 1], number) }

  func upgrade() throws {
    let answer = try router.admin.call("POST", "/admin/upgrade")
    guard answer.status == 200, let member = answer.body.firstRange(of: "\"newPid\":"),
      let process = Int32(answer.body[member.upperBound...].prefix { $0.isNumber })
    else { throw Harness.Failure("POST /admin/upgrade: \(answer.head)\(answer.body)") }
    processes.append(process)
  }

  /// Those that still run, or are only to be waited for by nobody.
  private var running: [Int32] {
    processes.filter { process in
      if process == router.process { return router.isRunning }
      let stat = Harness.read("/proc/\(process)/stat") ?? ""
      return !stat.isEmpty && !stat.contains(") Z ")
    }
  }

  /// How many, at the latest so long from now.
  func running(afterMilliseconds milliseconds: Int) -> Int {
    for _ in 0..<(milliseconds / 50) where running.count > 1 { Harness.sleep(milliseconds: 50) }
    return running.count
  }

  /// 0 if the last one ends when it is asked to, like the router itself; else 1.
  func endLast() -> Int {
    signal(SIGTERM)
    for _ in 0..<600 where !running.isEmpty { Harness.sleep(milliseconds: 20) }
    return running.isEmpty ? 0 : 1
  }

  func killAll() { for process in running { kill(process, SIGKILL) } }
}

/// Sends back whatever comes behind the handshake; a thread per connection.
private final class EchoBackend: Sendable {
  let port: UInt16

  init() throws {
    let listener = try Socket.listen(on: .loopback(port: 0), backlog: 1_024)
    port = Socket.localAddress(listener.raw)?.port ?? 0
    let raw = listener.release()
    _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) & ~O_NONBLOCK)
    Thread.start(name: "echo") {
      while true {
        let file = accept(raw, nil, nil)
        guard file >= 0 else { break }
        Socket.setNoDelay(file)
        Thread.start(name: "echo-connection") {
          var stream = BlockingStream(file, timeoutSeconds: 60)
          guard stream.head() != nil, stream.send(Self.answer) else { return }
          while let bytes = stream.take(WebSocketLoad.message.count) { if !stream.send(bytes) { break } }
        }
      }
      close(raw)
    }
  }

  private static let answer =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
}

/// WebSockets on a thread each: opened, used for some seconds and closed, again and again.
private final class WebSocketLoad: Load {
  let tally = LoadTally()
  private let counts = Locked((opened: 0, running: 0))
  var opened: Int { counts.withLock { $0.opened } }

  /// A text frame of five bytes, as a caller masks it.
  static let message: [UInt8] = [0x81, 0x85, 1, 2, 3, 4] + zip(Array("hello".utf8), [1, 2, 3, 4, 1]).map { $0 ^ $1 }
  private static let handshake =
    "GET /chat HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

  init(port: UInt16, count: Int) {
    counts.withLock { $0.running = count }
    for number in 0..<count {
      Thread.start(name: "socket-\(number)") { [self] in
        var random = SeededRandom(seed: UInt64(number))
        while !tally.isStopping { session(port, milliseconds: 500 + random.below(4_000)) }
        let isLast = counts.withLock { counts in
          counts.running -= 1
          return counts.running == 0
        }
        if isLast { tally.end() }
      }
    }
  }

  private func session(_ port: UInt16, milliseconds: Int) {
    guard let file = Sockets.connect(port: port) else { return tally.failed("connect: \(SystemError.text(errno))") }
    var stream = BlockingStream(file)
    guard stream.send(Self.handshake), let head = stream.head() else { return tally.failed("no answer to a handshake") }
    guard head.status == 101 else { return tally.failed("a handshake was answered with \(head.status)") }
    counts.withLock { $0.opened += 1 }
    let end = Clock.now.advanced(byMilliseconds: UInt64(milliseconds))
    while Clock.now < end, !tally.isStopping {
      let start = Clock.now.nanoseconds
      guard stream.send(Self.message), stream.take(Self.message.count) == Self.message else {
        return tally.failed("a WebSocket ended")
      }
      tally.completed(since: start)
      Harness.sleep(milliseconds: 10)
    }
  }
}

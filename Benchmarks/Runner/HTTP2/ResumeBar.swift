import COpenSSL
import Glibc
import MeshBase
import Net

/// Callers that come back with a ticket resume their TLS session, whichever worker takes the connection.
enum ResumeBar {
  private static let callers = 20
  private static let share = 0.95

  static func run(binary: String, reconnects: Int, workers: Int) throws -> Bool {
    var report = BarReport("resume")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let backend = try LoadBackend()
    try fixture.name("web", backend.port)
    let certificate = try Certificate(fixture.folder)
    let router = try fixture.router(
      binary, dtab: "/svc/* => /#/io.l5d.fs/web",
      server: ", tls: {certPath: \(certificate.chain), keyPath: \(certificate.key)}", workers: workers)
    for (name, version) in [("TLS 1.3", TLS1_3_VERSION), ("TLS 1.2", TLS1_2_VERSION)] {
      var resumed = 0
      var failed = 0
      var full: UInt64 = 0
      var short: UInt64 = 0
      let all = (0..<callers).map { _ in TLSCaller(port: router.port, version: version) }
      let beforeFull = router.nanoseconds
      for caller in all where caller.exchange() == nil { failed += 1 }
      full = router.nanoseconds - beforeFull
      let before = router.nanoseconds
      for turn in 0..<reconnects {
        switch all[turn % callers].exchange() {
        case true: resumed += 1
        case false: break
        case nil: failed += 1
        }
      }
      short = router.nanoseconds - before
      report.check("\(name): failed connections", Double(failed), equals: 0)
      report.check(
        "\(name): share of \(reconnects) reconnects resumed, \(workers) workers", Double(resumed) / Double(reconnects),
        least: share)
      report.note("\(name): CPU per connection without a ticket", Double(full) / Double(callers) / 1e3, unit: "µs")
      report.note("\(name): CPU per connection with one", Double(short) / Double(reconnects) / 1e3, unit: "µs")
    }
    report.note("workers that had connections", Double(router.busyWorkers))
    report.check("workers that had connections", Double(router.busyWorkers), least: Double(workers))
    try router.end()
    backend.stop()
    return report.passes
  }
}

/// A caller over TLS that keeps the session of its last connection, as browsers and HTTP clients do.
final class TLSCaller {
  private let context: OpaquePointer
  private var session: OpaquePointer?
  private let port: UInt16

  init(port: UInt16, version: Int32) {
    self.port = port
    guard let context = SSL_CTX_new(TLS_client_method()) else { fatalError("SSL_CTX_new") }
    self.context = context
    _ = mesh_ssl_set_versions(context, version, version)
  }

  deinit {
    SSL_SESSION_free(session)
    SSL_CTX_free(context)
  }

  /// One connection with one request: whether its session was resumed; `nil` if it failed.
  func exchange() -> Bool? {
    guard let file = Sockets.connect(port: port) else { return nil }
    defer { close(file) }
    Sockets.setTimeout(file, seconds: 10)
    guard let ssl = SSL_new(context) else { return nil }
    defer { SSL_free(ssl) }
    SSL_set_fd(ssl, file)
    _ = mesh_ssl_set_host_name(ssl, "bench.test")
    if let session { SSL_set_session(ssl, session) }
    guard SSL_connect(ssl) == 1 else { return nil }
    let request = Array("GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n".utf8)
    guard SSL_write(ssl, request, Int32(request.count)) == Int32(request.count) else { return nil }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = SSL_read(ssl, &buffer, Int32(buffer.count))
      if count <= 0 { break }
      answer += buffer[..<Int(count)]
    }
    guard answer.starts(with: Array("HTTP/1.1 200".utf8)) else { return nil }
    let isResumed = SSL_session_reused(ssl) == 1
    // The ticket came behind the handshake; a session ends well only if both ends say so.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_SESSION_free(session)
    session = SSL_get1_session(ssl)
    return isResumed
  }
}

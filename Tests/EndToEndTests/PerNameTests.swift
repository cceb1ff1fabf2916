import Foundation
import TestSupport
import Testing

@Suite("settings per name", .serialized)
struct PerNameEndToEndTests {
  private static let files = Certificates.shared

  private func milliseconds(_ body: () throws -> Void) rethrows -> Int {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Int((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000)
  }

  /// Takes the connections that its queue has room for, and answers no further SYN.
  private final class FullListener {
    let port: Int
    private let descriptor: Int32
    private var fillers: [Int32] = []

    init() {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      port = Backend.bindAndListen(descriptor, port: 0)
      listen(descriptor, 0)
      for _ in 0..<8 {
        let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = RawSocket.loopback(port)
        withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        }
        fillers.append(filler)
      }
      usleep(50_000)
    }

    deinit { for descriptor in fillers + [descriptor] { close(descriptor) } }
  }

  @Test("time-outs of connections, attempts and requests differ by name")
  func timeouts() throws {
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: /, connectTimeoutMs: 1200}
          - {prefix: "/#/io.l5d.fs/hasty-{what}", connectTimeoutMs: 150, requestAttemptTimeoutMs: 150}
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc/limited, totalTimeoutMs: 150}
        """)
    let slow = Backend { connection in
      while connection.request() != nil {
        usleep(500_000)
        connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    let port = slow.port(keptBy: router)
    for name in ["hasty-web", "patient-web", "limited"] { router.service(name, ports: [port]) }
    let hasty = try #require(try router.get("hasty-web"))
    #expect(hasty.reasonWord == "outcome.attempt_timeout")
    #expect(try router.get("patient-web")?.status == 200)
    #expect(try router.get("limited")?.reasonWord == "outcome.total_timeout")
    // The first request of a name waits for the binding, later ones do not.
    #expect(try router.get("limited")?.reasonWord == "outcome.total_timeout")

    func why(_ name: String) -> String {
      Tool.run(
        "/usr/bin/curl", ["-sS", "http://127.0.0.1:\(router.adminPort)/api/2/why?url=http://\(name)/&format=text"]
      )
      .output
    }
    #expect(why("limited").contains("\nservice    configs[0] for /svc/limited: totalTimeoutMs\n"))
    #expect(
      why("hasty-web").contains(
        "\nclient     configs[1] for /#/io.l5d.fs/hasty-{what}: connectTimeoutMs, requestAttemptTimeoutMs\n"))
    #expect(!why("hasty-web").contains("\nservice"))

    let full = FullListener()
    for name in ["hasty-db", "patient-db"] { router.service(name, ports: [full.port]) }
    var answer: Message?
    let quick = try milliseconds { answer = try router.get("hasty-db") }
    #expect(answer?.reasonWord == "connect.timeout")
    #expect(quick < 1_000, "\(quick) ms")
    let long = try milliseconds { answer = try router.get("patient-db") }
    #expect(answer?.reasonWord == "connect.timeout")
    #expect(long >= 1_150, "\(long) ms")
  }

  @Test("what is tried again, and which endpoints are left out, differ by name")
  func resilience() throws {
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: "/#/io.l5d.fs/{any}", failureAccrual: {kind: none}, loadBalancer: {kind: roundRobin}}
          - prefix: "/#/io.l5d.fs/strict"
            failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 2, backoff: {kind: constant, ms: 60000}}
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc/again, responseClassifier: {kind: io.l5d.http.retryableRead5XX}}
        """)
    let bad = Backend(answering: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad")
    let good = Backend()
    let ports = [bad.port(keptBy: router), good.port(keptBy: router)]
    for name in ["again", "once", "strict"] { router.service(name, ports: ports) }
    func failures(_ name: String) throws -> Int {
      try (0..<40).count { _ in try router.get(name)?.status != 200 }
    }
    #expect(try failures("again") == 0)
    #expect(try failures("once") >= 18)
    // Each of the two workers may meet it before both know.
    #expect(try failures("strict") <= 4)
  }

  @Test("names are spoken to with TLS of their own, or in clear text")
  func tls() throws {
    let files = Self.files
    let endpoint = try Router(
      router: "identifier: {kind: io.l5d.static, path: /echo}",
      server: "clearContext: true\ntls:\n"
        + files.yaml("services").split(separator: "\n").map { "  \($0)\n" }.joined()
        + "  caCertPath: \(files.path("ca.pem"))\n  requireClientAuth: true\n")
    let echo = Backend.echo()
    endpoint.service("echo", ports: [echo.port(keptBy: endpoint)])
    let identity = { (name: String) in
      "clientAuth: {certPath: \(files.path(name)).pem, keyPath: \(files.path(name)).key}"
    }
    let bundle = "trustCertsBundle: \(files.path("ca.pem"))"
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - prefix: "/#/io.l5d.fs/tls-{service}"
            tls: {commonName: "{service}.mesh", \(bundle), \(identity("client"))}
          - prefix: "/#/io.l5d.fs/tls-also-{rest}"
            protocol: h2
          - prefix: "/#/io.l5d.fs/tls-stranger"
            tls: {commonName: good.mesh, \(bundle), \(identity("stranger"))}
          - prefix: "/#/io.l5d.fs/tls-blind"
            tls: {disableValidation: true}
        """)
    for name in ["tls-good", "tls-also-good", "tls-wrong", "tls-stranger", "tls-blind"] {
      router.service(name, ports: [endpoint.port])
    }
    router.service("plain", ports: [echo.port])
    for _ in 0..<3 {
      let good = try #require(try router.get("tls-good"))
      #expect(good.status == 200, "\(good.bodyText)")
      #expect(good.bodyText.contains("Via: 1.1 meshrouter"))
      let also = try #require(try router.get("tls-also-good"))
      #expect(also.status == 200, "\(also.bodyText)")
      #expect(also.bodyText.contains("Via: 2 meshrouter"))
      #expect(try router.get("plain")?.status == 200)
      #expect(try router.get("tls-wrong")?.bodyText.contains("expected a certificate for wrong.mesh") == true)
      // Its certificate is not the authority's, so the endpoint ends the session, whatever others have resumed.
      #expect(try router.get("tls-stranger")?.status == 502)
      #expect(try router.get("tls-blind")?.status == 502)
    }
  }

  @Test("roots that some names trust come into use when their file changes, and only for these names")
  func rotation() throws {
    let files = Self.files
    let endpoint = try Router(
      router: "identifier: {kind: io.l5d.static, path: /echo}",
      server: "tls:\n" + files.yaml("services").split(separator: "\n").map { "  \($0)\n" }.joined())
    endpoint.service("echo", ports: [Backend.echo().port(keptBy: endpoint)])
    let bundles = ["one", "two"].map { files.path("trusted-by-\($0).pem") }
    for (bundle, authority) in zip(bundles, ["ca", "other-ca"]) {
      try? FileManager.default.removeItem(atPath: bundle)
      try FileManager.default.copyItem(atPath: files.path("\(authority).pem"), toPath: bundle)
    }
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - prefix: "/#/io.l5d.fs/one"
            tls: {commonName: good.mesh, trustCertsBundle: \(bundles[0])}
          - prefix: "/#/io.l5d.fs/two"
            tls: {commonName: good.mesh, trustCertsBundle: \(bundles[1])}
        """)
    for name in ["one", "two"] { router.service(name, ports: [endpoint.port]) }
    #expect(try router.get("one")?.status == 200)
    #expect(try router.get("two")?.reasonWord == "tls.failed")
    let fresh = files.path("fresh.pem")
    try FileManager.default.copyItem(atPath: files.path("ca.pem"), toPath: fresh)
    rename(fresh, bundles[1])
    var status = 0
    for _ in 0..<100 where status != 200 {
      usleep(100_000)
      status = try router.get("two")?.status ?? 0
    }
    #expect(status == 200)
    #expect(try router.get("one")?.status == 200)
  }

  @Test("rings of different names hash different headers")
  func rings() throws {
    let router = try Router(
      router: """
        client:
          kind: io.l5d.static
          configs:
          - {prefix: "/#/io.l5d.fs/a", loadBalancer: {kind: ring, hashHeader: x-a}}
          - {prefix: "/#/io.l5d.fs/b", loadBalancer: {kind: ring, hashHeader: x-b}}
        """)
    let backends = ["0", "1", "2"].map { Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\($0)") }
    let ports = backends.map { $0.port(keptBy: router) }
    for name in ["a", "b"] { router.service(name, ports: ports) }
    func taken(_ name: String, _ fields: (Int) -> String) throws -> Set<String> {
      Set(try (0..<24).compactMap { try router.get(name, fields: fields($0))?.bodyText })
    }
    #expect(try taken("a") { "x-a: same\r\nx-b: \($0)\r\n" }.count == 1)
    #expect(try taken("b") { "x-a: same\r\nx-b: \($0)\r\n" }.count > 1)
    #expect(try taken("a") { "x-b: same\r\nx-a: \($0)\r\n" }.count > 1)
    #expect(try taken("b") { "x-b: same\r\nx-a: \($0)\r\n" }.count == 1)
  }
}

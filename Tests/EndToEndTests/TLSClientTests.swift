import Foundation
import TestSupport
import Testing

@Suite("TLS towards endpoints", .serialized)
struct TLSClientTests {
  private static let files = Certificates.shared

  private func list(_ names: [String]) -> String {
    names.map { name in
      Self.files.yaml(name).split(separator: "\n").enumerated().map { ($0 == 0 ? "- " : "  ") + $1 + "\n" }.joined()
    }.joined()
  }

  /// An endpoint that speaks TLS, which is a router with a backend behind it.
  private func endpoint(_ tls: String) throws -> Router {
    let made = try Router(
      router: "identifier: {kind: io.l5d.static, path: /echo}\nclient: {forwardClientCert: true}",
      server: "clearContext: true\ntls:\n" + tls.split(separator: "\n").map { "  \($0)\n" }.joined())
    made.service("echo", ports: [Backend.echo().port(keptBy: made)])
    return made
  }

  private func router(_ protocol: String, more: String = "") throws -> Router {
    try Router(
      router: """
        client:
          protocol: \(`protocol`)
          tls:
            prefix: "/#/io.l5d.fs/{service}"
            commonName: "{service}.mesh"
            trustCertsBundle: \(Self.files.path("ca.pem"))
        \(more.split(separator: "\n").map { "    \($0)\n" }.joined())
        """)
  }

  @Test("an endpoint must prove its name; each way of failing says what is wrong", arguments: ["h1", "h2", "auto"])
  func verification(`protocol`: String) throws {
    let files = Self.files
    let endpoint = try endpoint(files.yaml("services") + "\ncertificates:\n" + list(["untrusted", "expired"]))
    let router = try router(`protocol`)
    for name in ["good", "also-good", "wrong", "untrusted", "expired"] {
      router.service(name, ports: [endpoint.port])
    }
    for name in ["good", "also-good", "good"] {
      let good = try #require(try router.get(name))
      #expect(good.status == 200, "\(good.bodyText)")
      // The endpoint's own Via tells what it was spoken to.
      #expect(good.bodyText.contains(`protocol` == "h1" ? "Via: 1.1 meshrouter" : "Via: 2 meshrouter"))
    }
    let cases = [
      ("wrong", "expected a certificate for wrong.mesh, got CN=services,O=Mesh for good.mesh, also-good.mesh"),
      ("untrusted", "CN=untrusted,O=Mesh, issued by CN=Test-other-ca, is not trusted"),
      ("expired", "the certificate CN=expired,O=Mesh expired on 20"),
    ]
    for (name, wanted) in cases {
      let bad = try #require(try router.get(name))
      #expect(bad.status == 502)
      #expect(bad.reasonWord == "tls.failed")
      #expect(bad["l5d-retryable"] == "true")
      #expect(bad.bodyText.contains(wanted), "\(bad.bodyText)")
    }
    #expect(router.output.contains("handshake failed"))
    let silent = Backend {
      _ = $0.socket.read(count: 1)
      $0.socket.close()
    }
    router.service("silent", ports: [silent.port(keptBy: router)])
    #expect(try router.get("silent")?.reasonWord == "tls.closed")
    let plain = Backend {
      _ = $0.socket.read(count: 1)
      $0.socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    }
    router.service("plain", ports: [plain.port(keptBy: router)])
    let refused = try #require(try router.get("plain"))
    #expect(refused.reasonWord == "tls.failed")
    #expect(refused.bodyText.contains("what the peer sent is not TLS"), "\(refused.bodyText)")
  }

  @Test("the router shows its own certificate where it is asked for one")
  func clientCertificate() throws {
    let files = Self.files
    let endpoint = try endpoint(
      files.yaml("services") + "\nrequireClientAuth: true\ncaCertPath: \(files.path("ca.pem"))")
    let named = try router(
      "h2", more: "clientAuth: {certPath: \(files.path("client.pem")), keyPath: \(files.path("client.key"))}")
    named.service("good", ports: [endpoint.port])
    for _ in 0..<4 {
      let good = try #require(try named.get("good"))
      #expect(good.status == 200)
      #expect(good.bodyText.contains("SAN=spiffe://mesh/ns/shop"))
    }
    let nameless = try router("h1")
    nameless.service("good", ports: [endpoint.port])
    #expect(try nameless.get("good")?.status == 502)
  }

  @Test("a response that ends without close_notify is never shown as whole", arguments: [false, true])
  func truncation(isClean: Bool) throws {
    let files = Self.files
    let router = try router("h1")
    let server = SpawnedProcess()
    let port = Backend.freePort()
    server.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    server.arguments = [
      "s_server", "-accept", "127.0.0.1:\(port)", "-quiet", "-naccept", "1", "-cert", files.path("services.pem"),
      "-key",
      files.path("services.key"),
    ]
    let (input, output) = (Pipe(), Pipe())
    server.standardInput = input
    server.standardOutput = output
    server.standardError = FileHandle.nullDevice
    try server.run()
    defer { if server.isRunning { kill(server.processIdentifier, SIGKILL) } }
    usleep(300_000)
    router.service("good", ports: [port])
    let socket = try router.connect()
    socket.send("GET / HTTP/1.1\r\nHost: good\r\n\r\n")
    var seen = ""
    while !seen.contains("\r\n\r\n") {
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { break }
      seen += String(decoding: data, as: UTF8.self)
    }
    #expect(seen.contains("GET / HTTP/1.1"))
    input.fileHandleForWriting.write(Data("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf of it".utf8))
    let head = try #require(socket.readHead())
    #expect(head.status == 200)
    #expect(head["transfer-encoding"] == "chunked")
    if isClean {
      try input.fileHandleForWriting.close()  // s_server ends the session with close_notify
    } else {
      usleep(200_000)
      kill(server.processIdentifier, SIGKILL)
    }
    let rest = text(isClean ? socket.read(until: "0\r\n\r\n") ?? [] : socket.readToEnd())
    #expect(rest.contains("half of it"))
    #expect(rest.hasSuffix("0\r\n\r\n") == isClean, "\(rest)")
  }
}

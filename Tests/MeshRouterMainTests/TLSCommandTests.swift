import Foundation
import TestSupport
import Testing

@Suite("TLS on the command line")
struct TLSCommandTests {
  /// A directory with a root, a certificate for 127.0.0.1 and localhost, and a second key.
  private final class Files {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("mr-\(UUID().uuidString)").path

    init() throws {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
      let output = try Command.shell(
        """
        set -e; cd \(directory)
        openssl req -x509 \(key) -keyout ca.key -out ca.pem -days 3 -subj /CN=root
        openssl req \(key) -keyout admin.key -out admin.csr -subj /CN=admin \
        -addext subjectAltName=IP:127.0.0.1,DNS:localhost
        openssl x509 -req -in admin.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 2 -out admin.pem
        """)
      precondition(output.status == 0, output.text)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func config(_ text: String) throws -> String {
      let path = directory + "/meshrouter.yaml"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      return path
    }
  }

  @Test("check finds certificates that are missing, broken or do not match, each at its key")
  func check() throws {
    let files = try Files()
    let config = try files.config(
      """
      admin:
        tls: {certPath: \(files.directory)/admin.pem, keyPath: \(files.directory)/ca.key}
      routers:
      - protocol: http
        servers:
        - tls:
            certPath: \(files.directory)/none.pem
            keyPath: \(files.directory)/admin.key
            certificates:
            - {certPath: \(files.directory)/admin.csr, keyPath: \(files.directory)/admin.key}
        client:
          tls: {commonName: web.mesh, trustCertsBundle: \(files.directory)/admin.key}
      """)
    let output = try Command.meshrouter("check", "-o", "json", config)
    #expect(output.status == 1)
    for (key, message) in [
      ("admin.tls.keyPath", "does not belong to the certificate CN=admin"),
      ("routers[0].servers[0].tls.certPath", "No such file"),
      ("routers[0].servers[0].tls.certificates[0].certPath", "holds no PEM certificate"),
      ("routers[0].client.tls.trustCertsBundle", "holds a private key, but no certificate"),
    ] {
      #expect(output.text.contains(key), "\(output.text)")
      #expect(output.text.contains(message), "\(output.text)")
    }
  }

  @Test("the admin server speaks TLS, and commands verify it")
  func admin() throws {
    let files = try Files()
    let port = Int.random(in: 21_000...29_000)
    let config = try files.config(
      """
      admin:
        port: \(port)
        tls: {certPath: \(files.directory)/admin.pem, keyPath: \(files.directory)/admin.key}
      routers: [{protocol: http, servers: [{port: 0}]}]
      """)
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: Products.path("meshrouter"))
    process.arguments = ["run", config]
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    let ca = files.directory + "/ca.pem"
    func list(_ admin: String, _ arguments: String...) throws -> Command.Output {
      try Command.shell("meshrouter dtab ls --admin \(admin) \(arguments.joined(separator: " "))")
    }
    var output = try list("https://127.0.0.1:\(port)", "--ca", ca)
    for _ in 0..<100 where output.status != 0 {
      usleep(50_000)
      output = try list("https://127.0.0.1:\(port)", "--ca", ca)
    }
    #expect(output.status == 0, "\(output.text)")
    #expect(try list("https://localhost:\(port)", "--ca", ca).status == 0)
    let untrusted = try list("https://127.0.0.1:\(port)")
    #expect(untrusted.status != 0)
    #expect(untrusted.text.contains("issued by CN=root, is not trusted"))
    #expect(untrusted.text.contains("--ca FILE"))
    #expect(try list("http://127.0.0.1:\(port)").status != 0)
    let metrics = try Command.shell("curl -sS --cacert \(ca) https://127.0.0.1:\(port)/admin/metrics/prometheus")
    #expect(metrics.text.contains("meshrouter_tls_certificate_not_after_timestamp_seconds{file="))
  }
}

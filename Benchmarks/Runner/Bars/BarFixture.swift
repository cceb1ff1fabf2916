import Glibc
import Net

/// What most bars need: a folder, names in it as files, a router over them.
struct BarFixture {
  let folder: String
  var disco: String { "\(folder)/disco" }

  init() throws {
    Host.raiseDescriptorLimit()
    folder = try Harness.scratchFolder()
    mkdir(disco, 0o755)
  }

  func name(_ name: String, _ ports: UInt16...) throws { try self.name(name, ports) }

  func name(_ name: String, _ ports: [UInt16]) throws {
    try Harness.write(ports.map { "127.0.0.1 \($0)\n" }.joined(), to: "\(disco)/\(name)")
  }

  /// One worker, so that its figures are those of a core. `server` is put behind the server's port.
  func router(
    _ binary: String, client: String = "{}", service: String = "{}", dtab: String = "/svc => /#/io.l5d.fs",
    server: String = "", extra: String = "", workers: Int = 1, core: Int? = nil
  ) throws -> RouterChild {
    let configuration = """
      workers: \(workers)
      admin: {port: ADMIN_PORT}
      namers: [{kind: io.l5d.fs, rootDir: \(disco)}]
      dtabStore: {kind: io.l5d.dir, directory: \(folder)/dtabs}
      routers:
      - protocol: http
        dtab: \(dtab)
        bindingCache: {paths: 20000}
        client: \(client)
        service: \(service)
        servers: [{port: PORT\(server)}]
      \(extra)
      """
    return try RouterChild(binary: binary, configuration: configuration, folder: folder, core: core)
  }

  /// Makes a certificate; the lines of a server's configuration that show it.
  func tls() throws -> String {
    try Harness.run(
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
      "-subj",
      "/CN=web", "-keyout", "\(folder)/key.pem", "-out", "\(folder)/certificate.pem")
    return "tls: {certPath: \(folder)/certificate.pem, keyPath: \(folder)/key.pem, rejectMisdirected: false}"
  }

  func remove() { Harness.removeFolder(folder) }

  static func get(host: String) -> [UInt8] { Array("GET /a HTTP/1.1\r\nHost: \(host)\r\nAccept: */*\r\n\r\n".utf8) }
}

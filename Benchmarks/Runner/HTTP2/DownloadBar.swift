import Glibc
import MeshBase
import Net

/// One large body over TLS and HTTP/2 on one stream: CPU per byte, beside nghttpx.
enum DownloadBar {
  static func run(binary: String, megabytes: Int, rounds: Int) throws -> Bool {
    var report = BarReport("download")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    let folder = fixture.folder
    let log = "\(folder)/log"
    let certificate = try Certificate(folder)

    let backendPort = try Harness.freePort()
    try sparseFile("\(folder)/body", bytes: megabytes << 20)
    let load = 1
    let backend = try nginx(folder, port: backendPort, core: load)
    defer { backend.end() }
    try fixture.name("web", backendPort)

    let router = try fixture.router(
      binary, client: "{protocol: h1}", dtab: "/svc/* => /#/io.l5d.fs/web",
      server: ", tls: {certPath: \(certificate.chain), keyPath: \(certificate.key)}", core: 0)
    let peerPort = try Harness.freePort()
    let peer = try ChildProcess(
      [
        "nghttpx", "--conf=/dev/null", "--workers=1", "--frontend=127.0.0.1,\(peerPort)",
        "--backend=127.0.0.1,\(backendPort)", "--accesslog-file=/dev/null", "--errorlog-file=/dev/null",
        "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--no-via", "--no-add-x-forwarded-proto", "--no-ocsp",
        "--pid-file=\(folder)/nghttpx.pid", certificate.key, certificate.chain,
      ], core: 0, log: log)
    defer { peer.end() }
    try peer.waitForPort(peerPort)

    var ours: [Double] = []
    var theirs: [Double] = []
    let bytes = Double(megabytes << 20)
    func get(_ port: UInt16) throws -> Double {
      let started = Clock.now.nanoseconds
      let output = "\(folder)/client-\(started)"
      // Windows of 16 MiB, so that the caller never holds the proxy up.
      try ChildProcess.run(
        ["h2load", "-n1", "-c1", "-m1", "-w24", "-W24", "https://127.0.0.1:\(port)/body"], core: load, log: output)
      let text = Harness.read(output) ?? ""
      guard text.contains("1 succeeded"), text.contains("status codes: 1 2xx") else { throw Harness.Failure(text) }
      return Double(Clock.now.nanoseconds - started) / 1e9
    }
    _ = try get(router.port)
    _ = try get(peerPort)
    for _ in 0..<rounds {
      var before = router.nanoseconds
      let seconds = try get(router.port)
      ours.append(Double(router.nanoseconds - before) / bytes)
      before = peer.nanoseconds
      let peerSeconds = try get(peerPort)
      theirs.append(Double(peer.nanoseconds - before) / bytes)
      report.note("round: CPU per byte", ours.last ?? 0, unit: "ns, \((bytes / seconds / 1e6).rounded(to: 0)) MB/s")
      report.note(
        "round: of nghttpx", theirs.last ?? 0, unit: "ns, \((bytes / peerSeconds / 1e6).rounded(to: 0)) MB/s")
    }
    report.note("CPU per byte", ours.median, unit: "ns")
    report.note("CPU per byte of nghttpx", theirs.median, unit: "ns")
    report.check("CPU per byte against nghttpx", zip(ours, theirs).map { $0 / $1 }.median, max: 1)
    try router.end()
    return report.passes
  }

  private static func sparseFile(_ path: String, bytes: Int) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0, ftruncate(file, off_t(bytes)) == 0 else { throw SystemError("ftruncate", subject: path) }
    close(file)
  }

  private static func nginx(_ folder: String, port: UInt16, core: Int) throws -> ChildProcess {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
      "\($0)_temp_path \(folder)/nginx-\($0);"
    }
    let configuration = """
      \(getuid() == 0 ? "user root;" : "")
      daemon off; worker_processes 1; pid \(folder)/nginx.pid; error_log \(folder)/nginx.log crit;
      events { worker_connections 1000; }
      http {
        access_log off; sendfile on; sendfile_max_chunk 1m; tcp_nodelay on; \(temporary.joined(separator: " "))
        server { listen 127.0.0.1:\(port); root \(folder); }
      }

      """
    try Harness.write(configuration, to: "\(folder)/nginx.conf")
    let process = try ChildProcess(
      ["nginx", "-c", "\(folder)/nginx.conf", "-p", folder], core: core, log: "\(folder)/nginx.log")
    try process.waitForPort(port)
    return process
  }
}

/// A key and a certificate that signs itself, for bench.test and 127.0.0.1.
struct Certificate {
  let chain: String
  let key: String

  init(_ folder: String) throws {
    chain = "\(folder)/cert.pem"
    key = "\(folder)/key.pem"
    let log = "\(folder)/openssl.log"
    try ChildProcess.run(["openssl", "ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", key], log: log)
    try ChildProcess.run(
      [
        "openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=bench.test", "-days", "30", "-addext",
        "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-out", chain,
      ], log: log)
  }
}

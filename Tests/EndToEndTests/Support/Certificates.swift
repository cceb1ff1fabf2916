import Foundation
import TestSupport

/// Certificates made once per test run.
struct Certificates: Sendable {
  static let shared = Certificates()

  private let folder = CertificateFolder("e2e-certificates")
  var directory: String { folder.path }

  private init() {
    folder.make("web", "DNS:web.test,DNS:also.test")
    folder.make("api", "DNS:api.test")
    folder.make("wild", "DNS:*.wild.test")
    folder.make("client", "URI:spiffe://mesh/ns/shop,DNS:client.test")
    folder.make("guest", "DNS:guest.test")
    folder.make("stranger", "URI:spiffe://mesh/ns/shop", signer: "other-ca")
    folder.make("services", "DNS:good.mesh,DNS:also-good.mesh")
    folder.make("untrusted", "DNS:untrusted.mesh", signer: "other-ca")
    folder.make("expired", "DNS:expired.mesh", days: -1)
    folder.make("node", "DNS:*.svc.mesh,URI:spiffe://mesh/node/1")
  }

  func path(_ name: String) -> String { folder.path(name) }

  /// Lines of YAML that name certificate and key.
  func yaml(_ name: String) -> String { "certPath: \(path(name)).pem\nkeyPath: \(path(name)).key" }

  /// Arguments for curl.
  func curlIdentity(_ name: String) -> [String] { ["--cert", path(name) + ".pem", "--key", path(name) + ".key"] }
}

extension Tool {
  /// `curl` as the certificates' authority trusts it, with its names led to the loopback. The status code and the
  /// version stand behind the body as ` [200 2]`.
  static func curl(_ port: Int, _ url: String, _ arguments: [String] = []) -> Result {
    run(
      "/usr/bin/curl",
      ["-sS", "-m", "10", "--cacert", Certificates.shared.path("ca.pem"), "--connect-to", "::127.0.0.1:\(port)"]
        + ["-w", " [%{http_code} %{http_version}]"] + arguments + [url])
  }
}

/// `openssl s_client` on a connection that stays open.
final class SecureClient {
  private let process = SpawnedProcess()
  private let input = Pipe()
  private let output = Pipe()

  init(port: Int, name: String) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = ["s_client", "-connect", "127.0.0.1:\(port)", "-servername", name, "-quiet"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  deinit { if process.isRunning { process.terminate() } }

  /// The answer's head and body up to where `end` has come; a client that is not answered is ended after ten seconds.
  func request(_ text: String, until end: String) -> String {
    let killer = DispatchWorkItem { [process] in process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: killer)
    defer { killer.cancel() }
    input.fileHandleForWriting.write(Data(text.utf8))
    var answer = ""
    while !answer.contains(end) {
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { break }
      answer += String(decoding: data, as: UTF8.self)
    }
    return answer
  }
}

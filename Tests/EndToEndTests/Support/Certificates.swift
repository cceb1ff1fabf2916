import Foundation

/// Certificates made once per test run by the `openssl` command, in a directory of their own.
struct Certificates: Sendable {
  static let shared = Certificates()

  let directory: String

  private init() {
    directory = "/tmp/meshrouter-e2e-certificates-\(getpid())"
    try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(atPath: "/tmp/meshrouter-e2e-certificates-\(getpid())") }
    for name in ["ca", "other-ca"] {
      Tool.openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key", in: directory)
      Tool.openssl("req -x509 -new -key \(name).key -subj /CN=Test-\(name) -days 10 -out \(name).pem", in: directory)
    }
    make("web", "DNS:web.test,DNS:also.test")
    make("api", "DNS:api.test")
    make("wild", "DNS:*.wild.test")
    make("client", "URI:spiffe://mesh/ns/shop,DNS:client.test")
    make("guest", "DNS:guest.test")
    make("stranger", "URI:spiffe://mesh/ns/shop", signer: "other-ca")
    make("services", "DNS:good.mesh,DNS:also-good.mesh")
    make("untrusted", "DNS:untrusted.mesh", signer: "other-ca")
    make("expired", "DNS:expired.mesh", days: -1)
    make("node", "DNS:*.svc.mesh,URI:spiffe://mesh/node/1")
  }

  func path(_ name: String) -> String { directory + "/" + name }

  /// A key and a certificate with these alternative names.
  func make(_ name: String, _ names: String, signer: String = "ca", days: Int = 5) {
    Tool.openssl(
      "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout \(name).key -subj /O=Mesh/CN=\(name)"
        + " -addext subjectAltName=\(names) -out \(name).csr", in: directory)
    Tool.openssl(
      "x509 -req -in \(name).csr -CA \(signer).pem -CAkey \(signer).key -CAcreateserial -copy_extensions copy"
        + " -days \(days) -out \(name).pem", in: directory)
  }

  /// Lines of YAML that name certificate and key.
  func yaml(_ name: String) -> String { "certPath: \(path(name)).pem\nkeyPath: \(path(name)).key" }

  /// Arguments for curl.
  func curlIdentity(_ name: String) -> [String] { ["--cert", path(name) + ".pem", "--key", path(name) + ".key"] }
}

/// A command of the operating system.
enum Tool {
  struct Result {
    let status: Int32
    /// Output and error output together.
    let output: String
  }

  /// Killed after twenty seconds.
  @discardableResult
  static func run(_ program: String, _ arguments: [String], input: String? = nil, in directory: String = "/tmp")
    -> Result
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let standardInput = Pipe()
    process.standardInput = standardInput
    do { try process.run() } catch { return Result(status: -1, output: "\(error)") }
    let killer = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + 20, execute: killer)
    if let input { standardInput.fileHandleForWriting.write(Data(input.utf8)) }
    try? standardInput.fileHandleForWriting.close()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    killer.cancel()
    return Result(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
  }

  @discardableResult
  static func openssl(_ arguments: String, input: String? = nil, in directory: String = "/tmp") -> Result {
    run("/usr/bin/openssl", arguments.split(separator: " ").map(String.init), input: input, in: directory)
  }

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
  private let process = Process()
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

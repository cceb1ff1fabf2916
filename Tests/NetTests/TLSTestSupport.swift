import Foundation
import MeshBase

@testable import Net

/// Certificates made once per test run by the `openssl` command.
struct TLSTestFiles: Sendable {
  static let shared = TLSTestFiles()

  let directory: String
  var ca: String { directory + "/ca.pem" }
  var otherCA: String { directory + "/other-ca.pem" }
  var system: TLSTrust { .files([ca]) }

  func path(_ name: String) -> String { directory + "/" + name }

  func files(_ name: String) -> TLSIdentityFiles {
    TLSIdentityFiles(certificate: path(name + ".pem"), key: path(name + ".key"))
  }

  private init() {
    directory = NSTemporaryDirectory() + "meshrouter-tls-\(getpid())"
    try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    for name in ["ca", "other-ca"] {
      openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key")
      openssl("req -x509 -new -key \(name).key -subj /CN=Test-\(name) -days 10 -out \(name).pem")
    }
    make("web", "DNS:web.test,DNS:*.web.test,IP:127.0.0.1")
    make("api", "DNS:api.test")
    make("web-rsa", "DNS:web.test,DNS:*.web.test,IP:127.0.0.1", isRSA: true)
    make("client", "URI:spiffe://mesh/ns/a,DNS:client.test")
    make("stranger", "DNS:stranger.test", signer: "other-ca")
    make("expired", "DNS:web.test", days: -1)
  }

  /// A key and a certificate with these alternative names.
  func make(_ name: String, _ names: String, signer: String = "ca", days: Int = 5, isRSA: Bool = false) {
    let key = isRSA ? "rsa:2048" : "ec -pkeyopt ec_paramgen_curve:prime256v1"
    openssl(
      "req -new -newkey \(key) -nodes -keyout \(name).key -subj /O=Mesh/CN=\(name) -addext subjectAltName=\(names)"
        + " -out \(name).csr")
    openssl(
      "x509 -req -in \(name).csr -CA \(signer).pem -CAkey \(signer).key -CAcreateserial -copy_extensions copy"
        + " -days \(days) -out \(name).pem")
  }

  @discardableResult func openssl(_ arguments: String, input: String? = nil) -> (status: Int32, output: String) {
    run("/usr/bin/openssl", arguments.split(separator: " ").map(String.init), input: input)
  }

  /// Output and error output together; killed after ten seconds.
  @discardableResult func run(_ program: String, _ arguments: [String], input: String? = nil)
    -> (status: Int32, output: String)
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
    do { try process.run() } catch { return (-1, "\(error)") }
    let killer = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: killer)
    if let input { standardInput.fileHandleForWriting.write(Data(input.utf8)) }
    try? standardInput.fileHandleForWriting.close()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    killer.cancel()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }
}

/// A client's and a server's session over a socket pair, driven by turns on the test's own thread.
final class TLSPair {
  let client: TLSSession
  let server: TLSSession
  private(set) var descriptors: (client: Int32, server: Int32)
  let workspace: TLSWorkspace

  init(
    _ clientContext: TLSClientContext, _ serverContext: TLSServerContext, name: String = "web.test",
    serverName: String? = nil, cache: TLSSessionCache? = nil, workspace: TLSWorkspace = TLSWorkspace()
  ) {
    self.workspace = workspace
    var pair: [Int32] = [0, 0]
    precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    descriptors = (pair[0], pair[1])
    client = TLSSession(
      client: clientContext, descriptor: pair[0], workspace: workspace, expectedName: name, serverName: serverName,
      cache: cache)
    server = TLSSession(server: serverContext, descriptor: pair[1], workspace: workspace)
  }

  deinit {
    if descriptors.client >= 0 { close(descriptors.client) }
    if descriptors.server >= 0 { close(descriptors.server) }
  }

  /// Long enough for all that can be parked to be.
  func rest() {
    for _ in 0..<2 { workspace.look() }
  }

  func closeClient() {
    close(descriptors.client)
    descriptors.client = -1
  }

  /// Both ends' last word.
  @discardableResult func handshake() -> (client: TLSSession.Progress, server: TLSSession.Progress) {
    var client = TLSSession.Progress.wantsMore
    var server = TLSSession.Progress.wantsMore
    for _ in 0..<20 {
      if client == .wantsMore { client = self.client.handshake() }
      if server == .wantsMore { server = self.server.handshake() }
      if client != .wantsMore && server != .wantsMore { break }
    }
    return (client, server)
  }

  /// What the session has at hand, at most so many bytes by one call.
  static func receive(_ session: TLSSession, max: Int = 65_536) -> (result: Int, bytes: [UInt8]) {
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: max) { buffer, count in
      result = session.receive(into: UnsafeMutableRawBufferPointer(buffer))
      count = Swift.max(0, result)
    }
    return (result, bytes)
  }

  static func send(_ session: TLSSession, _ text: String) -> Int {
    Array(text.utf8).withUnsafeBytes { session.send($0) }
  }
}

extension TLSWorkspace {
  /// A whole round.
  func look() {
    beginRound()
    while parkIdle(1_000) {}
  }
}

import Foundation
import MeshBase
import TestSupport

@testable import Net

/// Certificates made once per test run.
struct TLSTestFiles: Sendable {
  static let shared = TLSTestFiles()

  private let folder = CertificateFolder("tls")
  var directory: String { folder.path }
  var ca: String { path("ca.pem") }
  var otherCA: String { path("other-ca.pem") }

  func path(_ name: String) -> String { folder.path(name) }

  func files(_ name: String) -> TLSIdentityFiles {
    TLSIdentityFiles(certificate: path(name + ".pem"), key: path(name + ".key"))
  }

  private init() {
    folder.make("web", "DNS:web.test,DNS:*.web.test,IP:127.0.0.1")
    folder.make("api", "DNS:api.test")
    folder.make("web-rsa", "DNS:web.test,DNS:*.web.test,IP:127.0.0.1", isRSA: true)
    folder.make("client", "URI:spiffe://mesh/ns/a,DNS:client.test")
    folder.make("stranger", "DNS:stranger.test", signer: "other-ca")
    folder.make("expired", "DNS:web.test", days: -1)
  }

  @discardableResult func openssl(_ arguments: String) -> Tool.Result { Tool.openssl(arguments, in: directory) }
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
    awake.beginRound()
    while awake.parkIdle(looks: 1_000, parks: 1_000) {}
  }
}

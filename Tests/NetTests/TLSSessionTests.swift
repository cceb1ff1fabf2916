import Foundation
import MeshBase
import Testing

@testable import Net

@Suite struct TLSSessionTests {
  private let files = TLSTestFiles.shared

  private func serverContext(
    _ names: [String] = ["web"], keys: TLSTicketKeys = .shared,
    _ change: (inout TLSServerContext.Options) -> Void = { _ in }
  ) throws -> TLSServerContext {
    var options = TLSServerContext.Options(certificates: names.map(files.files))
    change(&options)
    return try TLSServerContext(options, ticketKeys: keys)
  }

  private func clientContext(_ change: (inout TLSClientContext.Options) -> Void = { _ in }) throws -> TLSClientContext {
    var options = TLSClientContext.Options()
    options.trust = .files([files.ca])
    change(&options)
    return try TLSClientContext(options)
  }

  @Test("both ends agree on version, cipher, protocol and names", arguments: TLSVersion.allCases)
  func agrees(version: TLSVersion) throws {
    let server = try serverContext {
      $0.applications = [.h2, .http11]
      $0.versions = [version]
    }
    let pair = TLSPair(try clientContext { $0.applications = [.http11, .h2] }, server, name: "a.WEB.test")
    #expect(pair.handshake() == (.done, .done))
    for session in [pair.client, pair.server] {
      #expect(session.version == version)
      #expect(session.application == .h2)
      #expect(session.cipher.contains("AES_128_GCM") || session.cipher.contains("AES128-GCM"))
      #expect(!session.wasResumed)
    }
    #expect(pair.server.serverName == "a.web.test")
    #expect(pair.server.peerCertificate == nil)
    let peer = try #require(pair.client.peerCertificate)
    #expect(peer.subject == "CN=web,O=Mesh")
    #expect(peer.dnsNames == ["web.test", "*.web.test"])
    #expect(peer.ipAddresses == ["127.0.0.1"])
    #expect(peer.isVerified)
    let shown = files.openssl("x509 -in web.pem -noout -fingerprint -sha256").output
    let wanted = shown.split(separator: "=")[1].filter { $0 != ":" && !$0.isNewline }.lowercased()
    #expect(peer.fingerprint == wanted)
    #expect(pair.server.covers(host: "x.web.test."))
    #expect(!pair.server.covers(host: "x.y.web.test"))
    #expect(!pair.server.covers(host: "api.test"))
  }

  @Test(
    "the certificate is chosen by the name asked for",
    arguments: [
      ("web.test", "web"), ("b.web.test", "web"), ("api.test", "api"), ("elsewhere.test", "api"),
    ])
  func choosesBySNI(name: String, certificate: String) throws {
    let pair = TLSPair(
      try clientContext { $0.disableValidation = true }, try serverContext(["api", "web"]), name: name)
    #expect(pair.handshake() == (.done, .done))
    #expect(pair.client.peerCertificate?.commonName == certificate)
    #expect(pair.client.peerCertificate?.isVerified == false)
    #expect(pair.server.covers(host: name) == (name != "elsewhere.test"))
  }

  @Test("an RSA and an ECDSA certificate for the same names: the client gets the one it can verify")
  func twoKeyTypes() throws {
    let server = try serverContext(["web-rsa", "web"])
    for (ciphers, expected) in [("ECDHE-RSA-AES128-GCM-SHA256", "web-rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "web")] {
      let client = try clientContext {
        $0.versions = [.v12]
        $0.ciphers = [ciphers]
      }
      let pair = TLSPair(client, server)
      #expect(pair.handshake() == (.done, .done))
      #expect(pair.client.peerCertificate?.commonName == expected)
    }
  }

  @Test("without a protocol in common by ALPN, HTTP/1 is served and h2 alone is refused")
  func applications() throws {
    let h2 = try clientContext { $0.applications = [.h2] }
    let plain = TLSPair(h2, try serverContext())
    #expect(plain.handshake() == (.done, .done))
    #expect(plain.server.application == nil)
    let http11 = try clientContext { $0.applications = [.http11] }
    let refused = TLSPair(http11, try serverContext { $0.applications = [.h2] })
    #expect(refused.handshake().client == .failed(.alert(120)))
    #expect(refused.client.failureText.contains("no application protocol in common"))
  }

  @Test("a wrong certificate is refused with names, dates and issuers")
  func refusals() throws {
    func refusal(_ certificate: String, name: String = "web.test") throws -> (TLSSession.Progress, String, TLSFailure?)
    {
      let pair = TLSPair(try clientContext(), try serverContext([certificate]), name: name)
      let progress = pair.handshake().client
      return (progress, pair.client.failureText, pair.server.failure)
    }
    let mismatch = try refusal("web", name: "api.test")
    #expect(mismatch.0 == .failed(.nameMismatch))
    #expect(
      mismatch.1 == "expected a certificate for api.test, got CN=web,O=Mesh for web.test, *.web.test, 127.0.0.1")
    let address = try refusal("web", name: "127.0.0.2")
    #expect(address.0 == .failed(.nameMismatch))
    #expect(try refusal("web", name: "127.0.0.1").0 == .done)
    let expired = try refusal("expired")
    #expect(expired.0 == .failed(.expired))
    #expect(expired.1.hasPrefix("the certificate CN=expired,O=Mesh expired on 20"))
    #expect(expired.2 == .alert(45))
    let stranger = try refusal("stranger", name: "stranger.test")
    #expect(stranger.0 == .failed(.untrusted))
    #expect(stranger.1.contains("CN=stranger,O=Mesh, issued by CN=Test-other-ca, is not trusted"))
    #expect(stranger.2 == .alert(48))
    let versions = TLSPair(
      try clientContext { $0.versions = [.v12] }, try serverContext { $0.versions = [.v13] })
    #expect(versions.handshake() == (.failed(.alert(70)), .failed(.protocolVersion)))
  }

  @Test("what is not TLS is told so")
  func notTLS() throws {
    let pair = TLSPair(try clientContext(), try serverContext())
    let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
    _ = request.withUnsafeBytes { Socket.send(pair.descriptors.client, $0) }
    #expect(pair.server.handshake() == .failed(.plainHTTP))
    #expect(pair.server.failureText == "the client speaks plain HTTP to a TLS port")
    let gone = TLSPair(try clientContext(), try serverContext())
    gone.closeClient()
    #expect(gone.server.handshake() == .failed(.closed))
  }

  // MARK: Client certificates

  @Test("client certificates: none, optional, required, and an allow-list", arguments: TLSVersion.allCases)
  func clientCertificates(version: TLSVersion) throws {
    func outcome(
      _ certificate: String?, _ auth: TLSServerContext.ClientAuth, allowed: [String] = []
    ) throws -> (server: TLSSession.Progress, session: TLSSession) {
      let server = try serverContext {
        $0.clientAuth = auth
        $0.clientTrust = .files([files.ca])
        $0.allowedClients = allowed
        $0.versions = [version]
      }
      let pair = TLSPair(try clientContext { $0.identity = certificate.map(files.files) }, server)
      let progress = pair.handshake()
      return (progress.server, pair.server)
    }
    #expect(try outcome(nil, .optional).server == .done)
    #expect(try outcome("client", .none).session.peerCertificate == nil)
    let good = try outcome("client", .optional)
    #expect(good.server == .done)
    let peer = try #require(good.session.peerCertificate)
    #expect(peer.isVerified)
    #expect(peer.uris == ["spiffe://mesh/ns/a"])
    #expect(try outcome(nil, .required).server == .failed(.noClientCertificate))
    #expect(try outcome("client", .required).server == .done)
    #expect(try outcome("stranger", .required).server == .failed(.untrusted))
    #expect(try outcome("stranger", .optional).server == .failed(.untrusted))
    for allowed in ["client.test", "*.test", "spiffe://mesh/ns/a", "spiffe://mesh/*"] {
      #expect(try outcome("client", .required, allowed: ["no.test", allowed]).server == .done, "\(allowed)")
    }
    for allowed in ["other.test", "*.client.test", "spiffe://mesh/ns", "spiffe://mesh/ns/*/b"] {
      let refused = try outcome("client", .required, allowed: [allowed])
      #expect(refused.server == .failed(.notAllowed), "\(allowed)")
      #expect(refused.session.failureText.contains("CN=client,O=Mesh for client.test"))
    }
  }

  // MARK: Resumption

  /// A connection that lives long enough for its ticket to arrive.
  private func talk(_ client: TLSClientContext, _ server: TLSServerContext, _ cache: TLSSessionCache) -> TLSPair {
    let pair = TLSPair(client, server, cache: cache)
    pair.handshake()
    _ = TLSPair.send(pair.server, "hello")
    _ = TLSPair.receive(pair.client)
    return pair
  }

  @Test("tickets are honoured by every context and thread, and outlive the certificate", arguments: TLSVersion.allCases)
  func resumption(version: TLSVersion) throws {
    let keys = TLSTicketKeys()
    let client = try clientContext()
    let cache = TLSSessionCache()
    #expect(!talk(client, try serverContext(keys: keys) { $0.versions = [version] }, cache).server.wasResumed)
    #expect(cache.count == 1)
    // Another certificate, as after a reload.
    let other = try serverContext(["web-rsa"], keys: keys) { $0.versions = [version] }
    let second = talk(client, other, cache)
    #expect(second.server.wasResumed)
    #expect(second.client.wasResumed)
    #expect(second.client.peerCertificate?.isVerified == true)
    // Twice rotated: still known; a third time: forgotten.
    keys.rotate()
    keys.rotate()
    #expect(talk(client, other, cache).server.wasResumed)
    for _ in 0...TLSTicketKeys.olderKept { keys.rotate() }
    #expect(!talk(client, other, cache).server.wasResumed)
    // Its own keys: nothing to resume.
    #expect(!talk(client, try serverContext(keys: TLSTicketKeys()), cache).server.wasResumed)
    // Another client context has its own demands.
    #expect(!talk(try clientContext(), other, cache).server.wasResumed)
  }

  @Test("a ticket from where nobody asked for a certificate does not get in where one is required")
  func ticketScope() throws {
    let keys = TLSTicketKeys()
    let client = try clientContext { $0.identity = files.files("client") }
    let anonymous = try clientContext()
    let cache = TLSSessionCache()
    let open = try serverContext(keys: keys)
    let strict = try serverContext(keys: keys) {
      $0.clientAuth = .required
      $0.clientTrust = .files([files.ca])
    }
    _ = talk(anonymous, open, cache)
    let pair = TLSPair(anonymous, strict, cache: cache)
    #expect(pair.handshake().server == .failed(.noClientCertificate))
    let clientCache = TLSSessionCache()
    _ = talk(client, strict, clientCache)
    let again = talk(client, strict, clientCache)
    #expect(again.server.wasResumed)
    #expect(again.server.peerCertificate?.uris == ["spiffe://mesh/ns/a"])
    #expect(again.server.peerCertificate?.isVerified == true)
  }

  @Test("many threads share one context")
  func threads() throws {
    let server = try serverContext(["web", "api"])
    let client = try clientContext()
    let results = Promise<Int>()
    let left = NSLock()
    nonisolated(unsafe) var count = 0
    nonisolated(unsafe) var resumed = 0
    for _ in 0..<4 {
      Thread.start(name: "tls") {
        let cache = TLSSessionCache()
        var mine = 0
        for _ in 0..<50 {
          let pair = TLSPair(client, server, cache: cache)
          guard pair.handshake() == (.done, .done) else { break }
          if pair.server.wasResumed { mine += 1 }
          _ = TLSPair.send(pair.server, "hello")
          _ = TLSPair.receive(pair.client)
        }
        left.withLock {
          count += 1
          resumed += mine
          if count == 4 { results.fulfil(resumed) }
        }
      }
    }
    #expect(results.wait() == 4 * 49)
  }
}

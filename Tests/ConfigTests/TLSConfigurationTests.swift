import Dtab
import Testing

@testable import Config

@Suite("TLS")
struct TLSConfigurationTests {
  @Test("linkerd's blocks are read as they are, and ours beside them")
  func reads() throws {
    let loaded = load(
      """
      admin:
        tls: {certPath: admin.pem, keyPath: admin.key}
      routers:
      - protocol: http
        servers:
        - tls:
            certPath: a.pem
            keyPath: a.key
            intermediateCertsPath: chain.pem
            caCertPath: ca.pem
            requireClientAuth: true
            protocols: [TLSv1.3]
            ciphers: [TLS_AES_128_GCM_SHA256]
            certificates: [{certPath: b.pem, keyPath: b.key}]
            allowedClientNames: ["spiffe://mesh/*"]
            alpn: [http/1.1]
        client:
          forwardClientCert: true
          tls:
            prefix: "/#/io.l5d.fs/{service}"
            commonName: "{service}.mesh"
            trustCertsBundle: ca.pem
            trustCerts: [more.pem]
            clientAuth: {certPath: c.pem, keyPath: c.key}
      """)
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(configuration.admin.tls?.certificate.certPath == "admin.pem")
    let server = try #require(configuration.routers[0].servers[0].tls)
    #expect(server.certificate.intermediateCertsPath == "chain.pem")
    #expect(server.clientAuthentication == .required)
    #expect(server.certificates.map(\.keyPath) == ["b.key"])
    #expect(server.protocols == [.v13])
    #expect(server.alpn == [.http11])
    let client = try #require(configuration.routers[0].client.tls)
    #expect(client.terms.clientAuth?.certPath == "c.pem")
    #expect(client.terms.trustCerts == ["more.pem"])
    #expect(configuration.routers[0].client.forwardClientCert)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
  }

  @Test("what contradicts itself is told with its key and what to write")
  func contradictions() {
    func lines(server: String) -> [String] {
      load("routers: [{protocol: http, servers: [{tls: {certPath: a, keyPath: b, \(server)}}]}]").lines
    }
    func lines(client: String) -> [String] {
      load("routers: [{protocol: http, servers: [{}], client: {tls: {\(client)}}}]").lines
    }
    let unvouched = lines(server: "clientAuth: optional")
    #expect(unvouched.count == 1)
    #expect(
      unvouched[0].hasSuffix("tls.clientAuth: there is no caCertPath: nobody could vouch for clients. Set caCertPath."))
    #expect(
      lines(server: "caCertPath: c")[0].contains("caCertPath: has no effect: clients are asked for no certificate"))
    #expect(
      lines(server: "clientAuth: none, requireClientAuth: true, caCertPath: c")[0].contains(
        "none, but requireClientAuth"))
    #expect(lines(server: "protocols: [TLSv1.1]")[0].contains("It is broken (RFC 8996)."))
    #expect(lines(client: "")[0].contains("client.tls: there is no commonName"))
    #expect(lines(client: "commonName: \"{service}.mesh\"")[0].contains("the pattern captures nothing named {service}"))
    #expect(
      lines(client: "commonName: \"{servce}.mesh\", prefix: \"/#/a/{service}\"")[0].contains("Did you mean {service}?"))
    #expect(lines(client: "disableValidation: true")[0].contains("warning"))
    #expect(load("routers: [{protocol: http, servers: [{tls: {}}]}]").lines.count == 2)
  }

  @Test("files are looked at where the rest is sound, and their problems bear key and line")
  func files() {
    func load(_ text: String) -> (Int, [Diagnostic]) {
      var calls = 0
      let result = ConfigLoader.load(
        text: text, environment: { _ in nil }, readFile: { _ in throw NoSuchFile() },
        inspectFiles: { _ in
          calls += 1
          return [FileProblem(.error, at: "routers[0].servers[0].tls.certPath", "is broken", remedy: "Mend it.")]
        })
      return (calls, result.diagnostics.filter { $0.severity == .error })
    }
    let text = "routers:\n- protocol: http\n  servers:\n  - tls:\n      certPath: a.pem\n      keyPath: a.key\n"
    let good = load(text)
    #expect(good.0 == 1)
    #expect(good.1.map(\.sentence) == ["routers[0].servers[0].tls.certPath: is broken. Mend it."])
    #expect(good.1.first?.line == 5)
    #expect(good.1.first?.rule == .file)
    #expect(load(text + "      nonsense: 1\n").0 == 0)
  }

  @Test("the expected name is filled in from the bound id")
  func expectedNames() throws {
    func answer(_ prefix: String?, _ name: String?, _ id: String) throws -> ExpectedTLSName.Answer {
      try ExpectedTLSName(prefix: prefix, commonName: name).answer(for: try Path(parsing: id))
    }
    #expect(try answer(nil, "web.mesh", "/#/io.l5d.fs/api") == .name("web.mesh"))
    #expect(try answer(nil, nil, "/#/io.l5d.fs/api") == .name(""))
    #expect(try answer("/#/io.l5d.fs/{service}", "{service}.mesh", "/#/io.l5d.fs/api") == .name("api.mesh"))
    #expect(try answer("/#/*/{service}/{zone}", "{zone}-{service}.mesh", "/#/x/api/eu/more") == .name("eu-api.mesh"))
    #expect(try answer("/#/io.l5d.fs/{service}", "{service}.mesh", "/#/io.l5d.static/api") == .clearText)
    #expect(throws: DtabError.self) { try ExpectedTLSName(prefix: nil, commonName: "{service}") }
    #expect(throws: DtabError.self) { try ExpectedTLSName(prefix: nil, commonName: "a/b") }
  }
}

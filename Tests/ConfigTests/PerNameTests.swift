import Dtab
import Testing

@testable import Config

@Suite("settings per name")
struct PerNameTests {
  private func settings(_ configs: String, _ id: String) throws -> Configuration.Client {
    let loaded = load(router("servers: [{}]\nclient:\n  kind: io.l5d.static\n  configs:\n" + configs))
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
    return ClientSettings(configuration.routers[0].client).settings(for: try Path(parsing: id))
  }

  @Test("entries that cover a bound id refine each other key by key, in the order of the file")
  func refinement() throws {
    let configs = """
        - prefix: "/#/io.l5d.fs/web"
          connectTimeoutMs: 10
          hostConnectionPool: {minSize: 2, maxSize: 4}
        - {connectTimeoutMs: 50, prefix: /, requestAttemptTimeoutMs: 900}
        - prefix: "/#/*/{service}"
          requestAttemptTimeoutMs: 300
          loadBalancer: {kind: p2c}
        - prefix: "/#/io.l5d.fs/web"
          hostConnectionPool: {maxSize: 7}

      """
    let web = try settings(configs, "/#/io.l5d.fs/web")
    #expect(web.connectTimeoutMilliseconds == 50)
    #expect(web.requestAttemptTimeoutMilliseconds == 300)
    #expect(web.loadBalancer.kind == .p2c)
    // A key is replaced as a whole.
    #expect(web.pool.maxSize == 7 && web.pool.minSize == 0)
    #expect(web.configs.isEmpty)
    let parsed = try #require(
      load(router("servers: [{}]\nclient:\n  kind: io.l5d.static\n  configs:\n" + configs)).configuration)
    #expect(
      ClientSettings(parsed.routers[0].client).inForce(for: try Path(parsing: "/#/io.l5d.fs/web")) == [
        "configs[1] for /: connectTimeoutMs", "configs[2] for /#/*/{service}: loadBalancer, requestAttemptTimeoutMs",
        "configs[3] for /#/io.l5d.fs/web: hostConnectionPool",
      ])
    let api = try settings(configs, "/#/io.l5d.fs/api/v1")
    #expect(api.connectTimeoutMilliseconds == 50)
    #expect(api.pool.maxSize == nil)
    let inet = try settings(configs, "/$/inet/db/5432")
    #expect(inet.requestAttemptTimeoutMilliseconds == 900)
    #expect(inet.loadBalancer == Configuration.LoadBalancer())
  }

  @Test("what no entry sets is as usual, by the router's protocol")
  func defaults() throws {
    let text = "client: {kind: io.l5d.static, configs: [{prefix: /a, connectTimeoutMs: 5}]}"
    for (`protocol`, spoken) in [("http", Configuration.ClientProtocol.h1), ("h2", .h2)] {
      let loaded = load("routers: [{protocol: \(`protocol`), servers: [{}], \(text)}]")
      let configuration = try #require(loaded.configuration)
      #expect(load(configuration.effectiveJSON).configuration == configuration)
      let settings = ClientSettings(configuration.routers[0].client)
      #expect(settings.settings(for: try Path(parsing: "/b")).protocol == spoken)
      #expect(settings.settings(for: try Path(parsing: "/a")).protocol == spoken)
      #expect(settings.settings(for: try Path(parsing: "/a")).connectTimeoutMilliseconds == 5)
    }
  }

  @Test("logical names have settings of their own")
  func services() throws {
    let loaded = load(
      router(
        """
        servers: [{}]
        service:
          kind: io.l5d.static
          configs:
          - {prefix: /svc, totalTimeoutMs: 1000, responseClassifier: {kind: io.l5d.http.retryableRead5XX}}
          - {prefix: "/svc/*/slow", totalTimeoutMs: 0}
          - {prefix: "/svc/api", retries: {budget: {ttlSecs: 5}}}
        """))
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
    #expect(configuration.effectiveJSON.contains("\"prefix\": \"/svc/*/slow\",\n            \"totalTimeoutMs\": 0\n"))
    let settings = ServiceSettings(configuration.routers[0].service)
    func total(_ name: String) -> Int? {
      Array(name.utf8).withUnsafeBytes { settings.settings(for: $0) }.totalTimeoutMilliseconds
    }
    #expect(total("/svc/web") == 1_000)
    #expect(total("/svc/api/slow") == nil)
    #expect(total("/other") == nil)
    #expect(total("no path") == nil)
    let api = settings.settings(for: try Path(parsing: "/svc/api/slow"))
    #expect(api.responseClassifier == .retryableRead5XX)
    #expect(api.retries.budget.ttlSeconds == 5)
    #expect(settings.settings(for: try Path(parsing: "/other")) == Configuration.Service())
  }

  @Test("TLS: the last block that covers an id holds as a whole, with the captures of its entry")
  func tls() throws {
    let configs = """
        - prefix: "/#/io.l5d.fs/{service}"
          tls: {commonName: "{service}.mesh", trustCertsBundle: a.pem}
        - tls: {commonName: "{service}-{zone}.eu", prefix: "/#/*/*/{zone}"}
          prefix: "/#/io.l5d.fs/eu-{service}"
        - prefix: "/#/io.l5d.fs/open"
          tls: {enabled: false, commonName: x}

      """
    func tls(_ id: String) throws -> Configuration.ClientTLS? { try settings(configs, id).tls }
    let web = try #require(try tls("/#/io.l5d.fs/web"))
    #expect(web.commonName == "web.mesh")
    #expect(web.terms.trustCertsBundle == "a.pem")
    let shop = try #require(try tls("/#/io.l5d.fs/eu-shop/west"))
    #expect(shop.commonName == "shop-west.eu")
    #expect(shop.prefix == nil)
    #expect(shop.terms.trustCertsBundle == nil)
    #expect(try tls("/#/io.l5d.fs/eu-shop") == nil)
    #expect(try tls("/#/io.l5d.fs/open") == nil)
    #expect(try tls("/$/inet/a/1") == nil)
  }

  @Test("a name that would come out empty is one that no certificate has")
  func emptyName() throws {
    let name = try ExpectedTLSName(prefix: nil, commonName: "{x}", captures: ["x"])
    #expect(name.answer(for: try Path(parsing: "/a"), captures: ["x": []]) == .name("{x}"))
  }

  @Test("windows of different entries come together without contradiction")
  func windows() throws {
    let configs = """
        - {prefix: /, maxStreamWindowBytes: 100000}
        - {prefix: /a, initialStreamWindowBytes: 200000}

      """
    let http2 = try settings(configs, "/a").http2
    #expect(http2.initialStreamWindowBytes == 200_000 && http2.maxStreamWindowBytes == 200_000)
    #expect(try settings(configs, "/b").http2.maxStreamWindowBytes == 100_000)
  }

  @Test("mistakes are told with their place")
  func mistakes() {
    func lines(_ client: String) -> [String] {
      load("routers: [{protocol: http, servers: [{}], client: {\(client)}}]").lines.map {
        String($0.drop { $0 != " " }.dropFirst())
      }
    }
    #expect(
      lines("configs: [{prefix: /}]") == [
        "error routers[0].client.configs: unknown key. Write \"kind: io.l5d.static\" beside it."
      ])
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: /}], connectTimeoutMs: 5") == [
        "error routers[0].client.connectTimeoutMs: unknown key. Write it into an entry of configs, as in "
          + "{prefix: /, connectTimeoutMs: …}."
      ])
    #expect(
      lines("kind: io.l5d.static, configs: [{connectTimeoutMs: 5}]").first?.hasPrefix(
        "error routers[0].client.configs[0]: the key \"prefix\" is missing. ") == true)
    #expect(lines("kind: io.l5d.static").first?.contains("the key \"configs\" is missing") == true)
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: /}, {prefix: /a, conectTimeoutMs: 5}]") == [
        "error routers[0].client.configs[1].conectTimeoutMs: unknown key. Did you mean \"connectTimeoutMs\"?"
      ])
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: a}]").first?.contains(
        "client.configs[0].prefix: expected a pattern that begins with `/`") == true)
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: \"/a/{x}\", tls: {commonName: \"{y}\"}}]").first?.contains(
        "client.configs[0].tls.commonName: the pattern captures nothing named {y}") == true)
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: \"/a/{x}\"}, {prefix: /, tls: {commonName: \"{x}\"}}]").count == 1)
    #expect(
      lines("kind: static, configs: []") == [
        "error routers[0].client.kind: unknown kind \"static\". Did you mean \"io.l5d.static\"?"
      ])
    #expect(
      lines("kind: io.l5d.static, configs: [{prefix: /, initialStreamWindowBytes: 90000, maxStreamWindowBytes: 70000}]")
        == [
          "error routers[0].client.configs[0].maxStreamWindowBytes: 70000 is less than initialStreamWindowBytes (90000)"
        ])
  }
}

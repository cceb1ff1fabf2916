import MeshBase
import Testing

@testable import Config

@Suite("loading")
struct LoadingTests {
  @Test("the least file gives linkerd's defaults, and finite ones where linkerd waited for ever")
  func defaults() throws {
    let loaded = load("routers: [{protocol: http, servers: [{}]}]")
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(configuration.admin.port == 9_990)
    #expect(configuration.admin.ip == "127.0.0.1")
    #expect(configuration.workers == nil)
    let router = configuration.routers[0]
    #expect(router.label == "http")
    #expect(router.namespace == "http")
    #expect(router.dstPrefix == "/svc")
    #expect(router.bindingTimeoutMilliseconds == 10_000)
    #expect(router.identifiers == [.headerToken(header: "Host")])
    #expect(router.maxHeadersKilobytes == 8)
    #expect(router.servers[0].port == 4_140)
    #expect(router.servers[0].clearContext == false)
    #expect(router.servers[0].session.idleTimeMilliseconds == 600_000)
    #expect(router.client.loadBalancer.kind == .ewma(decayTimeMilliseconds: 10_000))
    #expect(router.client.connectTimeoutMilliseconds == 1_000)
    #expect(router.client.requeueBudget == Configuration.RetryBudget())
    #expect(router.service.totalTimeoutMilliseconds == nil)
  }

  @Test("an h2 router has linkerd's defaults for h2, unless something else is written")
  func h2Defaults() throws {
    let loaded = load(
      """
      routers:
      - protocol: h2
        servers: [{}, {port: 4140, maxConcurrentStreamsPerConnection: 10, maxFrameBytes: 32768}]
      - protocol: h2
        label: old
        servers: [{port: 5000, windowUpdateRatio: 0.5}]
        client: {protocol: h1, maxHeaderListBytes: 2048, clientSession: {keepAliveMs: 0}}
      """)
    #expect(loaded.lines.isEmpty)
    let routers = try #require(loaded.configuration).routers
    #expect(routers[0].label == "h2" && routers[0].namespace == "h2" && routers[0].client.protocol == .h2)
    #expect(routers[0].servers.map(\.port) == [4_142, 4_140])
    #expect(routers[0].servers[0].http2 == Configuration.HTTP2())
    #expect(routers[0].servers[0].maxConcurrentStreamsPerConnection == 1_000)
    #expect(routers[0].servers[1].maxConcurrentStreamsPerConnection == 10)
    #expect(routers[0].servers[1].http2.maxFrameBytes == 32_768)
    #expect(routers[0].client.session.keepAliveMilliseconds == 30_000)
    #expect(routers[1].client.protocol == .h1 && routers[1].client.http2.maxHeaderListBytes == 2_048)
    #expect(routers[1].client.session.keepAliveMilliseconds == nil)
  }

  @Test("HTTP/2 limits: one number for a rate and its burst; a window cannot begin above what it may grow to")
  func http2Limits() throws {
    let loaded = load(
      """
      routers:
      - protocol: http
        servers:
        - initialConnectionWindowBytes: 70000
          maxStreamWindowBytes: 131072
          maxReceiveBufferBytes: 262144
          http2Limits: {maxResetsPerSecond: 20, maxContinuations: 3, maxHeldHeaderBytes: 65536}
        client: {http2Limits: {maxPingsPerSecond: 7}}
      """)
    #expect(loaded.lines.isEmpty)
    let router = try #require(loaded.configuration).routers[0]
    let server = router.servers[0].http2
    #expect(server.initialConnectionWindowBytes == 70_000 && server.maxStreamWindowBytes == 131_072)
    #expect(server.maxReceiveBufferBytes == 262_144)
    #expect(server.limits.rapidResets == HTTP2Rate(burst: 100, perSecond: 20))
    #expect(server.limits.continuationsMax == 3 && server.limits.heldHeadBytesMax == 65_536)
    #expect(server.limits.pings == HTTP2Limits().pings)
    #expect(router.client.http2.limits.pings == HTTP2Rate(burst: 70, perSecond: 7))
    let bad = load(
      """
      routers:
      - protocol: http
        servers: [{initialStreamWindowBytes: 100000, maxStreamWindowBytes: 70000}]
        client: {http2Limits: {maxResetsPerSecond: 1}}
      """)
    #expect(bad.lines.count == 2)
    #expect(bad.lines.contains { $0.contains("70000 is less than initialStreamWindowBytes") })
  }

  @Test("a file with every section gives every value")
  func everything() throws {
    let loaded = load(
      """
      admin:
        ip: 10.0.0.1
        port: 9991
        socketPath: /run/meshrouter/admin.sock
        token: "abc"
        shutdownGraceMs: 0
        security: {uiEnabled: false, pathBlacklist: ["^/admin/shutdown$"]}
      workers: 3
      metrics: {maxSeries: 500, exactStatus: true}
      dtabStore: {kind: io.l5d.dir, directory: /var/lib/meshrouter/dtabs, historyMax: 7}
      logging: {level: debug, format: json}
      dns: {servers: [10.0.0.2, "[::1]:5353"], minTtlSeconds: 2, maxTtlSeconds: 20, timeoutMs: 300}
      namers:
      - kind: io.l5d.fs
        rootDir: disco
        pollIntervalMs: 250
        transformers:
        - {kind: io.l5d.port, port: 4141}
        - {kind: io.l5d.localhost}
        - {kind: io.l5d.specificHost, host: 10.0.0.9}
        - {kind: io.l5d.const, path: /svc/a}
        - {kind: io.l5d.replace, path: /svc/b}
      - kind: io.l5d.rewrite
        prefix: /my.rewrite
        pattern: "/{service}/api"
        name: "/svc/{service}"
      - kind: io.l5d.static
        names:
          web: ["127.0.0.1 8080", "::1 8081 * 2.5"]
          a/b: ["db.internal 5432"]
      routers:
      - protocol: http
        label: edge
        namespace: prod
        dtab: |
          /svc => /#/io.l5d.fs;
        dstPrefix: /http
        originator: true
        bindingTimeoutMs: 500
        bindingCache: {paths: 10, trees: 11, bounds: 12, clients: 13, idleTtlSecs: 14}
        identifier:
        - {kind: io.l5d.methodAndHost, httpUriInDst: true}
        - {kind: io.l5d.path, segments: 2, consume: true}
        - {kind: io.l5d.header, header: my-name}
        - {kind: io.l5d.header.token}
        - {kind: io.l5d.static, path: /rest}
        interpreter: {kind: io.l5d.fs, dtabFile: base.dtab}
        streamIdleTimeoutMs: 0
        maxHeadersKB: 16
        maxInitialLineKB: 8
        maxErrResponseKB: 10
        httpAccessLog: "-"
        accessLogFormat: json
        servers:
        - ip: 0.0.0.0
          port: 80
          maxConcurrentRequests: 100
          maxConnections: 200
          addForwardedHeader: {by: {kind: router}, for: {kind: "ip:port"}}
          timestampHeader: x-start
          maxCallDepth: 9
          socketOptions: {noDelay: false, keepAlive: true, backlog: 99}
          serverSession: {idleTimeMs: 1000, lifeTimeMs: 2000}
          headerTimeoutMs: 3000
          allowConnect: true
        client:
          kind: io.l5d.global
          loadBalancer: {kind: aperture, minAperture: 3, lowLoad: 0.25, highLoad: 1, maxEffort: 7}
          hostConnectionPool: {minSize: 1, maxSize: 10, idleTimeMs: 5000, maxWaiters: 5}
          connectTimeoutMs: 200
          requestAttemptTimeoutMs: 400
          requeueBudget: {minRetriesPerSec: 1, percentCanRetry: 0.5, ttlSecs: 20}
          clientSession: {idleTimeMs: 0}
        service: {totalTimeoutMs: 900}
      """)
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(configuration.admin.token == "abc")
    #expect(configuration.admin.security.uiEnabled == false)
    #expect(configuration.admin.shutdownGraceMilliseconds == 0)
    #expect(configuration.workers == 3)
    #expect(configuration.metrics.exactStatus)
    #expect(configuration.logging.level == .debug)
    #expect(configuration.dns.servers == ["10.0.0.2", "[::1]:5353"])
    var store = Configuration.DtabStore.DirectoryStore()
    store.path = "/var/lib/meshrouter/dtabs"
    store.historyMax = 7
    #expect(configuration.dtabStore == .directory(store))
    #expect(configuration.namers.map(\.prefix) == ["/io.l5d.fs", "/my.rewrite", "/io.l5d.static"])
    #expect(
      configuration.namers[0].transformers == [
        .port(4_141), .localhost, .specificHost("10.0.0.9"), .const("/svc/a"), .replace("/svc/b"),
      ])
    guard case .static(let names) = configuration.namers[2].kind else {
      Issue.record("not static")
      return
    }
    #expect(names.names.map(\.name) == ["web", "a/b"])
    #expect(names.names[0].endpoints[1] == Configuration.StaticEndpoint(host: "::1", port: 8_081, weight: 2.5))
    let router = configuration.routers[0]
    #expect(router.dtab == "/svc => /#/io.l5d.fs;\n")
    #expect(
      router.identifiers == [
        .methodAndHost(httpUriInDst: true), .path(segments: 2, consume: true), .header(header: "my-name"),
        .headerToken(header: "Host"), .static(path: "/rest"),
      ])
    #expect(router.interpreter.kind == .fs(dtabFile: "base.dtab"))
    #expect(router.streamIdleTimeoutMilliseconds == nil)
    #expect(router.servers[0].clearContext)
    #expect(router.servers[0].addForwardedHeader?.by == .router)
    #expect(router.servers[0].addForwardedHeader?.for == .ipAndPort)
    #expect(router.client.pool.maxSize == 10)
    #expect(router.client.session.idleTimeMilliseconds == nil)
    #expect(router.client.loadBalancer.maxEffort == 7)
    guard case .aperture(let aperture) = router.client.loadBalancer.kind else {
      Issue.record("not aperture")
      return
    }
    #expect(aperture.lowLoad == 0.25)
    #expect(router.service.totalTimeoutMilliseconds == 900)

    // The echo is a configuration in itself, equal to what it echoes but for the secret.
    var echoed = try #require(load(configuration.effectiveJSON).configuration)
    #expect(echoed.admin.token == "***")
    echoed.admin.token = "abc"
    #expect(echoed == configuration)
  }

  @Test("JSON is read as it is")
  func json() throws {
    let loaded = load(#"{"routers":[{"protocol":"http","servers":[{"port":4141}]}]}"#)
    #expect(loaded.lines.isEmpty)
    #expect(loaded.configuration?.routers[0].servers[0].port == 4_141)
  }

  @Test("aliases and merge keys share settings; what is written is stronger")
  func aliases() throws {
    let loaded = load(
      """
      routers:
      - &base
        protocol: http
        label: a
        dtab: /svc => /$/inet/127.1/1
        servers: [{port: 1}]
      - <<: *base
        label: b
        servers: [{port: 2}]
      """)
    #expect(loaded.lines.isEmpty)
    #expect(loaded.configuration?.routers.map(\.label) == ["a", "b"])
    #expect(loaded.configuration?.routers[1].dtab == "/svc => /$/inet/127.1/1")
    #expect(loaded.configuration?.routers[1].servers[0].port == 2)
  }

  @Test("context is cleared by default exactly where others than this host can connect")
  func clearContext() {
    for (ip, expected) in [
      ("127.0.0.1", false), ("127.8.8.8", false), ("::1", false), ("0.0.0.0", true), ("10.1.1.1", true), ("::", true),
    ] {
      let loaded = load("routers: [{protocol: http, servers: [{ip: \"\(ip)\"}]}]")
      #expect(loaded.configuration?.routers[0].servers[0].clearContext == expected, "\(ip)")
    }
    let explicit = load("routers: [{protocol: http, servers: [{ip: 127.0.0.1, clearContext: true}]}]")
    #expect(explicit.configuration?.routers[0].servers[0].clearContext == true)
  }

  @Test("run --to stands for a file without problems", arguments: ["127.0.0.1:8080", "8080", "[::1]:8080", "web:80"])
  func singleBackend(target: String) throws {
    let text = try #require(Configuration.singleBackendYAML(to: target))
    let loaded = load(text)
    #expect(loaded.lines.isEmpty)
    let router = try #require(loaded.configuration?.routers.first)
    #expect(router.identifiers == [.static(path: "/backend")])
    #expect(router.dtab.hasPrefix("/svc/backend => /$/inet/"))
  }

  @Test(
    "run --to refuses what is no address",
    arguments: ["", "web", "web:", "web:0", ":80", "::1:80", "[web]:80", "a b:80", "web:99999", "[1.2.3.4]:80"])
  func badBackend(target: String) {
    #expect(Configuration.singleBackendYAML(to: target) == nil)
  }
}

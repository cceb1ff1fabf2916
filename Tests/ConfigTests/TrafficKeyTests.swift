import Testing

@testable import Config

@Suite("keys of traffic control")
struct TrafficKeyTests {
  private func client(_ text: String) -> Loaded {
    load("routers: [{protocol: http, servers: [{}], client: {\(text)}}]")
  }

  private func service(_ text: String) -> Loaded {
    load("routers: [{protocol: http, servers: [{}], service: {\(text)}}]")
  }

  /// Of a configuration that nothing is said against, and that is the same once it was written out and read.
  private func router(_ loaded: Loaded) throws -> Configuration.Router {
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
    return configuration.routers[0]
  }

  @Test("nothing is changed where nothing is written")
  func off() throws {
    let router = try router(client(""))
    #expect(router.client.requestHeaders == nil && router.client.responseHeaders == nil)
    #expect(router.client.stickyCookie == nil)
    #expect(router.service.requestHeaders == nil && router.service.responseHeaders == nil)
  }

  @Test("header rules are read in their order")
  func headers() throws {
    var rules = Configuration.HeaderRules()
    rules.remove = ["X-Debug"]
    rules.set = [.init("X-Version", "2"), .init("X-Empty", "")]
    rules.add = [.init("Via-Team", "a, b")]
    let text = #"Headers: {remove: [X-Debug], set: {X-Version: 2, X-Empty: ""}, add: {Via-Team: "a, b"}}"#
    #expect(try router(client("request" + text)).client.requestHeaders == rules)
    #expect(try router(service("response" + text)).service.responseHeaders == rules)
  }

  @Test(
    "fields that the router or the protocol writes are refused, each where it stands",
    arguments: [
      ("request", "Host"), ("request", "content-length"), ("request", "Transfer-Encoding"), ("request", "Connection"),
      ("request", "l5d-dtab"), ("request", "Via"), ("request", "Expect"), ("request", "x-forwarded-client-cert"),
      ("response", "Content-Length"), ("response", "Date"), ("response", "grpc-status"), ("response", "L5d-Err"),
      ("response", "Upgrade"),
    ])
  func refused(direction: String, name: String) {
    for rule in ["set: {\(name): x}", "add: {\(name): x}", "remove: [\(name)]"] {
      let lines = service("\(direction)Headers: {\(rule)}").lines
      let place = rule.hasPrefix("remove") ? "remove[0]" : "\(rule.prefix(3)).\(name)"
      #expect(
        lines.count == 1 && lines[0].contains("service.\(direction)Headers.\(place): \"\(name)\""), "\(lines)")
    }
  }

  @Test("what would be no field, or more than one, is refused")
  func malformed() {
    let values = [
      #"set: {X-A: "a\nX-B: b"}"#, #"set: {X-A: "a\rb"}"#, #"set: {X-A: "a\0b"}"#, #"add: {X-A: " a"}"#,
      #"set: {"X A": b}"#, #"set: {":path": b}"#, #"set: {"": b}"#, #"remove: ["X-A:"]"#, "set: {X-A: }", "set: [X-A]",
      "set: {X-A: [b]}", "set: {X-A: a, X-A: b}",
    ]
    for value in values {
      let lines = client("requestHeaders: {\(value)}").lines
      #expect(lines.count == 1 && lines[0].contains("error"), "\(value): \(lines)")
    }
    #expect(client(#"requestHeaders: {set: {X-A: "a\nb"}}"#).lines[0].contains("a line end would begin another field"))
  }

  @Test("a sticky cookie is on when it is written, and may be off for some names")
  func sticky() throws {
    var cookie = Configuration.StickyCookie()
    #expect(try router(client("stickyCookie: {}")).client.stickyCookie == cookie)
    #expect(cookie.name == "mesosphere_server_id")
    cookie.name = "home"
    cookie.maxAgeSeconds = 60
    cookie.isSecure = true
    cookie.sameSite = Configuration.StickyCookie.SameSite.none
    cookie.isHTTPOnly = false
    cookie.isEnabled = false
    #expect(
      try router(
        client(
          "stickyCookie: {name: home, maxAgeSeconds: 60, secure: true, sameSite: None, httpOnly: false, enabled: false}"
        )
      ).client.stickyCookie == cookie)
    #expect(client("stickyCookie: {sameSite: None}").lines[0].contains("None, but secure is false"))
    #expect(client("stickyCookie: {name: 'a b'}").lines[0].contains("is not a cookie name"))
    let secret = try #require(client("stickyCookie: {secret: hush}").configuration)
    #expect(secret.routers[0].client.stickyCookie?.secret == "hush" && !secret.effectiveJSON.contains("hush"))
  }

  @Test("faults and mirrors are read, and are off where they are not written")
  func faultsAndMirrors() throws {
    #expect(try router(service("")).service == Configuration.Service())
    let faults = try #require(
      try router(
        service(
          "faults: {delay: {ms: 5, percent: 0.0001}, abort: {grpcStatus: 14, percent: 2.5}, byHeader: true,"
            + " onlyWith: {header: X-Chaos, value: on}}")
      ).service.faults)
    #expect(faults.delay?.milliseconds == 5 && faults.delay?.percent == 0.0001 && faults.isByHeader)
    #expect(faults.abort?.status == 503 && faults.abort?.grpcStatus == 14 && faults.abort?.percent == 2.5)
    #expect(faults.onlyWith?.header == "X-Chaos" && faults.onlyWith?.value == "on")
    let mirror = try #require(try router(service("mirror: {name: /svc/shadow, percent: 5}")).service.mirror)
    #expect(mirror.name == "/svc/shadow" && mirror.percent == 5 && mirror.maxBodyBytes == 65_536)
    #expect(mirror.maxInFlight == 64 && mirror.timeoutMilliseconds == 10_000)
    #expect(service("mirror: {percent: 5}").lines[0].contains("\"name\" is missing"))
    #expect(service("mirror: {name: shadow}").lines[0].contains("is not a path"))
    #expect(service("faults: {abort: {status: 503}}").lines[0].contains("\"percent\" is missing"))
    #expect(service("faults: {delay: {ms: 5, percent: 101}}").lines[0].contains("out of range"))
  }

  @Test("a ring hashes a header or a cookie")
  func ring() throws {
    var ring = Configuration.LoadBalancer.Ring()
    ring.hashCookie = "JSESSIONID"
    #expect(
      try router(client("loadBalancer: {kind: ring, hashCookie: JSESSIONID}")).client.loadBalancer.kind == .ring(ring))
    #expect(
      client("loadBalancer: {kind: ring, hashCookie: a, hashHeader: b}").lines[0].contains("there is a hashHeader"))
  }
}

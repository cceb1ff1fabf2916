import Testing

@testable import Config

@Suite("keys of limits, rates and priority")
struct OverloadKeyTests {
  private func loaded(_ router: String = "", server: String = "", top: String = "") -> Loaded {
    load("\(top)\nrouters: [{protocol: http, \(router) servers: [{\(server)}]}]")
  }

  /// Of a configuration that nothing is said against, and that is the same once it was written out and read.
  private func router(_ loaded: Loaded) throws -> Configuration.Router {
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
    return configuration.routers[0]
  }

  @Test("nothing is limited by default")
  func defaults() throws {
    let router = try router(loaded())
    #expect(router.client.concurrencyLimit.law == .none && router.client.concurrencyLimit.queue.size == 0)
    #expect(router.rateLimits.isEmpty && router.service.rateLimits.isEmpty && router.servers[0].rateLimits.isEmpty)
    #expect(router.priority == nil && router.servers[0].requestQueue.size == 0)
    #expect(loaded().configuration?.memoryLimitMegabytes == nil)
    #expect(loaded(top: "memoryLimitMB: 0").configuration?.memoryLimitMegabytes == 0)
  }

  @Test("concurrency limits")
  func concurrency() throws {
    let gradient = try router(
      loaded("client: {concurrencyLimit: {kind: gradient, min: 2, max: 50, tolerance: 1.5, queue: {size: 9}}},"))
    var wanted = Configuration.ConcurrencyLimit()
    var details = Configuration.ConcurrencyLimit.Gradient()
    details.tolerance = 1.5
    (wanted.law, wanted.min, wanted.max, wanted.queue.size) = (.gradient(details), 2, 50, 9)
    #expect(gradient.client.concurrencyLimit == wanted)
    let aimd = try router(loaded("client: {concurrencyLimit: {kind: aimd, latencyMs: 30}},")).client.concurrencyLimit
    guard case .aimd(let late) = aimd.law else { return #expect(Bool(false)) }
    #expect(late.latencyMilliseconds == 30 && late.decrease == 0.9)
    let odd = loaded("client: {concurrencyLimit: {kind: aimd, min: 9, max: 8}},")
    #expect(odd.lines.contains { $0.contains("more than max") })
  }

  @Test("rates and queues")
  func rates() throws {
    let router = try router(
      loaded(
        "rateLimits: [{requestsPerSecond: 0.5}], service: {rateLimits: [{requestsPerSecond: 5, burst: 7}]},",
        server:
          "maxConcurrentRequests: 5, requestQueue: {size: 3, maxWaitMs: 20}, rateLimits: [{requestsPerSecond: 9, perHeader: x-user}]"
      ))
    #expect(router.rateLimits[0].requestsPerSecond == 0.5 && router.rateLimits[0].burst == nil)
    #expect(router.service.rateLimits[0].burst == 7)
    #expect(router.servers[0].rateLimits[0].perHeader == "x-user")
    #expect(router.servers[0].requestQueue.size == 3 && router.servers[0].requestQueue.waitMilliseconds == 20)
    #expect(!loaded("rateLimits: [{burst: 3}],").lines.isEmpty)
    #expect(!loaded("service: {rateLimits: [{requestsPerSecond: 1, perHeader: x}]},").lines.isEmpty)
    #expect(!loaded("rateLimits: [{requestsPerSecond: 0}],").lines.isEmpty)
  }

  @Test("priority")
  func priority() throws {
    let priority = try #require(
      try router(loaded("priority: {header: x-i, classes: [{value: a}, {value: b, share: 0.5, default: true}]},"))
        .priority
    )
    #expect(priority.classes.map(\.value) == ["a", "b"] && priority.classes.map(\.share) == [1, 0.5])
    #expect(priority.classes.map(\.isDefault) == [false, true])
    for wrong in [
      "{header: x-i, classes: []}", "{header: x-i, classes: [{value: a}, {value: A}]}", "{classes: [{value: a}]}",
      "{header: x-i, classes: [{value: a, share: 0}]}",
    ] {
      #expect(!loaded("priority: \(wrong),").lines.isEmpty, "\(wrong)")
    }
  }
}

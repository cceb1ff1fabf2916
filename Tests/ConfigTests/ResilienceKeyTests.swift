import Testing

@testable import Config

@Suite("keys of retries and failure accrual")
struct ResilienceKeyTests {
  private func client(_ text: String) -> Loaded {
    load("routers: [{protocol: http, servers: [{}], client: {\(text)}}]")
  }

  private func service(_ text: String) -> Loaded {
    load("routers: [{protocol: http, servers: [{}], service: {\(text)}}]")
  }

  private func accrual(_ text: String) throws -> Configuration.FailureAccrual {
    try router(client("failureAccrual: {\(text)}")).client.failureAccrual
  }

  private func classifier(_ text: String) throws -> Configuration.ResponseClassifier {
    try router(service("responseClassifier: {\(text)}")).service.responseClassifier
  }

  /// Of a configuration that nothing is said against, and that is the same once it was written out and read.
  private func router(_ loaded: Loaded) throws -> Configuration.Router {
    #expect(loaded.lines.isEmpty)
    let configuration = try #require(loaded.configuration)
    #expect(load(configuration.effectiveJSON).configuration == configuration)
    return configuration.routers[0]
  }

  @Test("what is not written is as in linkerd")
  func defaults() throws {
    let router = try #require(load("routers: [{protocol: http}]").configuration).routers[0]
    let probing = Configuration.Backoff.jittered(minMilliseconds: 5_000, maxMilliseconds: 300_000)
    #expect(router.client.failureAccrual == .consecutiveFailures(failures: 5, backoff: probing))
    #expect(router.service.responseClassifier == .nonRetryable5XX)
    #expect(router.service.retries.backoff == .constant(milliseconds: 0))
    #expect(router.service.retries.budget == Configuration.RetryBudget())
    #expect(router.service.retryBufferSize.requestBytes == 16_383)
  }

  @Test("linkerd's failure accruals are read")
  func accruals() throws {
    let probing = Configuration.FailureAccrual.usualBackoff
    #expect(try accrual("kind: none") == Configuration.FailureAccrual.none)
    #expect(
      try accrual("kind: io.l5d.consecutiveFailures, failures: 3, backoff: {kind: constant, ms: 100}")
        == .consecutiveFailures(failures: 3, backoff: .constant(milliseconds: 100)))
    #expect(
      try accrual("kind: io.l5d.successRate, successRate: 0.9, requests: 20")
        == .successRate(successRate: 0.9, requests: 20, backoff: probing))
    #expect(
      try accrual(
        "kind: io.l5d.successRateWindowed, successRate: 1, window: 30, backoff: {kind: jittered, minMs: 5, maxMs: 9}")
        == .successRateWindowed(
          successRate: 1, windowSeconds: 30, backoff: .jittered(minMilliseconds: 5, maxMilliseconds: 9)))
  }

  @Test("linkerd's classifiers of both protocols are read, and ranges of statuses")
  func classifiers() throws {
    let plain: [(String, Configuration.ResponseClassifier)] = [
      ("nonRetryable5XX", .nonRetryable5XX), ("retryableRead5XX", .retryableRead5XX),
      ("retryableIdempotent5XX", .retryableIdempotent5XX), ("retryableAll5XX", .retryableAll5XX),
      ("allSuccessful", .allSuccessful),
    ]
    for (name, value) in plain {
      #expect(try classifier("kind: io.l5d.http.\(name)") == value)
      #expect(try classifier("kind: io.l5d.h2.\(name)") == value)
    }
    #expect(try classifier("kind: io.l5d.h2.grpc.default") == .grpc(.init(.default)))
    #expect(try classifier("kind: io.l5d.h2.grpc.compliant") == .grpc(.init(.compliant)))
    #expect(try classifier("kind: io.l5d.h2.grpc.neverRetryable") == .grpc(.init(.never)))
    var always = Configuration.ResponseClassifier.GRPC(.always)
    always.successStatusCodes = [0, 5]
    #expect(try classifier("kind: io.l5d.h2.grpc.alwaysRetryable, successStatusCodes: [0, 5]") == .grpc(always))
    #expect(
      try classifier("kind: io.l5d.h2.grpc.retryableStatusCodes, retryableStatusCodes: [8, 14]")
        == .grpc(.init(.statusCodes([8, 14]))))
    var ranges = Configuration.ResponseClassifier.StatusRanges()
    ranges.success = [200...399, 404...404]
    ranges.retryable = [502...504]
    ranges.methods = .all
    #expect(
      try classifier(
        "kind: io.l5d.http.statusRanges, success: [200-399, 404], retryable: [502-504], methods: all")
        == .statusRanges(ranges))
  }

  @Test("a budget and a back-off of retries are read, and how much of a body is kept")
  func retries() throws {
    let loaded = service(
      "retries: {budget: {minRetriesPerSec: 5, percentCanRetry: 0.5, ttlSecs: 15}, "
        + "backoff: {kind: jittered, minMs: 50, maxMs: 3000}}, retryBufferSize: {requestBytes: 100, responseBytes: 1}")
    #expect(loaded.lines.isEmpty)
    #expect(loaded.hints.contains { $0.contains("retryBufferSize.responseBytes: has no effect") })
    let service = try #require(loaded.configuration).routers[0].service
    #expect(service.retries.budget.ttlSeconds == 15)
    #expect(service.retries.backoff == .jittered(minMilliseconds: 50, maxMilliseconds: 3_000))
    #expect(service.retryBufferSize.requestBytes == 100)
  }

  @Test("what does not fit is told with its place")
  func mistakes() {
    func first(_ loaded: Loaded) -> String {
      loaded.lines.first.map { String($0.drop { $0 != " " }.dropFirst()) } ?? ""
    }
    #expect(
      first(client("failureAccrual: {failures: 3}")).hasPrefix(
        #"error routers[0].client.failureAccrual: "kind" is missing. It is one of io.l5d.consecutiveFailures, "#))
    #expect(
      first(client("failureAccrual: {kind: consecutiveFailures}")).hasSuffix(
        #"Did you mean "io.l5d.consecutiveFailures"?"#))
    #expect(
      first(client("failureAccrual: {kind: io.l5d.successRate, successRate: 90, requests: 5}"))
        == "error routers[0].client.failureAccrual.successRate: 90 is out of range. Allowed: 0 to 1.")
    #expect(
      first(service("retries: {backoff: {kind: jittered, minMs: 9, maxMs: 5}}"))
        == "error routers[0].service.retries.backoff.minMs: 9 is more than maxMs (5)")
    #expect(
      first(service("responseClassifier: {kind: io.l5d.http.statusRanges, success: [2xx]}"))
        == "error routers[0].service.responseClassifier.success[0]: \"2xx\" is not a range of statuses. "
        + "Write for example 404 or 500-599.")
    #expect(
      first(service("responseClassifier: {kind: io.l5d.h2.grpc.retryableStatusCodes, retryableStatusCodes: [17]}"))
        .hasSuffix("17 is out of range. Allowed: 0 to 16."))
  }
}

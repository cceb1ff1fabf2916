import MeshBase

/// Label values that many lines share.
private enum LabelText {
  static let reasons = Reason.allCases.map { Array("reason=\"\($0.rawValue)\"".utf8) }

  /// Status as a class, then the reason.
  static let statusReasons = Reason.allCases.map {
    Array("status=\"\($0.status / 100)xx\",reason=\"\($0.rawValue)\"".utf8)
  }
  static let exactStatusReasons = Reason.allCases.map {
    Array("status=\"\($0.status)\",reason=\"\($0.rawValue)\"".utf8)
  }
  /// By class 0…5.
  static let statuses = StatusWords.classNames.map { Array("status=\"\($0)\"".utf8) }
  static let statusesWithoutReason = StatusWords.classNames.map { Array("status=\"\($0)\",reason=\"\"".utf8) }
  /// By word; other codes under their class.
  static let exactStatuses =
    StatusWords.exact.map { Array("status=\"\($0)\",reason=\"\"".utf8) }
    + [1, 2, 3, 4, 5, 0].map { Array("status=\"\(StatusWords.classNames[$0])\",reason=\"\"".utf8) }

  static let success = Array("result=\"success\"".utf8)
  static let failure = Array("result=\"failure\"".utf8)
  static let successWithoutReason = Array("result=\"success\",reason=\"\"".utf8)
  static let failureWithoutReason = Array("result=\"failure\",reason=\"\"".utf8)
  static let failureReasons = Reason.allCases.map { Array("result=\"failure\",reason=\"\($0.rawValue)\"".utf8) }

  /// `HTTP2Words` from `remoteResets` on, where the other end is `peer`.
  static func resets(peer: String) -> [[UInt8]] {
    [peer, "router"].flatMap { by in HTTP2Words.codes.map { Array("by=\"\(by)\",code=\"\($0)\"".utf8) } }
  }
  static let callerResets = resets(peer: "caller")
  static let endpointResets = resets(peer: "endpoint")
  static let abuses = HTTP2Abuse.allCases.map { Array("abuse=\"\($0.rawValue)\"".utf8) }

  static let active = Array("state=\"active\"".utf8)
  static let idle = Array("state=\"idle\"".utf8)
  static let ok = Array("state=\"ok\"".utf8)
  static let ejected = Array("state=\"ejected\"".utf8)
  static let probing = Array("state=\"probing\"".utf8)

  static let retries = RetryKind.allCases.flatMap { kind in
    RetryOutcome.allCases.map { outcome in
      (
        word: ServiceStats.Word.retry(kind, outcome),
        text: Array("kind=\"\(kind.rawValue)\",outcome=\"\(outcome.rawValue)\"".utf8),
        isRare: outcome == .limitReached
      )
    }
  }

  /// By place.
  static let faults = InjectedFault.allCases.sorted { $0.place < $1.place }.map {
    Array("kind=\"\($0.rawValue)\"".utf8)
  }
  static let mirrorEvents = MirrorEvent.allCases.sorted { $0.place < $1.place }.map {
    Array("event=\"\($0.rawValue)\"".utf8)
  }

  static let bindCaches = BindCache.allCases.map { Array("cache=\"\($0)\"".utf8) }
  static let bindEvents = BindCache.allCases.flatMap { cache in
    BindCacheEvent.allCases.filter { $0 != .idle }.map { event in
      (word: RouterStats.word(cache, event), text: Array("cache=\"\(cache)\",event=\"\(event)\"".utf8))
    }
  }
}

extension MetricsRegistry {
  func addServers(to page: inout PrometheusBuilder) {
    typealias Word = ServerStats.Word
    let scopes = routers.flatMap(\.servers.sorted)
    let exactStatus = page.options.exactStatus
    page.family(.serverRequests, scopes) { scope, family, out in
      if exactStatus {
        family.samples(&out, scope, from: Word.status, LabelText.exactStatuses)
      } else {
        for (place, count) in scope.statusClasses(Word.status).enumerated() where count > 0 || place >= 2 {
          family.sample(&out, scope.labels, LabelText.statusesWithoutReason[place], count)
        }
      }
      let texts = exactStatus ? LabelText.exactStatusReasons : LabelText.statusReasons
      family.samples(&out, scope, from: Word.reasons, texts)
    }
    page.histogram(.serverDuration, scopes, Word.latency, .requests)
    page.gauge(.serverInFlight, scopes, Word.pending)
    page.gauge(.serverConnections, scopes, Word.connections)
    page.word(.serverConnectionsOpened, scopes, Word.connects)
    page.word(.serverConnectionsClosed, scopes, Word.closes)
    page.word(.serverFailedHandshakes, scopes, Word.failedHandshakes)
    page.word(.serverRejectedConnections, scopes, Word.rejectedConnections)
    page.word(.serverAcceptPauses, scopes, Word.acceptPauses)
    page.gauge(.serverQueued, scopes, Word.queued)
    page.word(.serverWaited, scopes, Word.waited)
    page.word(.serverReceivedBytes, scopes, Word.receivedBytes)
    page.word(.serverSentBytes, scopes, Word.sentBytes)
    page.gauge(.serverStreams, scopes, Word.http2 + HTTP2Words.streams)
    page.family(.serverResets, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.http2 + HTTP2Words.remoteResets, LabelText.callerResets)
    }
    page.family(.serverAbuse, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.abuses, LabelText.abuses)
    }
    let errors = routers.map { (labels: $0.own.labels, servers: $0.servers.sorted) }
    page.family(.errors, errors) { router, family, out in
      for (reason, text) in LabelText.reasons.enumerated() {
        var count: UInt64 = 0
        for server in router.servers { count &+= server.sum(Word.reasons + reason) }
        if count > 0 { family.sample(&out, router.labels, text, count) }
      }
    }
  }

  func addServices(to page: inout PrometheusBuilder) {
    typealias Word = ServiceStats.Word
    var scopes = routers.flatMap(\.services.sorted)
    if let wanted = page.options.service { scopes.removeAll { $0.name != wanted } }
    page.family(.serviceRequests, scopes) { scope, family, out in
      family.sample(&out, scope.labels, LabelText.success, scope.sum(Word.success))
      family.sample(&out, scope.labels, LabelText.failure, scope.failures)
    }
    page.family(.serviceFailures, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.reasons, LabelText.reasons)
    }
    page.histogram(.serviceDuration, scopes, Word.latency, .requests)
    page.gauge(.serviceInFlight, scopes, Word.pending)
    page.family(.serviceRetries, scopes) { scope, family, out in
      for place in LabelText.retries.indices {
        let count = scope.sum(LabelText.retries[place].word)
        if count == 0, LabelText.retries[place].isRare { continue }
        family.sample(&out, scope.labels, LabelText.retries[place].text, count)
      }
    }
    page.family(.serviceRetryBudget, scopes) { scope, family, out in
      let capacity = scope.sum(Word.budgetCapacity)
      if capacity == 0 { return }
      family.begin(&out, scope.labels)
      out.finite(Double(scope.sum(Word.budgetBalance)) / Double(capacity))
      out.byte(10)
    }
    page.family(.serviceFaults, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.faults, LabelText.faults)
    }
    page.family(.serviceMirror, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.mirror, LabelText.mirrorEvents)
    }
  }

  func addClients(to page: inout PrometheusBuilder) {
    typealias Word = ClientStats.Word
    let scopes = routers.flatMap(\.clients.sorted)
    page.family(.clientAttempts, scopes) { scope, family, out in
      family.sample(&out, scope.labels, LabelText.successWithoutReason, scope.sum(Word.success))
      family.sample(&out, scope.labels, LabelText.failureWithoutReason, scope.sum(Word.unexplained))
      family.samples(&out, scope, from: Word.reasons, LabelText.failureReasons)
    }
    page.family(.clientResponses, scopes) { scope, family, out in
      for (place, count) in scope.statusClasses(Word.status).enumerated() where place > 0 && count > 0 {
        family.sample(&out, scope.labels, LabelText.statuses[place], count)
      }
    }
    page.histogram(.clientDuration, scopes, Word.latency, .requests)
    page.gauge(.clientInFlight, scopes, Word.pending)
    page.family(.clientConnectDuration, scopes) { scope, family, out in
      family.begin(&out, suffix: "_sum", scope.labels)
      out.decimal(scope.sum(Word.connectLatency + HistogramWords.sumWord), 6)
      out.byte(10)
      family.begin(&out, suffix: "_count", scope.labels)
      out.number(scope.sum(Word.connects))
      out.byte(10)
    }
    page.word(.clientConnectFailures, scopes, Word.failedConnects)
    page.word(.clientConnectionsClosed, scopes, Word.closes)
    page.family(.clientConnections, scopes) { scope, family, out in
      let open = max(0, scope.gauge(Word.connections))
      let idle = min(open, max(0, scope.gauge(Word.poolCached)))
      family.sample(&out, scope.labels, LabelText.active, UInt64(open - idle))
      family.sample(&out, scope.labels, LabelText.idle, UInt64(idle))
    }
    page.family(.clientEndpoints, scopes) { scope, family, out in
      let endpoints = scope.endpoints
      family.sample(&out, scope.labels, LabelText.ok, endpoints.ok)
      family.sample(&out, scope.labels, LabelText.ejected, endpoints.ejected)
      family.sample(&out, scope.labels, LabelText.probing, endpoints.probing)
    }
    page.family(.clientEndpointUpdates, scopes) { scope, family, out in
      family.sample(&out, scope.labels, scope.largest(Word.updates))
    }
    page.word(.clientEjections, scopes, Word.removals)
    page.word(.clientEjectionsRefused, scopes, Word.ejectionsRefused)
    page.word(.clientRevivals, scopes, Word.revivals)
    page.word(.clientPanics, scopes, Word.panics)
    page.word(.clientRequeues, scopes, Word.requeues)
    page.gauge(.clientWaiters, scopes, Word.poolWaiters)
    page.word(.clientWaited, scopes, Word.poolWaited)
    page.word(.clientTooManyWaiters, scopes, Word.poolTooManyWaiters)
    page.gauge(.clientConcurrencyLimit, scopes, Word.concurrencyLimit)
    page.word(.clientShed, scopes, Word.shed)
    page.word(.clientReceivedBytes, scopes, Word.receivedBytes)
    page.word(.clientSentBytes, scopes, Word.sentBytes)
    page.gauge(.clientStreams, scopes, Word.http2 + HTTP2Words.streams)
    page.family(.clientResets, scopes) { scope, family, out in
      family.samples(&out, scope, from: Word.http2 + HTTP2Words.remoteResets, LabelText.endpointResets)
    }
    page.word(.clientDeadConnections, scopes, Word.deadConnections)
  }

  func addRouters(to page: inout PrometheusBuilder) {
    let scopes = routers.map(\.own)
    page.family(.bindCacheEvents, scopes) { scope, family, out in
      for event in LabelText.bindEvents { family.sample(&out, scope.labels, event.text, scope.sum(event.word)) }
    }
    page.family(.bindCacheIdle, scopes) { scope, family, out in
      for cache in BindCache.allCases {
        let text = LabelText.bindCaches[cache.rawValue]
        family.sample(&out, scope.labels, text, scope.sum(RouterStats.word(cache, .idle)))
      }
    }
  }

  func addWorkers(to page: inout PrometheusBuilder) {
    typealias Word = WorkerStats.Word
    let all = allWorkers
    page.histogram(.stageDuration, Stage.allCases) { stage, family, scratch, out in
      let base = WorkerStats.histograms[1 + stage.ordinal]
      let labels = Array("stage=\"\(stage.rawValue)\"".utf8)
      family.histogram(&out, labels, .stages, all.words, base, scratch)
    }
    page.family(.workerBusy, workerScopes) { scope, family, out in
      family.begin(&out, scope.labels)
      out.decimal(scope.sum(Word.busyNanoseconds), 9)
      out.byte(10)
    }
    let ratios = busy.ratios
    page.family(.workerBusyRatio, Array(workerScopes.enumerated())) { worker, family, out in
      family.begin(&out, worker.element.labels)
      out.finite(ratios[worker.offset])
      out.byte(10)
    }
    page.word(.workerTurns, workerScopes, Word.turns)
    page.histogram(.workerDelay, workerScopes, Word.loopDelay, .turns)
    page.word(.accessLogDropped, [all], Word.accessLogDropped)
  }

  func addRegistry(to page: inout PrometheusBuilder) {
    let overflows = overflows
    page.family(.overflow, [()]) { _, family, out in family.sample(&out, [], overflows) }
    let services = Array("scope=\"service\"".utf8)
    let clients = Array("scope=\"client\"".utf8)
    page.family(.retiredScopes, routers, isShared: false) { router, family, out in
      family.sample(&out, router.own.labels, services, router.services.retiredScopes)
      family.sample(&out, router.own.labels, clients, router.clients.retiredScopes)
    }
    page.family(.retiredRequests, routers, isShared: false) { router, family, out in
      family.sample(&out, router.own.labels, services, router.services.retiredRequests)
      family.sample(&out, router.own.labels, clients, router.clients.retiredRequests)
    }
  }

  func addControl(to page: inout PrometheusBuilder) {
    for metric in MetricName.controlPlane {
      page.histogram(metric, controls.families[metric.name] ?? [], isShared: false) { series, family, scratch, out in
        switch series.value {
        case .scalar(let scalar):
          family.begin(&out, series.labels)
          out.prometheus(scalar.value)
          out.byte(10)
        case .histogram(let histogram):
          family.histogram(&out, series.labels, .requests, histogram.words, 0, scratch)
        }
      }
    }
  }
}

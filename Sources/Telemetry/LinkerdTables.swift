import MeshBase

extension ServerStats: ScopeStats {
  static let histograms = [Word.latency]

  static let linkerd = LinkerdPlan<ServerStats>(
    [
      .counter("requests", from: { $0.requests }),
      .counter("failures", from: { $0.failures }),
      .counter("success", Word.success),
      .gauge("pending", Word.pending),
      .stat("request_latency_ms", 0, decimals: 3),
      .counter("connects", Word.connects),
      .counter("closes", Word.closes),
      .gauge("connections", Word.connections),
      .counter("tls/failed_handshakes", Word.failedHandshakes),
      .counter("received_bytes", Word.receivedBytes),
      .counter("sent_bytes", Word.sentBytes),
    ] + LinkerdEntry.streams(Word.http2) + LinkerdEntry.reasons(Word.reasons)
      + LinkerdEntry.statuses([Word.status, Word.reasonStatus]))
}

extension ServiceStats: ScopeStats {
  static let histograms = [Word.latency]

  static let linkerd = LinkerdPlan<ServiceStats>(
    [
      .counter("requests", from: { $0.requests }),
      .counter("failures", from: { $0.failures }),
      .counter("success", Word.success),
      .gauge("pending", Word.pending),
      .stat("request_latency_ms", 0, decimals: 3),
      .counter("retries/total", Word.retry(.classified, .sent)),
      .counter("retries/budget_exhausted", Word.retry(.classified, .budgetExhausted)),
      .counter("retries/limit_reached", Word.retry(.classified, .limitReached)),
      .gauge("retries/budget", Word.budgetBalance),
    ] + LinkerdEntry.reasons(Word.reasons))
}

extension ClientStats: ScopeStats {
  static let histograms = [Word.latency, Word.connectLatency]

  static let linkerd = LinkerdPlan<ClientStats>(
    [
      .counter("requests", from: { $0.requests }),
      .counter("failures", from: { $0.failures }),
      .counter("success", Word.success),
      .gauge("pending", Word.pending),
      .stat("request_latency_ms", 0, decimals: 3),
      .stat("connect_latency_ms", 1, decimals: 3),
      .counter("connects", Word.connects),
      .counter("failed_connects", Word.failedConnects),
      .counter("cancelled_connects", Word.cancelledConnects),
      .counter("closes", Word.closes),
      .gauge("connections", Word.connections),
      .counter("received_bytes", Word.receivedBytes),
      .counter("sent_bytes", Word.sentBytes),
      .gauge("pool_size", Word.connections),
      .gauge("pool_cached", Word.poolCached),
      .gauge("pool_waiters", Word.poolWaiters),
      .counter("pool_num_waited", Word.poolWaited),
      .counter("pool_num_too_many_waiters", Word.poolTooManyWaiters),
      .counter("retries/requeues", Word.requeues),
      .counter("failure_accrual/removals", Word.removals),
      .counter("failure_accrual/revivals", Word.revivals),
      .counter("failure_accrual/probes", Word.probes),
      .gauge("loadbalancer/size", from: { $0.largest(Word.endpoints) }),
      .gauge("loadbalancer/available", from: { $0.endpoints.ok }),
      .gauge("loadbalancer/busy", from: { $0.endpoints.ejected &+ $0.endpoints.probing }),
      .counter("loadbalancer/adds", from: { $0.largest(Word.adds) }),
      .counter("loadbalancer/removes", from: { $0.largest(Word.removes) }),
      .counter("loadbalancer/updates", from: { $0.largest(Word.updates) }),
      .counter("loadbalancer/max_effort_exhausted", Word.panics),
    ] + LinkerdEntry.streams(Word.http2) + LinkerdEntry.reasons(Word.reasons)
      + LinkerdEntry.statuses([Word.status]))
}

extension RouterStats: ScopeStats {
  static let histograms: [Int] = []

  /// Under `bindcache`.
  static let linkerd = LinkerdPlan<RouterStats>(
    BindCache.allCases.flatMap { cache in
      BindCacheEvent.allCases.map { event -> LinkerdEntry<RouterStats> in
        let path = "\(cache)/\(event)"
        return event == .idle ? .gauge(path, word(cache, event)) : .counter(path, word(cache, event))
      }
    })
}

extension WorkerStats: ScopeStats {
  static let histograms =
    [Word.loopDelay] + Stage.allCases.map { Word.stages + $0.ordinal * HistogramWords.wordCount }

  /// linkerd has no workers; in the same style, under `worker/N`.
  static let linkerd = LinkerdPlan<WorkerStats>([
    .counter("busy_ms", from: { $0.sum(Word.busyNanoseconds) / 1_000_000 }),
    .counter("turns", Word.turns),
    .stat("loop_delay_us", 0, decimals: 0),
    .counter("access_log_dropped", Word.accessLogDropped),
  ])
}

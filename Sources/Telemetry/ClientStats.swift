import MeshBase

/// What one worker counts for one bound id: every attempt by itself.
///
/// Each `attemptBegan` is followed by exactly one `attemptEnded` or `attemptFailed`.
public final class ClientStats: StatsBlock, @unchecked Sendable {
  @usableFromInline
  enum Word {
    @inlinable static var pending: Int { 0 }
    @inlinable static var success: Int { 1 }
    @inlinable static var unexplained: Int { 2 }
    @inlinable static var receivedBytes: Int { 3 }
    @inlinable static var sentBytes: Int { 4 }
    @inlinable static var connects: Int { 5 }
    @inlinable static var closes: Int { 6 }
    @inlinable static var connections: Int { 7 }
    @inlinable static var failedConnects: Int { 8 }
    @inlinable static var cancelledConnects: Int { 9 }
    @inlinable static var requeues: Int { 10 }
    @inlinable static var poolCached: Int { 11 }
    @inlinable static var poolWaiters: Int { 12 }
    @inlinable static var poolWaited: Int { 13 }
    @inlinable static var poolTooManyWaiters: Int { 14 }
    @inlinable static var removals: Int { 15 }
    @inlinable static var revivals: Int { 16 }
    @inlinable static var probes: Int { 17 }
    @inlinable static var panics: Int { 18 }
    @inlinable static var ejectionsRefused: Int { 19 }
    /// From here to `status`, each worker sees the same endpoints: a report takes the largest word, not the sum.
    @inlinable static var endpoints: Int { 20 }
    @inlinable static var ejected: Int { 21 }
    @inlinable static var probing: Int { 22 }
    @inlinable static var adds: Int { 23 }
    @inlinable static var removes: Int { 24 }
    @inlinable static var updates: Int { 25 }
    @inlinable static var status: Int { 26 }
    @inlinable static var latency: Int { status + StatusWords.count }
    @inlinable static var connectLatency: Int { latency + HistogramWords.wordCount }
    @inlinable static var http2: Int { connectLatency + HistogramWords.wordCount }
    @inlinable static var deadConnections: Int { http2 + HTTP2Words.count }
    @inlinable static var concurrencyLimit: Int { deadConnections + 1 }
    @inlinable static var shed: Int { deadConnections + 2 }
    @inlinable static var reasons: Int { deadConnections + 3 }
  }

  public init() { super.init(wordCount: Word.reasons + ReasonWords.count, histograms: Self.histograms) }

  @inlinable public func streamOpened() { add(Word.http2 + HTTP2Words.streams) }
  @inlinable public func streamClosed() { subtractOne(Word.http2 + HTTP2Words.streams) }

  /// A stream was reset, with the code of RST_STREAM; `isLocal`: by the router.
  public func streamReset(code: UInt32, isLocal: Bool) { add(Word.http2 + HTTP2Words.reset(code, isLocal: isLocal)) }

  /// An HTTP/2 connection was given up because a PING was not answered.
  public func connectionDied() { add(Word.deadConnections) }

  /// This worker's attempts that may be out at once. Added up: after a reload a client may for a while have a successor
  /// that counts here as well.
  public func concurrencyLimitChanged(from old: Int, to new: Int) {
    add(Word.concurrencyLimit, UInt64(truncatingIfNeeded: new - old))
  }
  /// A request was turned away because of that.
  public func requestShed() { add(Word.shed) }

  @inlinable public func attemptBegan() { add(Word.pending) }

  /// A response arrived whole; `success` is what the response classifier says.
  @inlinable public func attemptEnded(status: Int, success: Bool, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(success ? Word.success : Word.unexplained)
    add(Word.status + StatusWords.word(of: status))
    HistogramWords(words + Word.latency).record(microseconds)
  }

  /// No whole response. `status` is that of a head that had arrived, else 0.
  @inlinable public func attemptFailed(_ reason: Reason, status: Int = 0, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(Word.reasons + reason.ordinal)
    add(Word.status + StatusWords.word(of: status))
    HistogramWords(words + Word.latency).record(microseconds)
  }

  @inlinable public func received(bytes: Int) { add(Word.receivedBytes, UInt64(truncatingIfNeeded: bytes)) }
  @inlinable public func sent(bytes: Int) { add(Word.sentBytes, UInt64(truncatingIfNeeded: bytes)) }

  @inlinable public func connected(microseconds: UInt64) {
    add(Word.connects)
    add(Word.connections)
    HistogramWords(words + Word.connectLatency).record(microseconds)
  }

  @inlinable public func connectFailed() { add(Word.failedConnects) }
  /// The caller went away before the connection was made.
  @inlinable public func connectCancelled() { add(Word.cancelledConnects) }

  /// Only for a connection that was counted by `connected`.
  @inlinable public func connectionClosed() {
    add(Word.closes)
    subtractOne(Word.connections)
  }

  /// The attempt will be made again at another endpoint because nothing was sent.
  @inlinable public func requeued() { add(Word.requeues) }

  /// A connection went into the pool of idle ones.
  @inlinable public func pooled() { add(Word.poolCached) }
  /// A connection left the pool, for use or for good.
  @inlinable public func unpooled() { subtractOne(Word.poolCached) }

  @inlinable public func waiterQueued() {
    add(Word.poolWaiters)
    add(Word.poolWaited)
  }
  @inlinable public func waiterServed() { subtractOne(Word.poolWaiters) }
  @inlinable public func tooManyWaiters() { add(Word.poolTooManyWaiters) }

  /// The endpoints this worker balances over: all, those failure accrual keeps out, those being probed.
  @inlinable public func setEndpoints(count: Int, ejected: Int, probing: Int = 0) {
    store(Word.endpoints, UInt64(truncatingIfNeeded: count))
    store(Word.ejected, UInt64(truncatingIfNeeded: ejected))
    store(Word.probing, UInt64(truncatingIfNeeded: probing))
  }

  /// A new endpoint set has been taken over.
  @inlinable public func endpointsUpdated(added: Int, removed: Int) {
    add(Word.updates)
    add(Word.adds, UInt64(truncatingIfNeeded: added))
    add(Word.removes, UInt64(truncatingIfNeeded: removed))
  }

  @inlinable public func endpointEjected() { add(Word.removals) }
  @inlinable public func endpointRevived() { add(Word.revivals) }
  @inlinable public func endpointProbed() { add(Word.probes) }
  /// An endpoint should have been left out, but too many are already.
  @inlinable public func ejectionRefused() { add(Word.ejectionsRefused) }
  /// Every candidate was ejected or busy, and one was taken all the same.
  @inlinable public func pickedInPanic() { add(Word.panics) }
}

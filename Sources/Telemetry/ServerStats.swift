import MeshBase

/// What one worker counts for one listening server of a router: the caller's view.
///
/// Each `requestBegan` is followed by exactly one `requestEnded` or `requestFailed`.
public final class ServerStats: StatsBlock, @unchecked Sendable {
  @usableFromInline
  enum Word {
    @inlinable static var pending: Int { 0 }
    @inlinable static var success: Int { 1 }
    /// Failures that the answer's class tells and no reason explains: a backend's own 5xx.
    @inlinable static var unexplained: Int { 2 }
    @inlinable static var receivedBytes: Int { 3 }
    @inlinable static var sentBytes: Int { 4 }
    @inlinable static var connects: Int { 5 }
    @inlinable static var closes: Int { 6 }
    @inlinable static var connections: Int { 7 }
    @inlinable static var failedHandshakes: Int { 8 }
    /// Statuses of requests without a reason.
    @inlinable static var status: Int { 9 }
    /// Statuses of requests that failed for a reason, so that each request is in exactly one of the two.
    @inlinable static var reasonStatus: Int { status + StatusWords.count }
    @inlinable static var latency: Int { reasonStatus + StatusWords.count }
    @inlinable static var http2: Int { latency + HistogramWords.wordCount }
    @inlinable static var abuses: Int { http2 + HTTP2Words.count }
    @inlinable static var acceptPauses: Int { abuses + HTTP2Words.abuseCount }
    @inlinable static var rejectedConnections: Int { acceptPauses + 1 }
    @inlinable static var queued: Int { acceptPauses + 2 }
    @inlinable static var waited: Int { acceptPauses + 3 }
    @inlinable static var reasons: Int { acceptPauses + 4 }
  }

  public init() { super.init(wordCount: Word.reasons + ReasonWords.count, histograms: Self.histograms) }

  @inlinable public func streamOpened() { add(Word.http2 + HTTP2Words.streams) }
  @inlinable public func streamClosed() { subtractOne(Word.http2 + HTTP2Words.streams) }

  /// A stream was reset, with the code of RST_STREAM; `isLocal`: by the router.
  public func streamReset(code: UInt32, isLocal: Bool) { add(Word.http2 + HTTP2Words.reset(code, isLocal: isLocal)) }

  /// A caller overdid something, and its connection ended over it or a stream was reset.
  public func abused(_ abuse: HTTP2Abuse) { add(Word.abuses + abuse.ordinal) }

  /// Accepting has paused because descriptors or memory are short.
  public func acceptPaused() { add(Word.acceptPauses) }
  /// A connection was closed at once, because there are as many as are allowed.
  public func connectionRejected() { add(Word.rejectedConnections) }

  /// A request waits for one of the places of `maxConcurrentRequests`.
  public func requestQueued() {
    add(Word.queued)
    add(Word.waited)
  }
  /// It has a place, or waits no more.
  public func requestLeftQueue() { subtractOne(Word.queued) }

  @inlinable public func connectionOpened() {
    add(Word.connects)
    add(Word.connections)
  }

  @inlinable public func connectionClosed() {
    add(Word.closes)
    subtractOne(Word.connections)
  }

  /// A caller's TLS handshake came to nothing.
  @inlinable public func handshakeFailed() { add(Word.failedHandshakes) }

  /// The head of a request has been read.
  @inlinable public func requestBegan() { add(Word.pending) }

  /// An answer from a backend has been passed on; `success` is what the response classifier says.
  @inlinable public func requestEnded(status: Int, success: Bool, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(success ? Word.success : Word.unexplained)
    add(Word.status + StatusWords.word(of: status))
    HistogramWords(words + Word.latency).record(microseconds)
  }

  /// The router answered by itself, or broke an answer off. `status` is what the caller saw, 0 if nothing.
  @inlinable public func requestFailed(_ reason: Reason, status: Int, microseconds: UInt64) {
    subtractOne(Word.pending)
    add(Word.reasons + reason.ordinal)
    add(Word.reasonStatus + StatusWords.word(of: status))
    HistogramWords(words + Word.latency).record(microseconds)
  }

  @inlinable public func received(bytes: Int) { add(Word.receivedBytes, UInt64(truncatingIfNeeded: bytes)) }
  @inlinable public func sent(bytes: Int) { add(Word.sentBytes, UInt64(truncatingIfNeeded: bytes)) }
}

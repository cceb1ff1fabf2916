import HTTP
import MeshBase
import Telemetry

// A second attempt at another endpoint while the first one is out, because it takes longer than nearly all requests do;
// the first answer counts, and the other attempt is given up (Dean and Barroso, The Tail at Scale, 2013; Finagle's
// backup requests).
//
// The second attempt is an exchange without a caller, the backup of the first. When its answer begins, or the first
// attempt fails, the first exchange takes over what the backup has of its endpoint, and the backup is over. So a backup
// never sees more of a response than its head, and it exists only while its primary awaits a response.
extension Exchange {
  @inline(__always) var isBackup: Bool { primary != nil }

  /// The request is on its way.
  func awaitHedge() {
    guard hedgeTimer == .none, let wait = entry({ $0.policy.hedging?.delay }), let wait else { return }
    hedgeTimer = worker.loop.schedule(self, tag: Self.hedgeTag, at: now.advanced(byNanoseconds: wait))
  }

  /// It has taken long enough.
  func hedge() {
    hedgeTimer = .none
    guard machine.mayRetry, requestIsComplete, hasBackend, backup == nil else { return }
    // Who sticks to an endpoint wants that one's answer.
    guard client({ $0.balancer.openCount > 1 }) == true, traffic?.claim == nil else { return }
    let isPaid = entry { entry in
      let isPaid = entry.policy.hedging?.pays(at: now) ?? false
      entry.stats?.retry(.hedge, isPaid ? .sent : .budgetExhausted)
      return isPaid
    }
    guard isPaid == true else { return }
    backup = worker.takeExchange()
    backup { $0.begin(asBackupOf: self) }
  }

  private func begin(asBackupOf primary: Exchange) {
    self.primary = Unretained(primary)
    copyRequest(of: primary)
    _ = machine.handle(.identified)
    perform(machine.handle(.bound))
  }

  // MARK: The backup's end

  /// The head of the backup's response has come. Returns whether its primary goes on with it; else the backup is over.
  func handOver(_ response: inout ResponseHead, _ head: UnsafeRawBufferPointer) -> Bool {
    let status = response.status
    let call = isGRPC ? response.value(of: .grpcStatus).flatMap { GRPCStatus(head[$0]) } : nil
    if isSuccess(status, call) {
      primary { $0.takeOver(self, instead: .relaySuperseded) }
      return true
    }
    endAttempt(failedWith: status, call)
    endBackup(.relayBadResponse)
    return false
  }

  /// Whether a response that begins like this is one, as far as it can be told by then.
  func isSuccess(_ status: Int, _ call: GRPCStatus?) -> Bool {
    entry { entry in
      if let call { return entry.policy.isSuccess(call) }
      return isGRPC ? status < 400 : entry.policy.isSuccess(status: status)
    } ?? false
  }

  /// The backup is given up, or has failed; its primary goes on as if there had been none.
  func endBackup(_ reason: Reason) {
    endAttempt(failed: reason)
    leaveBackend()
    leaveConnecting()
    primary { $0.backup = nil }
    reset()
  }

  // MARK: The primary's view

  /// The attempt that is out has failed for this reason: whether the backup's takes its place.
  func goesOnWithBackup(insteadOf reason: Reason) -> Bool {
    guard backupAwaitsResponse else { return false }
    backup { takeOver($0, instead: reason) }
    return true
  }

  var backupAwaitsResponse: Bool { backup { $0.machine.state == .awaitingResponse && $0.attemptIsOut } ?? false }

  func dropBackup() { backup { $0.endBackup(.relaySuperseded) } }

  /// Goes on with the backup's attempt. The own one is over: it has failed, or was superseded.
  private func takeOver(_ backup: Exchange, instead reason: Reason) {
    if reason == .relaySuperseded, attemptIsOut {
      let took = now.nanoseconds(since: attemptStartedAt)
      entry { $0.policy.hedging?.took(nanoseconds: took, at: now) }
    }
    endAttempt(failed: reason)
    leaveBackend()
    adoptAttempt(of: backup)
    backup.endBackup(.relaySuperseded)
  }

  // MARK: What passes between them

  /// Takes over all that an attempt of the other's request needs. Endpoints that it has tried are avoided.
  private func copyRequest(of other: Exchange) {
    settings = other.settings
    settings { $0.exchanges += 1 }
    entry = other.entry
    entry { $0.inFlight += 1 }
    branch = other.branch
    client = other.client
    ringHashes = other.ringHashes
    tried = other.tried
    tried.insert(other.slot)
    method = other.method
    isGRPC = other.isGRPC
    callerSpokeHTTP1 = other.callerSpokeHTTP1
    namesOriginal = other.namesOriginal
    deadline = other.deadline
    deadlineIsOfCall = other.deadlineIsOfCall
    bodyIsChunked = other.bodyIsChunked
    requestIsComplete = true
    requestHead.removeAll()
    requestHead.append(UnsafeRawBufferPointer(rebasing: other.requestHead.readable[..<other.commonLength]))
    commonLength = other.commonLength
    if let body = other.keptBody {
      let copy = worker.takeBuffer()
      copy.append(body.readable)
      keptBody = copy
      keptBodyMax = other.keptBodyMax
    }
    startedAt = now
    lastMoved = now
    machine = ExchangeMachine(isIdempotent: method.isIdempotent)
  }

  /// Goes on with the other's attempt, which is out. There is none of its own.
  private func adoptAttempt(of other: Exchange) {
    slot = other.slot
    tried = other.tried
    attemptStartedAt = other.attemptStartedAt
    attemptIsOut = true
    other.attemptIsOut = false
    endpoint = other.connection?.pool.address ?? endpoint
    headIsPending = false
    machine.tookOver(other.machine)
    connection = other.connection
    other.connection = nil
    connection?.hand(to: self)
    backendStream = other.backendStream
    other.backendStream = nil
    backendStream { $0.exchange = Unretained(self) }
    disarm(&attemptTimer)
    let limit = client { $0.attemptTimeoutMilliseconds } ?? nil
    if let limit {
      let end = attemptStartedAt.advanced(byMilliseconds: limit)
      attemptTimer = worker.loop.schedule(self, tag: Self.attemptTag, at: end)
    }
  }
}

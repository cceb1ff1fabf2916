import Balancers
import HTTP
import MeshBase
import Telemetry

// Sending a request again that failed at an endpoint, because the service's classifier allows it.
extension Exchange {
  // MARK: The decision

  /// Whether a response that fails is dropped and the request goes out again.
  ///
  /// One that another router sent has been tried again there, as often as that router's budget allows: routers in line
  /// must not multiply their retries. So it is retried here only if that router says that nothing was processed.
  func isRetried(_ response: inout ResponseHead, _ head: UnsafeRawBufferPointer) -> Bool {
    failureIsInjected = Self.isInjected(&response, head)
    if failureIsInjected { return false }
    let isFromRouter = response.index(of: .l5dSuccessClass) != nil || response.index(of: .l5dErr) != nil
    let isBusy = !isFromRouter && response.status == 503 && letRest(&response, head)
    guard machine.mayRetry, !upgradeWanted, !isCopy else { return false }
    let (status, method, isCall) = (response.status, self.method, isGRPC)
    let call = isCall ? response.value(of: .grpcStatus).flatMap { GRPCStatus(head[$0]) } : nil
    // A call that is answered as it should be ends with its trailers, and they come too late to be held back.
    if isCall, call == nil, status < 400 { return false }
    if backup != nil, !isSuccess(status, call), backupAwaitsResponse {
      endAttempt(failedWith: status, call)
      return goesOnWithBackup(insteadOf: .relayBadResponse)
    }
    let isSaidRetryable = response.value(of: .l5dRetryable).map { head[$0].elementsEqual("true".utf8) } ?? false
    let isAllowed =
      entry { entry in
        if isSaidRetryable { return true }
        if isFromRouter { return false }
        return isCall
          ? entry.policy.retriesCall(call, status: status)
          : entry.policy.retries(method, isKeyed: isKeyed, status: status)
      } ?? false
    // Where all ask for time, the caller is told so.
    guard isAllowed, !isBusy || client({ $0.balancer.openCount > 0 }) == true, paysForRetry() else { return false }
    endAttempt(failedWith: status, call)
    perform(machine.handle(.retry))
    return true
  }

  /// Passes over an endpoint that is busy for as long as it says (`Retry-After`, RFC 9110 §10.2.3), within bounds; whether
  /// it says so. A date is not heeded.
  private func letRest(_ response: inout ResponseHead, _ head: UnsafeRawBufferPointer) -> Bool {
    guard let value = response.value(of: .retryAfter), let seconds = ContextDeadline.number(head[value]), seconds > 0
    else { return false }
    client { $0.rest(slot, milliseconds: min(seconds, EndpointHealth.restAskedMaxSeconds) * 1_000) }
    return true
  }

  /// Ends the attempt whose response has begun and is a failure that nobody is to see.
  func endAttempt(failedWith status: Int, _ call: GRPCStatus?) {
    grpcStatus = call
    endAnsweredAttempt(status: status, success: false)
    if let connection, requestIsComplete {
      self.connection = nil
      connection.discardResponse()
    }
  }

  /// Tries the request again after an attempt that came to no response; false: it has failed for good.
  func retry(after reason: Reason) -> Bool {
    let method = self.method
    if isBackup { return false }
    if backup != nil, goesOnWithBackup(insteadOf: reason) { return true }
    let isCall = isGRPC
    let isAllowed =
      entry { isCall ? $0.policy.retriesCall(nil, status: 0) : $0.policy.retries(method, isKeyed: isKeyed) } ?? false
    guard isAllowed, machine.mayRetry, !upgradeWanted, !isCopy, paysForRetry() else { return false }
    endAttempt(failed: reason)
    perform(machine.handle(.retry))
    return true
  }

  private func paysForRetry() -> Bool {
    entry { entry in
      let isPaid = entry.policy.budget.tryWithdraw(at: now)
      entry.stats?.retry(.classified, isPaid ? .sent : .budgetExhausted)
      return isPaid
    } ?? false
  }

  /// Whether the router before this one may send the request again: nothing was processed, and nothing was tried twice.
  func mayBeRetriedByCaller(_ reason: Reason) -> Bool {
    reason.neverProcessed && !reason.isShed && machine.requeues <= 1 && machine.retries == 0
  }

  // MARK: The wait

  /// Lets go of the endpoint that failed, and waits as the service's back-off says.
  func backOff() {
    leaveBackend()
    headIsPending = false
    failureDetail = nil
    backendResetCode = nil
    disarm(&attemptTimer)
    if backup != nil { dropBackup() }
    // Another endpoint is asked as long as there is one that has not failed this request.
    tried.insert(slot)
    let isExhausted = client { tried.count >= $0.balancer.pickableCount } ?? true
    if isExhausted {
      tried = SlotSet()
      tried.insert(slot)
    }
    let retries = machine.retries
    let wait = entry { $0.policy.backOff(retry: retries, using: &worker.random) } ?? 0
    if wait == 0 { return perform(machine.handle(.backOffIsOver)) }
    retryTimer = worker.loop.schedule(self, tag: Self.retryTag, at: now.advanced(byNanoseconds: wait))
  }

  // MARK: The body

  /// Keeps what is passed on of the body, unless it becomes too much: from then on the request is sent once only.
  func keep(_ bytes: UnsafeRawBufferPointer) {
    let buffer = keptBody ?? worker.takeBuffer()
    keptBody = buffer
    if buffer.count + bytes.count > keptBodyMax { return dropKeptBody() }
    buffer.append(bytes)
  }

  /// The body has come to its end. Trailers are not kept; of a body without a byte there is its end to be sent again.
  func keepEnd(trailers: Bool) {
    if trailers {
      dropKeptBody()
    } else if keptBodyMax > 0, bodyIsChunked, keptBody == nil {
      keptBody = worker.takeBuffer()
    }
  }

  /// The request cannot be sent again. Never withholds credit from the caller: what does not fit is just not kept.
  func dropKeptBody() {
    if keptBodyMax > 0 { _ = machine.handle(.bodyConsumed) }
    keptBodyMax = 0
    if let keptBody { worker.giveBack(keptBody) }
    keptBody = nil
  }

  /// The same body for the next endpoint, as far as it has come.
  func sendKeptBody() {
    guard let keptBody else { return }
    let bytes = keptBody.readable
    if backendStream != nil {
      backendStream { $0.send(bytes) }
      if requestIsComplete { backendStream { $0.end() } }
    } else if bodyIsChunked {
      let out = worker.requestScratch
      out.removeAll()
      if !bytes.isEmpty { out.appendChunk(bytes) }
      if requestIsComplete { out.appendLastChunk(trailers: nil) }
      writeRequest(out.readable)
    } else {
      writeRequest(bytes)
    }
  }
}

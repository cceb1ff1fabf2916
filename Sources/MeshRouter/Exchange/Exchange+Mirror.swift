import HTTP
import MeshBase

// Copies of requests for a shadow. A copy is an exchange without a caller, begun when the request is whole: everything
// that holds for requests (binding, balancing, both protocols, statistics) holds for it, and nothing that happens to it
// can be felt by the request that it was made of.
extension Exchange {
  private static let mark: StaticString = "l5d-mirror: true\r\n"
  private static let markName = Array("l5d-mirror".utf8)

  // MARK: The request

  /// Begins a copy of the request if it is drawn. Its head is as the caller sent it, before any rule for a name.
  func copy(by plan: MirrorPlan, _ traffic: ExchangeTraffic, _ entry: BindEntry) {
    guard worker.random.unit() < plan.share, method != .connect, !upgradeWanted, let stats = entry.stats,
      // What a router before this one has copied is not copied again.
      HeadText.value(Self.markName, in: requestHead.readable) == nil
    else { return }
    traffic.copy = MirrorCopy(self, plan, stats, head: worker.takeBuffer())
    if requestIsComplete { sendCopy() }
  }

  /// Some of the request's body goes on to the endpoint.
  func copyBody(_ bytes: UnsafeRawBufferPointer) {
    guard let traffic, let copy = traffic.copy else { return }
    if !copy.add(bytes, worker) { return dropCopy(traffic) }
    // The end of an HTTP/2 stream may come behind the answer to what has all of its bytes.
    if stream != nil, case .length(let length) = requestBody, UInt64(copy.body?.count ?? 0) == length { sendCopy() }
  }

  /// The request is whole.
  func sendCopy() {
    guard let traffic, let copy = traffic.copy else { return }
    traffic.copy = nil
    settings { $0.router.mirrorFlights.submit(copy) }
  }

  /// It is too long, or will never be whole.
  func dropCopy(_ traffic: ExchangeTraffic) {
    guard let copy = traffic.copy else { return }
    traffic.copy = nil
    copy.stats.mirror(.droppedBody)
    copy.release(to: worker)
  }

  // MARK: The copy

  /// It is a copy, and so has no caller.
  var isCopy: Bool { traffic?.flight != nil }

  /// Sends the copy to its shadow.
  func begin(_ copy: MirrorCopy, _ flights: MirrorFlights) {
    let traffic = ExchangeTraffic(nil)
    traffic.flight = (copy, flights)
    self.traffic = traffic
    settings = Unretained(flights.server)
    flights.server.exchanges += 1
    flights.server.stats.requestBegan()
    startedAt = now
    lastMoved = now
    (method, isGRPC, grpcStatus) = (copy.method, copy.isGRPC, nil)
    (isHTTP10, isKeyed, isClearing) = (false, false, false)
    machine = ExchangeMachine(isIdempotent: method.isIdempotent)
    requestIsComplete = true
    bodyIsChunked = copy.bodyIsChunked
    // Also of no byte: it has an end.
    keptBody = copy.body ?? (bodyIsChunked ? worker.takeBuffer() : nil)
    keptBodyMax = keptBody == nil ? 0 : .max
    copy.body = nil
    callerSpokeHTTP1 = copy.callerSpokeHTTP1
    namesOriginal = copy.namesOriginal
    ringHashes = copy.ringHashes
    requestHead.removeAll()
    requestHead.append(copy.head.readable)
    requestHead.append(Self.mark)
    commonLength = requestHead.count
    // The answer is read for so long, whatever the caller's patience.
    let end = now.advanced(byMilliseconds: copy.plan.timeoutMilliseconds)
    let deadline = min(copy.deadline ?? end, end)
    self.deadline = deadline
    deadlineIsOfCall = copy.deadlineIsOfCall
    deadlineTimer = worker.loop.schedule(self, tag: Self.deadlineTag, at: deadline)
    let key = worker.keyScratch
    key.removeAll()
    copy.plan.name.withUnsafeBytes { key.append($0) }
    perform(machine.handle(.identified))
  }

  /// The copy has come to nothing.
  func endCopy(_ reason: Reason) {
    concludeFailure(reason, status: status)
    reset()
  }
}

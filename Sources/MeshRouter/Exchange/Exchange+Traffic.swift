import HTTP
import MeshBase
import Net

/// What traffic control does to one request. Made only where something is configured for its name.
final class ExchangeTraffic {
  /// Of the logical name.
  var service: ServiceTraffic?
  /// Of the bound name, once a branch is drawn.
  var client: ClientTraffic?
  /// The endpoint that the caller's cookie stands for.
  var claim: UInt64?
  /// Something was injected into the request.
  var isDelayed = false
  /// It is to be refused on purpose.
  var abort: FaultPlan.Abort?
  var faultTimer = TimerID.none
  /// Of the request, until it is whole.
  var copy: MirrorCopy?
  /// The request is a copy itself.
  var flight: (copy: MirrorCopy, flights: MirrorFlights)?
  var hasFailed = false

  init(_ service: ServiceTraffic?) { self.service = service }
}

// Traffic control: header rules, and callers that stick to an endpoint. Where nothing is configured for a name, a
// request costs a look at `traffic` in each place.
extension Exchange {
  // MARK: Requests

  /// A way to go: the one that the caller's cookie leads to, else one by weight. The entry is bound.
  func draw(from entry: BindEntry) -> BindEntry.Branch {
    if entry.sticks, let branch = stuckBranch(entry) { return branch }
    return entry.drawBranch(using: &worker.random)
  }

  private func stuckBranch(_ entry: BindEntry) -> BindEntry.Branch? {
    entry.branches.first { branch in
      guard let sticky = branch.client?.traffic?.sticky, let id = sticky.read(requestHead.readable) else {
        return false
      }
      return sticky.address(of: id) != nil
    }
  }

  /// The request's head becomes what these endpoints get; `requestHead` has it up to where the branch's lines follow.
  func prepareHead(for client: ClientTraffic?) {
    let traffic = self.traffic ?? ExchangeTraffic(nil)
    self.traffic = traffic
    traffic.client = client
    let room = worker.takeBuffer()
    if let sticky = client?.sticky { traffic.claim = sticky.take(from: requestHead, room: room) }
    traffic.service?.requestEdit?.apply(to: requestHead, from: 0, room: room)
    client?.requestEdit?.apply(to: requestHead, from: 0, room: room)
    commonLength = requestHead.count
    worker.giveBack(room)
  }

  /// Begins an attempt at the endpoint that the caller sticks to, if it is there and well, and has not failed this
  /// request.
  func stick(to client: Client) -> Int? {
    guard let traffic, let id = traffic.claim, let address = traffic.client?.sticky?.address(of: id) else { return nil }
    return client.stick(to: address, avoiding: tried)
  }

  // MARK: Responses

  /// The response's head, which lies in `out` from `start` on without its blank line, becomes what the caller gets.
  func editResponse(_ out: ByteBuffer, from start: Int) {
    guard let traffic else { return }
    let room = worker.takeBuffer()
    traffic.client?.responseEdit?.apply(to: out, from: start, room: room)
    traffic.service?.responseEdit?.apply(to: out, from: start, room: room)
    if let sticky = traffic.client?.sticky {
      client {
        sticky.mark(out, from: start, room: room, address: $0.balancer.address(of: slot), claim: traffic.claim)
      }
    }
    if traffic.isDelayed { out.append("l5d-fault-injected: delay\r\n") }
    worker.giveBack(room)
  }

  // MARK: Begin and end

  /// The name is bound, and something is configured for it; true: the request waits, or has been answered.
  func control(_ service: ServiceTraffic, _ entry: BindEntry) -> Bool {
    let traffic = self.traffic ?? ExchangeTraffic(service)
    traffic.service = service
    self.traffic = traffic
    guard entry.isBound else { return false }
    if let faults = service.faults { drawFault(faults, traffic, entry) }
    if let mirror = service.mirror, traffic.abort == nil, traffic.flight == nil { copy(by: mirror, traffic, entry) }
    return service.faults != nil && suffersFault(traffic, entry)
  }

  /// The exchange ends; `entry` is still there.
  func endTraffic() {
    guard let traffic else { return }
    disarm(&traffic.faultTimer)
    dropCopy(traffic)
    if let (copy, flights) = traffic.flight { flights.ended(self, copy, success: !traffic.hasFailed && isSuccess) }
    self.traffic = nil
  }
}

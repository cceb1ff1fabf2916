import HTTP
import MeshBase
import Net
import Telemetry

// Faults on purpose. They befall a request once its name is bound, before an endpoint is picked, so that none of them
// says anything about an endpoint; and the answer says what was done, so that no router tries the request again.
extension Exchange {
  static let faultTag: UInt8 = 9
  private static let markName = Array("l5d-fault-injected".utf8)

  func drawFault(_ faults: FaultPlan, _ traffic: ExchangeTraffic, _ entry: BindEntry) {
    let fault = faults.draw(requestHead.readable, using: &worker.random)
    let room = worker.takeBuffer()
    faults.removeWishes(from: requestHead, room: room)
    worker.giveBack(room)
    commonLength = requestHead.count
    traffic.abort = fault.abort
    guard fault.delayMilliseconds > 0 else { return }
    traffic.isDelayed = true
    entry.stats?.injected(.delay)
    traffic.faultTimer = worker.loop.schedule(
      self, tag: Self.faultTag, at: now.advanced(byMilliseconds: fault.delayMilliseconds))
  }

  /// True: the request waits, or has been answered.
  func suffersFault(_ traffic: ExchangeTraffic, _ entry: BindEntry) -> Bool {
    if traffic.isDelayed { return true }
    guard let abort = traffic.abort else { return false }
    refuse(abort, entry)
    return true
  }

  private func refuse(_ abort: FaultPlan.Abort, _ entry: BindEntry) {
    entry.stats?.injected(.abort)
    fail(.faultInjected, status: abort.status, detail: "It was injected on purpose.")
  }

  func delayIsOver() {
    guard let traffic else { return }
    traffic.faultTimer = .none
    entry { entry in
      // What is known of the name may have changed meanwhile.
      if entry.isBound, let abort = traffic.abort { return refuse(abort, entry) }
      perform(machine.handle(entry.failure.map { .failed($0) } ?? .bound))
    }
  }

  /// Whether another router has made this answer on purpose. It says nothing about the endpoint, which is that router.
  static func isInjected(_ response: inout ResponseHead, _ head: UnsafeRawBufferPointer) -> Bool {
    response.index(of: .l5dOther) != nil && HeadText.value(markName, in: head) != nil
  }
}

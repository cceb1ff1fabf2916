import Config
import HTTP
import MeshBase
import Net
import Telemetry

/// The copies of one router's requests that are on their way to shadows, on one worker.
///
/// A copy waits for the turn after the one in which its request was whole, so that the request goes first.
final class MirrorFlights: TimerOwner {
  private let worker: Worker
  /// Stands for the server that copies have come to; nobody reads its statistics.
  let server: ServerRuntime
  private var waiting: [MirrorCopy] = []
  private var flying: [Unretained<Exchange>] = []
  private var isClosed = false

  init(_ router: RouterRuntime) {
    worker = router.worker
    server = ServerRuntime(
      plan: ServerPlan(
        configuration: Configuration.Server(), address: SocketAddress(ipv4: 0, port: 0), socket: -1, listeners: [],
        stats: ServerStats()),
      router: router)
  }

  /// Those that wait and those that are out.
  var count: Int { waiting.count + flying.count }

  /// Takes a whole request.
  func submit(_ copy: MirrorCopy) {
    guard count < copy.plan.inFlightMax, !isClosed else {
      copy.stats.mirror(.droppedBusy)
      return copy.release(to: worker)
    }
    if waiting.isEmpty {
      _ = worker.loop.schedule(self, tag: 0, at: worker.loop.now.advanced(byMilliseconds: 1))
    }
    waiting.append(copy)
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    let copies = waiting
    waiting = []
    for copy in copies {
      copy.stats.mirror(.sent)
      let exchange = worker.takeExchange()
      flying.append(exchange)
      exchange { $0.begin(copy, self) }
    }
  }

  /// The answer has been thrown away, or there is none.
  func ended(_ exchange: Exchange, _ copy: MirrorCopy, success: Bool) {
    copy.stats.mirror(success ? .success : .failure)
    if let index = flying.firstIndex(where: { $0.leads(to: exchange) }) {
      flying.swapAt(index, flying.count - 1)
      flying.removeLast()
    }
    copy.release(to: worker)
  }

  /// The router is at its end.
  func close() {
    isClosed = true
    for copy in waiting {
      copy.stats.mirror(.droppedBusy)
      copy.release(to: worker)
    }
    waiting = []
    for exchange in flying { exchange { $0.timedOut(.outcomeTotalTimeout) } }
  }
}

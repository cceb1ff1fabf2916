import Logging
import MeshBase
import Net
import Resilience
import Telemetry

/// Watches what the process may run out of, and tells of it: memory, which it measures, and descriptors, of which workers
/// report that they had none. The log gets the first report of a kind and then one in ten seconds at most.
@ControlActor
final class Shortages {
  private let metrics: MetricsRegistry
  private let tellWorkers: (_ isShort: Bool) -> Void
  private let log = Logger(label: "router")
  private var gauge: PressureGauge?
  private var watching: Task<Void, Never>?
  private var told: [String: MonotonicInstant] = [:]

  private static let silenceMilliseconds: UInt64 = 10_000
  /// Between looks at the memory.
  private static let periodMilliseconds: UInt64 = 200
  /// Below so many descriptors, a warning at the start.
  private static let descriptorsMin: UInt64 = 4_096

  init(metrics: MetricsRegistry, tellWorkers: @escaping (_ isShort: Bool) -> Void) {
    self.metrics = metrics
    self.tellWorkers = tellWorkers
    metrics.control(.memoryLimit).value = 0
    metrics.control(.memoryShort).value = 0
    metrics.control(.memoryShortages).value = 0
    let most = Host.descriptorsMax
    if most < Self.descriptorsMin {
      log.warning(
        "few file descriptors: a request takes up to two",
        metadata: ["limit": "\(most)", "remedy": "ulimit -Hn 65536, or LimitNOFILE=65536 in the unit"])
    }
  }

  // MARK: Descriptors

  func acceptPaused(at address: SocketAddress, _ code: Int32) {
    tell(
      "accept \(code)", "a server pauses accepting: \(SystemError.text(code))",
      ["at": "\(address)", "openFiles": "\(Host.openDescriptors)", "limit": "\(Host.descriptorsMax)"])
  }

  func connectsStarved(router: String, client: String) {
    tell(
      "connect", "no descriptors for connections to endpoints",
      ["router": "\(router)", "client": "\(client)", "limit": "\(Host.descriptorsMax)"])
  }

  private func tell(_ kind: String, _ text: String, _ metadata: Logger.Metadata) {
    let now = Clock.now
    if let last = told[kind], now.nanoseconds(since: last) < Self.silenceMilliseconds * 1_000_000 { return }
    told[kind] = now
    log.warning("\(text)", metadata: metadata)
  }

  // MARK: Memory

  /// - Parameter megabytes: resident memory that is not to be exceeded; 0: any; `nil`: what the control group allows.
  func watchMemory(limit megabytes: Int?) {
    let limit = megabytes.map { UInt64($0) << 20 } ?? Host.memoryGroupLimit ?? 0
    metrics.control(.memoryLimit).value = Double(limit)
    if limit == 0 {
      watching?.cancel()
      watching = nil
      if gauge?.isUnderPressure == true { memoryChanged(isShort: false, used: 0) }
      gauge = nil
      return
    }
    var next = PressureGauge(limit: limit)
    _ = next.update(gauge?.isUnderPressure == true ? next.high : 0)
    gauge = next
    if watching != nil { return }
    watching = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        self?.look()
        try? await ControlActor.sleep(milliseconds: Self.periodMilliseconds)
      }
    }
  }

  private func look() {
    let used = Host.residentBytes
    guard gauge?.update(used) == true else { return }
    memoryChanged(isShort: gauge?.isUnderPressure == true, used: used)
  }

  private func memoryChanged(isShort: Bool, used: UInt64) {
    metrics.control(.memoryShort).value = isShort ? 1 : 0
    tellWorkers(isShort)
    let metadata: Logger.Metadata = ["residentMB": "\(used >> 20)", "highMB": "\((gauge?.high ?? 0) >> 20)"]
    if isShort {
      metrics.control(.memoryShortages).value += 1
      tell("memory", "memory is short: connections are not accepted", metadata)
      Host.trimHeap()
    } else {
      tell("memory again", "memory is there again", metadata)
    }
  }

  func close() {
    watching?.cancel()
    watching = nil
  }
}

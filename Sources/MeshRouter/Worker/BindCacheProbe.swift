import Config
import HTTP
import MeshBase
import Net
import Telemetry

/// The way from a parsed request to its entry in the bind cache, as a worker goes it, for benchmarks: the names are
/// bound beforehand, no socket is open and no control thread runs.
package final class BindCacheProbe {
  private let worker: Worker
  private let router: RouterRuntime
  private let clearContext: Bool

  /// `heads` are requests whose names are to be known.
  package init(_ configuration: Configuration.Router, heads: [[UInt8]]) throws {
    let registry = MetricsRegistry(workers: 1)
    let scope = registry.router(configuration.label)
    let plan = WorkerPlan(
      index: 0, hostName: Host.name,
      routers: [
        RouterPlan(
          index: 0, workerCount: 1, configuration: configuration, stats: scope.stats[0], servers: [], accessLog: nil)
      ],
      stats: registry.workerStats[0])
    worker = try Worker(plan: plan, control: Mailbox(), seed: 1)
    router = worker.routers[0]
    clearContext = configuration.servers.first?.clearContext ?? false
    for head in heads {
      try head.withUnsafeBytes { bytes in
        guard parse(bytes), let id = find(bytes) else {
          throw SystemError("probe", code: 22, subject: "a head has no name")
        }
        router.update(
          entry: id,
          RouteSnapshot(
            outcome: .branches([.init(weight: 1, client: nil, residual: "")]), service: "/svc/probe",
            serviceStats: scope.service("/svc/probe")[0], contextDtab: ""))
      }
    }
  }

  /// Parses the head into the worker's scratch; `find` reads it there.
  package func parse(_ head: UnsafeRawBufferPointer) -> Bool {
    worker.requestHead.parse(head, limits: router.limits) == .complete
  }

  /// Identifies the request parsed last, whose bytes are `head`, and finds its entry; the entry's number.
  @inline(never)
  package func find(_ head: UnsafeRawBufferPointer) -> UInt64? {
    let key = worker.keyScratch
    key.removeAll()
    guard case .name = router.identify(worker, head, clearContext: clearContext, into: key) else { return nil }
    return router.entry(for: key.readable).id
  }
}

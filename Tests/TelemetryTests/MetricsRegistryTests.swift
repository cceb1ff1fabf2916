import Foundation
import MeshBase
import Testing

@testable import Telemetry

struct MetricsRegistryTests {
  @Test("asking for a name again gives the same blocks")
  func sameBlocks() {
    let registry = MetricsRegistry(workers: 2)
    let router = registry.router("http")
    #expect(registry.router("http") === router)
    #expect(router.service("/svc/a")[1] === router.service("/svc/a")[1])
    #expect(router.client("/#/a")[0] === router.client("/#/a")[0])
    #expect(router.server("127.0.0.1/4140")[0] === router.server("127.0.0.1/4140")[0])
  }

  @Test("100,000 hostile names end in one shared scope, and leave room for clients")
  func budget() {
    let registry = MetricsRegistry(workers: 2, seriesMax: 1_000)
    let router = registry.router("http")
    for i in 0..<100_000 { router.service("/svc/\(i)")[0].requestBegan() }
    let own = 500 / SeriesBudget.perService
    #expect(router.services.sorted.count == own + 1)
    #expect(registry.overflows == UInt64(100_000 - own))
    #expect(router.services.sorted.last?.name == "other")
    #expect(router.services.sorted.last?.gauge(ServiceStats.Word.pending) == 100_000 - own)
    #expect(router.client("/#/io.l5d.fs/web")[0] !== router.client("/#/io.l5d.fs/web2")[0])
    let page = registry.prometheusPage().text()
    #expect(page.utf8.count < 200_000)
    #expect(page.contains("meshrouter_metrics_overflow_total \(100_000 - own)\n"))
  }

  @Test("an overlong name shares the common scope")
  func overlong() {
    let registry = MetricsRegistry(workers: 1)
    let router = registry.router("http")
    let long = "/svc/" + String(repeating: "x", count: MetricsRegistry.nameBytesMax)
    #expect(router.service(long)[0] === router.service(long + "y")[0])
    #expect(registry.overflows == 2)
  }

  @Test("a dropped scope stays until no worker holds its block, then its requests are remembered as retired")
  func retiring() {
    let registry = MetricsRegistry(workers: 1)
    let router = registry.router("http")
    do {
      let held = router.service("/svc/web")
      router.dropService("/svc/web")
      registry.tick(at: start)
      held[0].requestBegan()
      held[0].requestEnded(success: true, microseconds: 5)
      #expect(registry.prometheusPage().text().contains(#"service="/svc/web",result="success"} 1"#))
      withExtendedLifetime(held) {}
    }
    #expect(registry.budget.services == 1)
    registry.tick(at: start)
    let page = registry.prometheusPage().text()
    #expect(!page.contains(#"service="/svc/web""#))
    #expect(page.contains(#"meshrouter_metrics_retired_requests_total{router="http",scope="service"} 1"#))
    #expect(page.contains(#"meshrouter_metrics_retired_scopes_total{router="http",scope="service"} 1"#))
    #expect(registry.budget.services == 0)
  }

  @Test("a name that comes back before its scope has ended goes on counting, however often it is dropped")
  func revived() {
    let registry = MetricsRegistry(workers: 1)
    let router = registry.router("http")
    let block = router.client("/#/a")[0]
    router.dropClient("/#/a")
    #expect(router.client("/#/a")[0] === block)
    registry.tick(at: start)
    router.dropClient("/#/a")
    router.dropClient("/#/a")
    _ = router.client("/#/a")
    registry.tick(at: start)
    #expect(router.client("/#/a")[0] === block)
    #expect(router.clients.retiredScopes == 0)
  }

  @Test("a page that is being written survives the end of a scope and of a router")
  func pageOutlivesScopes() {
    let registry = busyRegistry()
    var page = registry.prometheusPage()
    var json = registry.jsonPage(at: start)
    registry.router("http").dropService("/svc/web")
    registry.tick(at: start)
    registry.dropRouter("http")
    #expect(String(decoding: page.rest(), as: UTF8.self).contains(#"service="/svc/web",result="success"} 2"#))
    #expect(json?.rest().isEmpty == false)
    #expect(registry.budget.services == 0 && registry.budget.clients == 0)
    #expect(!registry.prometheusPage().text().contains("router="))
  }

  @Test("a worker's block outlives its registry")
  func blockOutlivesRegistry() {
    var registry: MetricsRegistry? = MetricsRegistry(workers: 1)
    let block = registry!.router("http").service("/svc/a")[0]
    registry = nil
    block.requestBegan()
    #expect(block.load(ServiceStats.Word.pending) == 1)
  }

  @Test("the busy ratio is that of the time between two measurements")
  func busyRatio() {
    let registry = MetricsRegistry(workers: 1)
    registry.tick(at: start)
    registry.workerStats[0].turned(busyNanoseconds: 2_500_000_000, delayMicroseconds: 1)
    registry.tick(at: start.advanced(byMilliseconds: 500))
    #expect(registry.busy.ratios == [0])
    registry.tick(at: start.advanced(byMilliseconds: 10_000))
    #expect(registry.busy.ratios == [0.25])
  }

  @Test("control metrics come and go by their labels")
  func control() {
    let registry = MetricsRegistry(workers: 1)
    let errors = registry.control(.namerErrors, "io.l5d.fs", "parse")
    errors.value += 2
    #expect(registry.control(.namerErrors, "io.l5d.fs", "parse") === errors)
    var age = 1.0
    registry.control(.namerAge, "io.l5d.fs", read: { age })
    age = 2.5
    let page = registry.prometheusPage().text()
    #expect(page.contains(#"meshrouter_namer_errors_total{namer="io.l5d.fs",reason="parse"} 2"#))
    #expect(page.contains(#"meshrouter_namer_age_seconds{namer="io.l5d.fs"} 2.5"#))
    registry.removeControl(.namerAge, "io.l5d.fs")
    #expect(!registry.prometheusPage().text().contains("meshrouter_namer_age_seconds"))
  }

  @Test("a scrape may run while workers count, and ends with everything they counted")
  func concurrent() {
    let registry = MetricsRegistry(workers: 2)
    let router = registry.router("http")
    let server = router.server("127.0.0.1/4140")
    let rounds = 20_000
    let threads = server.map { block in
      let thread = Thread {
        for i in 0..<rounds {
          block.requestBegan()
          if i % 10 == 0 {
            block.requestFailed(.connectRefused, status: 502, microseconds: UInt64(i))
          } else {
            block.requestEnded(status: 200, success: true, microseconds: UInt64(i))
          }
        }
      }
      thread.start()
      return thread
    }
    var last: UInt64 = 0
    while threads.contains(where: { !$0.isFinished }) {
      let scope = router.servers.sorted[0]
      #expect(scope.requests >= last)
      last = scope.requests
      _ = registry.prometheusPage().text()
      _ = registry.jsonPage(at: start)?.text()
    }
    let scope = router.servers.sorted[0]
    #expect(scope.requests == UInt64(2 * rounds))
    #expect(scope.gauge(ServerStats.Word.pending) == 0)
    #expect(scope.recent(0, registry.scratch).count == UInt64(2 * rounds))
  }
}

import MeshBase
import Testing

@testable import Telemetry

struct LinkerdPageTests {
  @Test("names and labels are linkerd's")
  func golden() {
    let lines = busyRegistry().linkerdPage(at: start).lines()
    let server = #"rt="http", server="127.0.0.1/4140""#
    let client = ##"rt="http", client="#/io.l5d.fs/web""##
    for line in [
      #"rt:server:requests{\#(server)} 3"#, #"rt:server:pending{\#(server)} 1"#,
      #"rt:server:status:2XX{\#(server)} 2"#, #"rt:server:request_latency_ms_count{\#(server)} 3"#,
      #"rt:server:request_latency_ms_sum{\#(server)} 3.7"#,
      #"rt:client:requests{\#(client)} 3"#, #"rt:client:failures{\#(client)} 1"#,
      #"rt:client:failures{\#(client), exception="connect.refused"} 1"#,
      #"rt:client:loadbalancer:size{\#(client)} 3"#,
      #"rt:service:requests{rt="http", service="svc/web"} 3"#, #"rt:bindcache:path:misses{rt="http"} 2"#,
    ] {
      #expect(lines.contains(line), "missing: \(line)")
    }
    let quantiles = lines.filter { $0.hasPrefix("rt:service:request_latency_ms{") }
      .compactMap { $0.firstMatch(of: /quantile="([^"]*)"/).map { String($0.1) } }
    #expect(quantiles == ["0", "0.5", "0.9", "0.95", "0.99", "0.999", "0.9999", "1"])
  }

  @Test("each family comes once, under one TYPE, and promtool can read the page")
  func valid() throws {
    let page = busyRegistry().linkerdPage(at: start)
    var seen: Set<String> = []
    var current = ""
    for line in page.lines() where !line.hasPrefix("#") {
      var name = try Sample(line).name
      for suffix in ["_count", "_sum"] where name.hasSuffix("_ms" + suffix) { name.removeLast(suffix.count) }
      if name != current { #expect(seen.insert(name).inserted, "\(name) comes twice") }
      current = name
    }
    guard let verdict = try run("/usr/bin/promtool", "check metrics", input: page.text()) else { return }
    // 3: linkerd's names break the naming rules; 1: the page could not be read.
    #expect(verdict.status == 3, "\(verdict.output)")
  }

  @Test("summaries without values are left out")
  func emptySummaries() {
    let registry = MetricsRegistry(workers: 1)
    _ = registry.router("http").service("/svc/web")
    let page = registry.linkerdPage(at: start).lines()
    #expect(!page.contains { $0.hasPrefix("rt:service:request_latency_ms") })
    #expect(page.contains(#"rt:service:requests{rt="http", service="svc/web"} 0"#))
  }
}

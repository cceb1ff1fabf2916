import MeshBase
import Testing

@testable import Telemetry

struct PrometheusPageTests {
  @Test("each sample says what was counted, all workers together")
  func samples() {
    let lines = Set(busyRegistry().prometheusPage().lines())
    let server = #"router="http",server="127.0.0.1/4140",protocol="http""#
    let service = #"router="http",service="/svc/web""#
    let client = #"router="http",client="/#/io.l5d.fs/web""#
    for line in [
      #"meshrouter_server_requests_total{\#(server),status="2xx",reason=""} 2"#,
      #"meshrouter_server_requests_total{\#(server),status="5xx",reason=""} 0"#,
      #"meshrouter_server_requests_total{\#(server),status="5xx",reason="connect.refused"} 1"#,
      #"meshrouter_server_in_flight{\#(server)} 1"#,
      #"meshrouter_server_connections{\#(server)} 2"#,
      #"meshrouter_server_sent_bytes_total{\#(server)} 4000"#,
      #"meshrouter_server_request_duration_seconds_bucket{\#(server),le="0.0005"} 0"#,
      #"meshrouter_server_request_duration_seconds_bucket{\#(server),le="0.001"} 1"#,
      #"meshrouter_server_request_duration_seconds_bucket{\#(server),le="0.0025"} 3"#,
      #"meshrouter_server_request_duration_seconds_bucket{\#(server),le="+Inf"} 3"#,
      #"meshrouter_server_request_duration_seconds_sum{\#(server)} 0.0037"#,
      #"meshrouter_server_request_duration_seconds_count{\#(server)} 3"#,
      #"meshrouter_errors_total{router="http",reason="connect.refused"} 1"#,
      #"meshrouter_service_requests_total{\#(service),result="success"} 2"#,
      #"meshrouter_service_requests_total{\#(service),result="failure"} 1"#,
      #"meshrouter_service_failures_total{\#(service),reason="connect.refused"} 1"#,
      #"meshrouter_service_retries_total{\#(service),kind="requeue",outcome="sent"} 1"#,
      #"meshrouter_service_retry_budget_ratio{\#(service)} 0.5"#,
      #"meshrouter_client_attempts_total{\#(client),result="success",reason=""} 2"#,
      #"meshrouter_client_attempts_total{\#(client),result="failure",reason="connect.refused"} 1"#,
      #"meshrouter_client_responses_total{\#(client),status="2xx"} 2"#,
      #"meshrouter_client_connect_duration_seconds_sum{\#(client)} 0.0005"#,
      #"meshrouter_client_connect_duration_seconds_count{\#(client)} 2"#,
      #"meshrouter_client_connections{\#(client),state="active"} 1"#,
      #"meshrouter_client_connections{\#(client),state="idle"} 1"#,
      #"meshrouter_client_endpoints{\#(client),state="ok"} 2"#,
      #"meshrouter_client_endpoints{\#(client),state="ejected"} 1"#,
      #"meshrouter_bind_cache_events_total{router="http",cache="path",event="misses"} 2"#,
      #"meshrouter_stage_duration_seconds_sum{stage="relay"} 0.0000018"#,
      #"meshrouter_worker_busy_seconds_total{worker="1"} 0.002"#,
      #"meshrouter_build_info{version="1.0",openssl="3.0",nghttp2="1.5"} 1"#,
      #"meshrouter_dtab_revision{namespace="default"} 7"#,
      #"meshrouter_dtab_propagation_seconds_bucket{le="0.005"} 1"#,
      #"meshrouter_dtab_propagation_seconds_count 1"#,
      #"meshrouter_namer_age_seconds{namer="io.l5d.fs"} 1.5"#,
      #"meshrouter_metrics_overflow_total 0"#,
    ] {
      #expect(lines.contains(line), "missing: \(line)")
    }
  }

  @Test("families are contiguous, each with HELP and TYPE, and every one of them is in the contract")
  func families() throws {
    var seen: Set<String> = []
    var current = ""
    let contract = Dictionary(uniqueKeysWithValues: MetricName.all.map { ($0.name, $0) })
    for line in busyRegistry().prometheusPage().lines() {
      if line.hasPrefix("# HELP ") {
        current = String(line.split(separator: " ")[2])
        #expect(seen.insert(current).inserted, "\(current) comes twice")
        let metric = try #require(contract[current], "\(current) is not in MetricName.all")
        #expect(line == "# HELP \(metric.name) \(metric.help)")
      } else if line.hasPrefix("# TYPE ") {
        #expect(line == "# TYPE \(current) \(contract[current]!.kind.rawValue)")
      } else {
        let sample = try Sample(line)
        let suffix = sample.name.dropFirst(current.count)
        #expect(sample.name.hasPrefix(current) && ["", "_bucket", "_sum", "_count"].contains(String(suffix)))
        let names = sample.labels.matches(of: /([a-z0-9_]+)="/).map { String($0.1) }.filter { $0 != "le" }
        #expect(names == contract[current]!.labels, "\(line)")
      }
    }
  }

  @Test("promtool finds nothing to complain of")
  func promtool() throws {
    let page = busyRegistry().prometheusPage().text()
    guard let verdict = try run("/usr/bin/promtool", "check metrics", input: page) else { return }
    #expect(verdict.status == 0, "\(verdict.output)")
    #expect(verdict.output.isEmpty, "\(verdict.output)")
  }

  @Test("label values are escaped, whatever a caller put into a name")
  func escaping() throws {
    let registry = MetricsRegistry(workers: 1)
    _ = registry.router("a\"b").service("/svc/x\\y\"z\nend")
    let page = registry.prometheusPage().text()
    #expect(page.contains(#"{router="a\"b",service="/svc/x\\y\"z\nend",result="success"} 0"#))
    if let verdict = try run("/usr/bin/promtool", "check metrics", input: page) {
      #expect(verdict.status == 0, "\(verdict.output)")
    }
  }

  @Test("a histogram that never recorded shows its last bucket, sum and count alone")
  func emptyHistogram() {
    let registry = MetricsRegistry(workers: 1)
    _ = registry.router("http").service("/svc/web")
    let lines = registry.prometheusPage().lines().filter {
      $0.hasPrefix("meshrouter_service_request_duration_seconds")
    }
    #expect(
      lines == [
        #"meshrouter_service_request_duration_seconds_bucket{router="http",service="/svc/web",le="+Inf"} 0"#,
        #"meshrouter_service_request_duration_seconds_sum{router="http",service="/svc/web"} 0"#,
        #"meshrouter_service_request_duration_seconds_count{router="http",service="/svc/web"} 0"#,
      ])
  }

  @Test("service and family narrow the page down")
  func filters() throws {
    let registry = busyRegistry()
    _ = registry.router("http").service("/svc/other-one")
    for line in registry.prometheusPage(PrometheusOptions(service: "/svc/web")).lines() where !line.hasPrefix("#") {
      #expect(line.contains(#"service="/svc/web""#))
    }
    let family = registry.prometheusPage(PrometheusOptions(family: "meshrouter_client_")).lines()
    #expect(!family.isEmpty)
    for line in family { #expect(line.contains("meshrouter_client_")) }
    #expect(registry.prometheusPage(PrometheusOptions(service: "/svc/none")).lines().isEmpty)
    let exact = registry.prometheusPage(PrometheusOptions(family: "meshrouter_server_requests", exactStatus: true))
    #expect(exact.text().contains(#"status="200",reason=""} 2"#))
  }

  @Test("a scope shows no more series than the budget charges for it")
  func charge() throws {
    func series(_ label: String, _ registry: MetricsRegistry) throws -> Int {
      try registry.prometheusPage().lines().filter { !$0.hasPrefix("#") }
        .count { try Sample($0).labels.contains("\(label)=") }
    }
    #expect(try series("service", busyRegistry()) <= SeriesBudget.perService)
    #expect(try series("client", busyRegistry()) <= SeriesBudget.perClient)
  }

  @Test("a page of thousands of scopes comes in pieces of bounded size")
  func pieces() {
    let registry = MetricsRegistry(workers: 1)
    for i in 0..<1_000 { _ = registry.router("http").service("/svc/\(i)") }
    var page = registry.prometheusPage()
    var pieces = 0
    while !page.isAtEnd {
      #expect(page.next().count < MetricsPage.sharedChunkBytes + 8 * 1_024)
      pieces += 1
    }
    #expect(pieces > 3, "\(pieces)")
  }
}

import Testing

@testable import Telemetry

/// Dashboards and alerts are made of these names: one may be added here, but none renamed or taken away.
struct MetricNameTests {
  @Test("the contract is what it was")
  func frozen() {
    let contract = """
      meshrouter_server_requests_total counter router,server,protocol,status,reason
      meshrouter_server_request_duration_seconds histogram router,server,protocol
      meshrouter_server_in_flight gauge router,server,protocol
      meshrouter_server_connections gauge router,server,protocol
      meshrouter_server_connections_opened_total counter router,server,protocol
      meshrouter_server_connections_closed_total counter router,server,protocol
      meshrouter_server_failed_handshakes_total counter router,server,protocol
      meshrouter_server_rejected_connections_total counter router,server,protocol
      meshrouter_server_accept_pauses_total counter router,server,protocol
      meshrouter_server_queued_requests gauge router,server,protocol
      meshrouter_server_waited_requests_total counter router,server,protocol
      meshrouter_server_received_bytes_total counter router,server,protocol
      meshrouter_server_sent_bytes_total counter router,server,protocol
      meshrouter_server_streams gauge router,server,protocol
      meshrouter_server_stream_resets_total counter router,server,protocol,by,code
      meshrouter_server_http2_abuse_total counter router,server,protocol,abuse
      meshrouter_errors_total counter router,reason
      meshrouter_service_requests_total counter router,service,result
      meshrouter_service_failures_total counter router,service,reason
      meshrouter_service_request_duration_seconds histogram router,service
      meshrouter_service_in_flight gauge router,service
      meshrouter_service_retries_total counter router,service,kind,outcome
      meshrouter_service_retry_budget_ratio gauge router,service
      meshrouter_service_faults_total counter router,service,kind
      meshrouter_service_mirror_events_total counter router,service,event
      meshrouter_client_attempts_total counter router,client,result,reason
      meshrouter_client_responses_total counter router,client,status
      meshrouter_client_attempt_duration_seconds histogram router,client
      meshrouter_client_in_flight gauge router,client
      meshrouter_client_connect_duration_seconds summary router,client
      meshrouter_client_connect_failures_total counter router,client
      meshrouter_client_connections_closed_total counter router,client
      meshrouter_client_connections gauge router,client,state
      meshrouter_client_endpoints gauge router,client,state
      meshrouter_client_endpoint_updates_total counter router,client
      meshrouter_client_endpoint_ejections_total counter router,client
      meshrouter_client_endpoint_ejections_refused_total counter router,client
      meshrouter_client_endpoint_revivals_total counter router,client
      meshrouter_client_picks_in_panic_total counter router,client
      meshrouter_client_requeues_total counter router,client
      meshrouter_client_pool_waiters gauge router,client
      meshrouter_client_pool_waited_total counter router,client
      meshrouter_client_pool_overflow_total counter router,client
      meshrouter_client_concurrency_limit gauge router,client
      meshrouter_client_shed_requests_total counter router,client
      meshrouter_client_received_bytes_total counter router,client
      meshrouter_client_sent_bytes_total counter router,client
      meshrouter_client_streams gauge router,client
      meshrouter_client_stream_resets_total counter router,client,by,code
      meshrouter_client_dead_connections_total counter router,client
      meshrouter_bind_cache_events_total counter router,cache,event
      meshrouter_bind_cache_idle gauge router,cache
      meshrouter_stage_duration_seconds histogram stage
      meshrouter_worker_busy_seconds_total counter worker
      meshrouter_worker_busy_ratio gauge worker
      meshrouter_worker_turns_total counter worker
      meshrouter_worker_loop_delay_seconds histogram worker
      meshrouter_access_log_dropped_total counter
      meshrouter_metrics_overflow_total counter
      meshrouter_metrics_retired_scopes_total counter router,scope
      meshrouter_metrics_retired_requests_total counter router,scope
      meshrouter_dtab_revision gauge namespace
      meshrouter_dtab_apply_total counter namespace,result
      meshrouter_dtab_propagation_seconds histogram
      meshrouter_namer_age_seconds gauge namer
      meshrouter_namer_updates_total counter namer
      meshrouter_namer_errors_total counter namer,reason
      meshrouter_config_last_reload_successful gauge
      meshrouter_config_last_reload_success_timestamp_seconds gauge
      meshrouter_tls_certificate_not_after_timestamp_seconds gauge file,subject
      meshrouter_memory_limit_bytes gauge
      meshrouter_memory_short gauge
      meshrouter_memory_shortages_total counter
      meshrouter_build_info gauge version,openssl,nghttp2
      process_cpu_seconds_total counter
      process_resident_memory_bytes gauge
      process_virtual_memory_bytes gauge
      process_open_fds gauge
      process_max_fds gauge
      process_start_time_seconds gauge
      """
    let now = MetricName.all.map { metric in
      ([metric.name, metric.kind.rawValue] + (metric.labels.isEmpty ? [] : [metric.labels.joined(separator: ",")]))
        .joined(separator: " ")
    }
    #expect(now == contract.split(separator: "\n").map(String.init))
  }

  @Test("names, units and kinds follow Prometheus' rules")
  func rules() {
    #expect(Set(MetricName.all.map(\.name)).count == MetricName.all.count)
    for metric in MetricName.all {
      #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
      let base = metric.name.hasSuffix("_total") ? String(metric.name.dropLast(6)) : metric.name
      switch metric.unit {
      case .none: #expect(!base.hasSuffix("_seconds") && !base.hasSuffix("_bytes"), "\(metric.name)")
      case .seconds, .timestamp: #expect(base.hasSuffix("_seconds"), "\(metric.name)")
      case .bytes: #expect(base.hasSuffix("_bytes"), "\(metric.name)")
      case .ratio: #expect(base.hasSuffix("_ratio"), "\(metric.name)")
      }
      #expect(!metric.help.isEmpty && metric.help.hasSuffix("."), "\(metric.name)")
    }
  }
}

extension MetricName {
  private static let server = ["router", "server", "protocol"]
  private static let service = ["router", "service"]
  private static let client = ["router", "client"]

  // MARK: Servers: the caller's view

  public static let serverRequests = MetricName(
    "meshrouter_server_requests_total", .counter, server + ["status", "reason"],
    "Requests answered, by class of status and, where the router answered by itself, the reason word.")
  public static let serverDuration = MetricName(
    "meshrouter_server_request_duration_seconds", .histogram, .seconds, server,
    "Time from the request's head to the end of the answer.")
  public static let serverInFlight = MetricName(
    "meshrouter_server_in_flight", .gauge, server, "Requests that have begun and not ended.")
  public static let serverConnections = MetricName(
    "meshrouter_server_connections", .gauge, server, "Connections of callers that are open.")
  public static let serverConnectionsOpened = MetricName(
    "meshrouter_server_connections_opened_total", .counter, server, "Connections accepted from callers.")
  public static let serverConnectionsClosed = MetricName(
    "meshrouter_server_connections_closed_total", .counter, server, "Connections of callers that have ended.")
  public static let serverFailedHandshakes = MetricName(
    "meshrouter_server_failed_handshakes_total", .counter, server, "TLS handshakes of callers that came to nothing.")
  public static let serverRejectedConnections = MetricName(
    "meshrouter_server_rejected_connections_total", .counter, server,
    "Connections closed at once because `maxConnections` are open.")
  public static let serverAcceptPauses = MetricName(
    "meshrouter_server_accept_pauses_total", .counter, server,
    "Times that a worker stopped accepting for a while, because descriptors or memory were short.")
  public static let serverQueued = MetricName(
    "meshrouter_server_queued_requests", .gauge, server,
    "Requests that wait for one of the places of `maxConcurrentRequests`.")
  public static let serverWaited = MetricName(
    "meshrouter_server_waited_requests_total", .counter, server, "Requests that had to wait for such a place.")
  public static let serverReceivedBytes = MetricName(
    "meshrouter_server_received_bytes_total", .counter, .bytes, server, "Bytes received from callers.")
  public static let serverSentBytes = MetricName(
    "meshrouter_server_sent_bytes_total", .counter, .bytes, server, "Bytes sent to callers.")
  public static let serverStreams = MetricName(
    "meshrouter_server_streams", .gauge, server, "HTTP/2 streams of callers that are open.")
  public static let serverResets = MetricName(
    "meshrouter_server_stream_resets_total", .counter, server + ["by", "code"],
    "HTTP/2 streams of callers that ended with RST_STREAM, by who sent it and its code.")
  public static let serverAbuse = MetricName(
    "meshrouter_server_http2_abuse_total", .counter, server + ["abuse"],
    "Times a caller overdid something in HTTP/2 and lost its connection, or for `zero_window` a stream, over it.")
  public static let errors = MetricName(
    "meshrouter_errors_total", .counter, ["router", "reason"],
    "Requests that failed for a reason of the router's own, over all servers; see `meshrouter errors REASON`.")

  // MARK: Services: logical names, all attempts of a request together

  public static let serviceRequests = MetricName(
    "meshrouter_service_requests_total", .counter, service + ["result"],
    "Requests for a logical name, by result after all attempts.")
  public static let serviceFailures = MetricName(
    "meshrouter_service_failures_total", .counter, service + ["reason"],
    "Requests for a logical name that failed for a reason of the router's own.")
  public static let serviceDuration = MetricName(
    "meshrouter_service_request_duration_seconds", .histogram, .seconds, service,
    "Time a request took with all its attempts.")
  public static let serviceInFlight = MetricName(
    "meshrouter_service_in_flight", .gauge, service, "Requests that have begun and not ended.")
  public static let serviceRetries = MetricName(
    "meshrouter_service_retries_total", .counter, service + ["kind", "outcome"],
    "Wishes to send a request again, or a second time while the first is out (`hedge`), by why and whether it was allowed."
  )
  public static let serviceRetryBudget = MetricName(
    "meshrouter_service_retry_budget_ratio", .gauge, .ratio, service,
    "Share of the retry budget in hand, 0 to 1.")

  public static let serviceFaults = MetricName(
    "meshrouter_service_faults_total", .counter, service + ["kind"],
    "Faults injected on purpose into requests for a logical name.")
  public static let serviceMirror = MetricName(
    "meshrouter_service_mirror_events_total", .counter, service + ["event"],
    "What became of copies of requests for a logical name: `sent`, then `success` or `failure`; or dropped.")

  // MARK: Clients: bound ids, every attempt by itself

  public static let clientAttempts = MetricName(
    "meshrouter_client_attempts_total", .counter, client + ["result", "reason"],
    "Attempts at an endpoint, by result and the reason word where there was no whole response.")
  public static let clientResponses = MetricName(
    "meshrouter_client_responses_total", .counter, client + ["status"], "Responses of endpoints, by class of status.")
  public static let clientDuration = MetricName(
    "meshrouter_client_attempt_duration_seconds", .histogram, .seconds, client,
    "Time from picking an endpoint to the end of its response.")
  public static let clientInFlight = MetricName(
    "meshrouter_client_in_flight", .gauge, client, "Attempts that have begun and not ended.")
  public static let clientConnectDuration = MetricName(
    "meshrouter_client_connect_duration_seconds", .summary, .seconds, client,
    "Time that connecting took, where it succeeded.")
  public static let clientConnectFailures = MetricName(
    "meshrouter_client_connect_failures_total", .counter, client, "Connections that could not be made.")
  public static let clientConnectionsClosed = MetricName(
    "meshrouter_client_connections_closed_total", .counter, client, "Connections to endpoints that have ended.")
  public static let clientConnections = MetricName(
    "meshrouter_client_connections", .gauge, client + ["state"],
    "Connections to endpoints that are open: `active` with a request, `idle` in the pool.")
  public static let clientEndpoints = MetricName(
    "meshrouter_client_endpoints", .gauge, client + ["state"],
    "Endpoints by state, as the worker sees them that has ejected the most.")
  public static let clientEndpointUpdates = MetricName(
    "meshrouter_client_endpoint_updates_total", .counter, client, "New endpoint sets taken over.")
  public static let clientEjections = MetricName(
    "meshrouter_client_endpoint_ejections_total", .counter, client,
    "Times an endpoint was put out of the balancer after failures or for its latency, counted by each worker.")
  public static let clientEjectionsRefused = MetricName(
    "meshrouter_client_endpoint_ejections_refused_total", .counter, client,
    "Times an endpoint stayed because `maxEjectedPercent` of them were out already, counted by each worker.")
  public static let clientRevivals = MetricName(
    "meshrouter_client_endpoint_revivals_total", .counter, client,
    "Times an ejected endpoint was taken back, counted by each worker.")
  public static let clientPanics = MetricName(
    "meshrouter_client_picks_in_panic_total", .counter, client,
    "Picks that took an ejected endpoint because no other was left.")
  public static let clientRequeues = MetricName(
    "meshrouter_client_requeues_total", .counter, client,
    "Attempts made again at another endpoint because nothing had been sent.")
  public static let clientWaiters = MetricName(
    "meshrouter_client_pool_waiters", .gauge, client, "Requests that wait for a connection.")
  public static let clientWaited = MetricName(
    "meshrouter_client_pool_waited_total", .counter, client, "Requests that had to wait for a connection.")
  public static let clientTooManyWaiters = MetricName(
    "meshrouter_client_pool_overflow_total", .counter, client,
    "Requests refused because too many already waited for a connection.")
  public static let clientConcurrencyLimit = MetricName(
    "meshrouter_client_concurrency_limit", .gauge, client,
    "Attempts that `concurrencyLimit` allows at once, all workers together; 0 without one.")
  public static let clientShed = MetricName(
    "meshrouter_client_shed_requests_total", .counter, client,
    "Requests turned away because that many attempts were out.")
  public static let clientReceivedBytes = MetricName(
    "meshrouter_client_received_bytes_total", .counter, .bytes, client, "Bytes received from endpoints.")
  public static let clientSentBytes = MetricName(
    "meshrouter_client_sent_bytes_total", .counter, .bytes, client, "Bytes sent to endpoints.")

  public static let clientStreams = MetricName(
    "meshrouter_client_streams", .gauge, client, "HTTP/2 streams to endpoints that are open.")
  public static let clientResets = MetricName(
    "meshrouter_client_stream_resets_total", .counter, client + ["by", "code"],
    "HTTP/2 streams to endpoints that ended with RST_STREAM, by who sent it and its code.")
  public static let clientDeadConnections = MetricName(
    "meshrouter_client_dead_connections_total", .counter, client,
    "HTTP/2 connections given up because the endpoint did not answer a PING.")

  // MARK: Routers and workers

  public static let bindCacheEvents = MetricName(
    "meshrouter_bind_cache_events_total", .counter, ["router", "cache", "event"],
    "What happened in the bind caches, all workers together.")
  public static let bindCacheIdle = MetricName(
    "meshrouter_bind_cache_idle", .gauge, ["router", "cache"], "Entries of the bind caches that no request uses.")
  public static let stageDuration = MetricName(
    "meshrouter_stage_duration_seconds", .histogram, .seconds, ["stage"],
    "Time spent in a stage that may wait: bind, connect, relay.")
  public static let workerBusy = MetricName(
    "meshrouter_worker_busy_seconds_total", .counter, .seconds, ["worker"],
    "Time a worker's loop was awake.")
  public static let workerBusyRatio = MetricName(
    "meshrouter_worker_busy_ratio", .gauge, .ratio, ["worker"],
    "Share of the last seconds that a worker's loop was awake, 0 to 1.")
  public static let workerTurns = MetricName(
    "meshrouter_worker_turns_total", .counter, ["worker"], "Turns of a worker's loop.")
  public static let workerDelay = MetricName(
    "meshrouter_worker_loop_delay_seconds", .histogram, .seconds, ["worker"],
    "How long events waited for the turn before them to end.")
  public static let accessLogDropped = MetricName(
    "meshrouter_access_log_dropped_total", .counter, [],
    "Lines of the access log that were dropped because its writer fell behind.")

  // MARK: The metrics themselves

  public static let overflow = MetricName(
    "meshrouter_metrics_overflow_total", .counter, [],
    "Times a service or client was counted under `other` because the series budget was used up.")
  public static let retiredScopes = MetricName(
    "meshrouter_metrics_retired_scopes_total", .counter, ["router", "scope"],
    "Services and clients whose series have ended because they were no longer in use.")
  public static let retiredRequests = MetricName(
    "meshrouter_metrics_retired_requests_total", .counter, ["router", "scope"],
    "Requests that had been counted by series which have ended.")

  // MARK: Handed in by the control plane

  public static let dtabRevision = MetricName(
    "meshrouter_dtab_revision", .gauge, ["namespace"], "Revision of the dtab that is in force.")
  public static let dtabApply = MetricName(
    "meshrouter_dtab_apply_total", .counter, ["namespace", "result"], "Changes of a dtab that were applied or refused.")
  public static let dtabPropagation = MetricName(
    "meshrouter_dtab_propagation_seconds", .histogram, .seconds, [],
    "Time from a stored change of a dtab to its being in force on every worker.")
  public static let namerAge = MetricName(
    "meshrouter_namer_age_seconds", .gauge, .seconds, ["namer"], "Time since a namer last heard from its source.")
  public static let namerUpdates = MetricName(
    "meshrouter_namer_updates_total", .counter, ["namer"], "Changes a namer has reported.")
  public static let namerErrors = MetricName(
    "meshrouter_namer_errors_total", .counter, ["namer", "reason"], "Failures of a namer to read its source.")
  public static let configReloadSuccessful = MetricName(
    "meshrouter_config_last_reload_successful", .gauge, [], "1 if the last reload of the configuration was applied.")
  public static let configReloadTime = MetricName(
    "meshrouter_config_last_reload_success_timestamp_seconds", .gauge, .timestamp, [],
    "When the configuration in force was loaded, in seconds since 1970.")
  public static let certificateNotAfter = MetricName(
    "meshrouter_tls_certificate_not_after_timestamp_seconds", .gauge, .timestamp, ["file", "subject"],
    "When a certificate in use ends, in seconds since 1970.")
  public static let memoryLimit = MetricName(
    "meshrouter_memory_limit_bytes", .gauge, .bytes, [], "Resident memory that is not to be exceeded; 0: no limit.")
  public static let memoryShort = MetricName(
    "meshrouter_memory_short", .gauge, [], "1 while memory is short: connections are not accepted.")
  public static let memoryShortages = MetricName(
    "meshrouter_memory_shortages_total", .counter, [], "Times that memory became short.")
  public static let buildInfo = MetricName(
    "meshrouter_build_info", .gauge, ["version", "openssl", "nghttp2"], "Always 1; the labels tell what is running.")
  public static let processCpu = MetricName(
    "process_cpu_seconds_total", .counter, .seconds, [], "User and system CPU time spent in seconds.")
  public static let processResident = MetricName(
    "process_resident_memory_bytes", .gauge, .bytes, [], "Resident memory size in bytes.")
  public static let processVirtual = MetricName(
    "process_virtual_memory_bytes", .gauge, .bytes, [], "Virtual memory size in bytes.")
  public static let processOpenFds = MetricName("process_open_fds", .gauge, [], "Number of open file descriptors.")
  public static let processMaxFds = MetricName(
    "process_max_fds", .gauge, [], "Maximum number of open file descriptors.")
  public static let processStart = MetricName(
    "process_start_time_seconds", .gauge, .timestamp, [],
    "Start time of the process since unix epoch in seconds.")

  /// Every family there is, in the order of the page.
  public static let all: [MetricName] =
    [
      serverRequests, serverDuration, serverInFlight, serverConnections, serverConnectionsOpened,
      serverConnectionsClosed, serverFailedHandshakes, serverRejectedConnections, serverAcceptPauses, serverQueued,
      serverWaited, serverReceivedBytes, serverSentBytes, serverStreams, serverResets, serverAbuse, errors,
      serviceRequests, serviceFailures, serviceDuration, serviceInFlight, serviceRetries, serviceRetryBudget,
      serviceFaults, serviceMirror, clientAttempts, clientResponses,
      clientDuration, clientInFlight, clientConnectDuration, clientConnectFailures, clientConnectionsClosed,
      clientConnections, clientEndpoints, clientEndpointUpdates, clientEjections, clientEjectionsRefused,
      clientRevivals, clientPanics, clientRequeues, clientWaiters, clientWaited, clientTooManyWaiters,
      clientConcurrencyLimit, clientShed, clientReceivedBytes, clientSentBytes, clientStreams, clientResets,
      clientDeadConnections,
      bindCacheEvents, bindCacheIdle, stageDuration, workerBusy, workerBusyRatio, workerTurns, workerDelay,
      accessLogDropped, overflow, retiredScopes, retiredRequests,
    ] + controlPlane

  /// Those whose values the control plane hands in.
  public static let controlPlane: [MetricName] = [
    dtabRevision, dtabApply, dtabPropagation, namerAge, namerUpdates, namerErrors, configReloadSuccessful,
    configReloadTime, certificateNotAfter, memoryLimit, memoryShort, memoryShortages, buildInfo, processCpu,
    processResident, processVirtual, processOpenFds,
    processMaxFds, processStart,
  ]
}

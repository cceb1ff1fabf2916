import HTTP
import MeshBase
import Net

/// Following the event stream.
extension MarathonStore {
  /// What routing depends on; a Marathon before 1.3.7 sends all the rest too.
  private static let eventTypes = [
    "status_update_event", "instance_changed_event", "health_status_changed_event",
    "instance_health_changed_event",
    "failed_health_check_event", "unhealthy_task_kill_event", "unhealthy_instance_kill_event",
    "api_post_event",
    "app_terminated_event", "unknown_instance_terminated_event", "deployment_info",
    "deployment_step_success",
    "deployment_step_failure", "deployment_success", "deployment_failed", "event_stream_attached",
    "scheduler_registered_event", "scheduler_reregistered_event",
  ]
  /// An event that is larger is as good as a change of everything: plans of old Marathons hold two trees of all groups.
  private static let eventBytesMax = 32 << 20
  private static let deploymentsMax = 512

  func startStream() {
    streamTask = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        guard let wait = await self?.followOnce() else { return }
        try? await ControlActor.sleep(milliseconds: wait)
      }
    }
  }

  /// One connection, from its beginning to its end. Milliseconds to wait before the next.
  private func followOnce() async -> UInt64 {
    let text: String
    do throws(ClusterError) {
      try await follow()
      text =
        "the event stream ended: Marathon changes its leader, or this router was too slow for it"
    } catch {
      text = error.description
    }
    if let since = streamSince {
      streamDelay.ended(afterMilliseconds: Clock.now.nanoseconds(since: since) / 1_000_000)
    }
    streamSince = nil
    if !Task.isCancelled { failed(text) }
    return streamDelay.next(using: &random)
  }

  private func follow() async throws(ClusterError) {
    let path =
      options.uriPrefix + "/v2/events?plan-format=light"
      + Self.eventTypes.map { "&event_type=\($0)" }.joined()
    let request = ClusterRequest(
      path,
      // Compressed, an event would wait for the next to fill a block.
      headers: ControlHeaders(["Accept": "text/event-stream", "Accept-Encoding": "identity"]))
    let stream = try await client.open(request)
    self.stream = stream
    defer {
      stream.close()
      self.stream = nil
    }
    let type = stream.headers["Content-Type"]?.lowercased() ?? ""
    guard stream.status == 200, type.hasPrefix("text/event-stream") else {
      // Without a stream we live on single answers, one for each attempt to get it.
      resync()
      throw ClusterError(
        .status(stream.status),
        "GET \(stream.host)\(options.uriPrefix)/v2/events: \(stream.status) \(type): \(ClusterError.remedy(stream.status))"
      )
    }
    stream.isEndless = true
    stream.pieceMilliseconds = options.silenceMilliseconds
    var parser = ServerSentEventParser(eventBytesMax: Self.eventBytesMax)
    var hasSynced = false
    while let piece = try await stream.next() {
      lastByte = Clock.now
      if !hasSynced {
        // Not before the first byte: who is not leader yet takes connections and closes them at once.
        hasSynced = true
        connected()
      }
      var index = 0
      while let event = parser.next(piece.span, from: &index) { take(event) }
    }
  }

  private func connected() {
    counts.connects += 1
    streamSince = Clock.now
    // Where it works again, the single answers do too.
    succeeded()
    resync()
    pump()
    vips?.reconnected()
  }

  private func take(_ event: ServerSentEvent) {
    counts.events += 1
    lastEvent = Clock.now
    if event.isOversized { return resync() }
    do throws(JSONError) {
      take(try MarathonEvent(name: event.type, data: event.data.span))
    } catch {
      counts.unknownEvents += 1
    }
  }

  func take(_ event: MarathonEvent) {
    var apps = event.apps
    switch event.change {
    case .attached, .ignored: return
    case .unknown:
      counts.unknownEvents += 1
      return
    case .reregistered:
      // Results vanish now and come back one by one; what is proven is remembered.
      for entry in entries.values where entry.record != nil { mark(entry) }
      return
    case .deployment(let id, let isOver):
      let place = deployments.firstIndex { $0.id == id }
      if apps.isEmpty, let place { apps = deployments[place].apps }
      if let place, isOver { deployments.remove(at: place) }
      if place == nil, !isOver, !id.isEmpty {
        if deployments.count == Self.deploymentsMax { deployments.removeFirst() }
        deployments.append((id, apps))
      }
    default: break
    }
    for app in apps { take(event.change, for: app) }
  }

  private func take(_ change: MarathonEvent.Change, for app: String) {
    guard let entry = known(app) ?? (options.mode == .eager ? entry(app) : nil) else {
      vips?.take(change, for: app)
      return
    }
    guard entry.record != nil else {
      // Not there, as far as is known: it may be now.
      if case .terminated = change { return }
      return mark(entry)
    }
    if case .terminated = change { entry.isTerminated = true }
    let now = Clock.now
    var needsPull = false
    _ = entry.update {
      let result = $0.apply(change, now: now)
      needsPull = result.needsPull
      return result.changed
    }
    if needsPull { mark(entry) }
  }
}

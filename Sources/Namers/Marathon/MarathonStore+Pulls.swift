import MeshBase
import Net

/// Asking for single apps: the first change at once, further ones of the same app ever more seldom, a few at a time.
extension MarathonStore {
  /// Something about the app has changed that Marathon must be asked for.
  func mark(_ entry: MarathonEntry) {
    entry.mark()
    schedule(entry)
  }

  private func schedule(_ entry: MarathonEntry) {
    guard entry.isDirty, !entry.isInFlight, !entry.isQueued else { return }
    if entry.restsUntil > Clock.now {
      entry.rest { [weak self, weak entry] in
        guard let self, let entry else { return }
        schedule(entry)
      }
      return
    }
    entry.isQueued = true
    queue.append(entry)
    pump()
  }

  func pump() {
    if let until = pausedUntil {
      let now = Clock.now
      if until > now {
        if !pauseTimer.isSet {
          pauseTimer.set(milliseconds: until.nanoseconds(since: now) / 1_000_000 + 1)
        }
        return
      }
      // One asks whether Marathon is back; the others wait for what comes of it.
      if pullsInFlight > 0 { return }
    }
    if options.mode == .eager, isSynced, queue.count > max(200, entries.count / 5),
      pausedUntil == nil
    {
      for entry in queue { entry.isQueued = false }
      queue = []
      startSync()
      return
    }
    while pullsInFlight < (pausedUntil == nil ? options.pullsMax : 1), !queue.isEmpty {
      let entry = queue.removeFirst()
      entry.isQueued = false
      entry.isInFlight = true
      pullsInFlight += 1
      Task { @ControlActor [weak self] in await self?.pull(entry) }
    }
  }

  private func pull(_ entry: MarathonEntry) async {
    let marks = entry.marks
    let asked = Clock.now
    counts.pulls += 1
    do throws(ClusterError) {
      let request = ClusterRequest(
        options.uriPrefix + "/v2/apps" + entry.id + "?embed=app.tasks",
        headers: ControlHeaders(["Accept": "application/json"]))
      let response = try await client.request(request)
      counts.pulledBytes += UInt64(response.receivedBytes)
      if response.status == 404 {
        succeeded()
        takeAbsence(entry)
      } else {
        let app = try Self.app(in: response.requireSuccess(request), request)
        succeeded()
        take(app, for: entry, asked: asked)
      }
      entry.answeredMarks = marks
      rest(entry)
    } catch {
      counts.failedPulls += 1
      failed(error.description)
      if case .unknown = entry.state { entry.become(.unknown(error.description)) }
      let wait = pullDelay.next(using: &random)
      switch error.cause {
      case .malformed, .tooLarge, .status:
        // This app's answer; others may do better.
        entry.restsUntil = Clock.now.advanced(byMilliseconds: wait)
      default: pausedUntil = Clock.now.advanced(byMilliseconds: wait)
      }
    }
    entry.isInFlight = false
    pullsInFlight -= 1
    // An app that nobody uses any more need not be asked for again.
    if entries[entry.id] === entry { schedule(entry) }
    pump()
  }

  private static func app(in response: ClusterResponse, _ request: ClusterRequest)
    throws(ClusterError) -> MarathonApp
  {
    do throws(JSONError) {
      if let app = try MarathonApp(answer: response.body.span) { return app }
    } catch {
      throw ClusterError(.malformed, "GET \(response.host)\(request.path): \(error)")
    }
    throw ClusterError(
      .malformed, "GET \(response.host)\(request.path): the answer has no app: is this a Marathon?")
  }

  /// When the app may be asked for again.
  private func rest(_ entry: MarathonEntry) {
    if options.mode == .poll { return recheck(entry, pollMilliseconds) }
    let now = Clock.now
    let quiet = now.nanoseconds(since: entry.restsUntil) / 1_000_000
    let isHot = entry.restMilliseconds > 0 && quiet < 2 * entry.restMilliseconds
    entry.restMilliseconds =
      isHot
      ? min(entry.restMilliseconds * 2, options.restMillisecondsMax) : options.restMilliseconds
    entry.restsUntil = now.advanced(byMilliseconds: entry.restMilliseconds)
  }

  private var pollMilliseconds: UInt64 {
    let spread = min(options.jitterMilliseconds, options.pollMilliseconds)
    return max(10, options.pollMilliseconds - spread + UInt64(Double(2 * spread) * random.unit()))
  }

  private func recheck(_ entry: MarathonEntry, _ milliseconds: UInt64) {
    entry.recheck(afterMilliseconds: milliseconds) { [weak self, weak entry] in
      guard let self, let entry, entries[entry.id] === entry else { return }
      if entry.isUsed || entry.record != nil { mark(entry) }
    }
  }

  // MARK: Taking answers

  func take(_ app: MarathonApp, for entry: MarathonEntry, asked: MonotonicInstant) {
    entry.isTerminated = false
    vips?.note(app)
    if entry.record == nil {
      entry.become(.present(MarathonRecord(app, policy: options.health)))
      if failure != nil { entry.show(sourceFailure: failure?.text) }
    } else {
      _ = entry.update { $0.accept(app, asked: asked, now: Clock.now) }
    }
    if entry.record?.isHolding == true {
      // Half of the time that what is missing stays, so that it is missed twice before it goes.
      recheck(entry, jittered(MarathonRecord.missingMilliseconds / 2))
    }
  }

  /// Marathon says that there is no such app.
  func takeAbsence(_ entry: MarathonEntry) {
    var isBelieved = entry.isTerminated
    if !isBelieved, entry.record != nil {
      _ = entry.update {
        isBelieved = $0.acceptAbsence(now: Clock.now)
        return false
      }
    }
    if isBelieved || entry.record == nil {
      entry.isTerminated = false
      entry.become(.absent)
      vips?.forget(entry.id)
      // Stream or not, somebody waits for it.
      if options.mode != .poll { recheck(entry, jittered(options.absentMilliseconds)) }
    } else {
      recheck(entry, jittered(MarathonRecord.missingMilliseconds / 2))
    }
  }
}

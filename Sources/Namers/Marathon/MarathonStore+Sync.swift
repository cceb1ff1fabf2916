import MeshBase
import Net

/// Asking for all apps at once, in eager mode: read app by app as the answer comes.
extension MarathonStore {
  /// Of one app with its tasks.
  private static let appBytesMax = 64 << 20
  /// Longest stretch of reading without giving others on the control thread a turn.
  private static let stretchNanoseconds: UInt64 = 2_000_000

  func startSync() {
    guard syncTask == nil else {
      wantsSync = true
      return
    }
    syncTask = Task { @ControlActor [weak self] in
      guard let self else { return }
      var wait: UInt64 = 0
      repeat {
        if wait > 0 { try? await ControlActor.sleep(milliseconds: wait) }
        wantsSync = false
        do throws(ClusterError) {
          try await sync()
          wait = 0
        } catch {
          failed(error.description)
          wantsSync = true
          wait = pullDelay.next(using: &random)
        }
      } while wantsSync && !Task.isCancelled
      syncTask = nil
    }
  }

  private func sync() async throws(ClusterError) {
    let request = ClusterRequest(
      options.uriPrefix + "/v2/apps?embed=apps.tasks",
      headers: ControlHeaders(["Accept": "application/json"]))
    let asked = Clock.now
    // What is marked from now on is not answered by this.
    let marksBefore = entries.mapValues(\.marks)
    let stream = try await client.open(request)
    if stream.status != 200 { throw stream.refusal(of: request) }
    var splitter = JSONElementSplitter(paths: ["apps"], elementBytesMax: Self.appBytesMax)
    var seen: Set<String> = []
    seen.reserveCapacity(entries.count)
    var tasks = 0
    var turn = Clock.now
    while let piece = try await stream.next() {
      do throws(JSONError) {
        try splitter.feed(piece.span) { (_, element) throws(JSONError) in
          let (id, count) = try takeElement(element, asked: asked, marksBefore: marksBefore)
          seen.insert(id)
          tasks += count
        }
      } catch {
        stream.close()
        throw ClusterError(.malformed, "GET \(stream.host)\(request.path): \(error)")
      }
      if Clock.now.nanoseconds(since: turn) > Self.stretchNanoseconds {
        await Task.yield()
        turn = Clock.now
      }
    }
    counts.pulledBytes += UInt64(stream.receivedBytes)
    do throws(JSONError) { try splitter.finish() } catch {
      throw ClusterError(.malformed, "GET \(stream.host)\(request.path): \(error)")
    }
    finish(seen, tasks: tasks, marksBefore: marksBefore)
  }

  /// Its id, and how many tasks it has.
  private func takeElement(
    _ element: Span<UInt8>, asked: MonotonicInstant, marksBefore: [String: UInt64]
  )
    throws(JSONError) -> (String, Int)
  {
    let hash = element.withUnsafeBufferPointer { byteHash(UnsafeRawBufferPointer($0), seed: 0) }
    var reader = JSONReader(element)
    if let id = try MarathonStore.id(in: element), let known = known(id), known.answerHash == hash,
      hash != 0,
      let record = known.record, !record.isHolding, !known.isDirty
    {
      return (id, record.app.tasks.count)
    }
    let app = try MarathonApp(&reader)
    guard !app.id.isEmpty else { return ("", 0) }
    let entry = entryForAnswer(app.id)
    take(app, for: entry, asked: asked)
    entry.answerHash = hash
    entry.answeredMarks = max(entry.answeredMarks, marksBefore[app.id] ?? entry.marks)
    return (app.id, app.tasks.count)
  }

  /// The id where it comes first, as it does: so that an app which has not changed costs next to nothing.
  private static func id(in element: Span<UInt8>) throws(JSONError) -> String? {
    var reader = JSONReader(element)
    guard try reader.beginObject(), try reader.nextKey(), reader.isKey("id") else { return nil }
    return try reader.string()
  }

  private func finish(_ seen: Set<String>, tasks: Int, marksBefore: [String: UInt64]) {
    succeeded()
    counts.syncs += 1
    let isHalf = tasks * 2 < tasksSeen
    lastSync = Clock.now
    if isHalf && !isDoubting {
      // A Marathon that has just become leader may not have loaded everything: what is missing stays for one more sync.
      isDoubting = true
      Task { @ControlActor [weak self] in
        guard let self else { return }
        try? await ControlActor.sleep(milliseconds: jittered(MarathonRecord.missingMilliseconds))
        startSync()
      }
      return
    }
    isDoubting = false
    tasksSeen = tasks
    vips?.synced()
    for (id, entry) in entries where !seen.contains(id) {
      if entry.record != nil {
        takeAbsence(entry)
      } else if case .unknown = entry.state, !entry.isInFlight {
        entry.become(.absent)
      }
      if case .absent = entry.state, !entry.isUsed, !entry.isInFlight { forget(entry) }
    }
  }
}

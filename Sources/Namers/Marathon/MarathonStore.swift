import HTTP
import MeshBase
import Net

/// What one Marathon knows, as far as it is asked for: follows its event stream, and asks for single apps when the
/// stream says that they have changed.
@ControlActor
final class MarathonStore {
  let client: ClusterClient
  let options: MarathonOptions
  let resolver: Resolver
  var random: SeededRandom
  /// By id.
  private(set) var entries: [String: MarathonEntry] = [:]
  /// Lazily; beyond, the ones that nobody uses go, and then new ones fail.
  private static let entriesMax = 100_000

  // Pulls.
  var queue: [MarathonEntry] = []
  var pullsInFlight = 0
  /// Marathon does not answer: nothing is asked before.
  var pausedUntil: MonotonicInstant?
  var pullDelay: ReconnectDelay
  lazy var pauseTimer = ControlTimer { [weak self] in self?.pump() }

  // The stream.
  var streamTask: Task<Void, Never>?
  var stream: ClusterStream?
  var streamDelay: ReconnectDelay
  var streamSince: MonotonicInstant?
  var lastByte: MonotonicInstant?
  /// Apps of deployments that later events name by id alone; the oldest go first.
  var deployments: [(id: String, apps: [String])] = []

  // Full syncs.
  var syncTask: Task<Void, Never>?
  var wantsSync = false
  /// Of the last full sync that was believed.
  var tasksSeen = 0
  /// The last full sync had half as many tasks as the one before: the next is believed.
  var isDoubting = false
  var lastSync: MonotonicInstant?

  private var hostsToken: ObservationToken?
  /// From the first VIP that is asked for on.
  private(set) var vips: MarathonVips?
  private lazy var sweepTimer = ControlTimer { [weak self] in self?.sweep() }
  private var started: MonotonicInstant?

  // What the state page and metrics show.
  var lastAnswer: MonotonicInstant?
  var lastEvent: MonotonicInstant?
  var failure: EndpointSource.Failure?
  var counts = Counts()

  struct Counts {
    var events: UInt64 = 0
    var unknownEvents: UInt64 = 0
    var pulls: UInt64 = 0
    var failedPulls: UInt64 = 0
    var pulledBytes: UInt64 = 0
    var syncs: UInt64 = 0
    var connects: UInt64 = 0
  }

  init(client: ClusterClient, options: MarathonOptions, resolver: Resolver) {
    self.client = client
    self.options = options
    self.resolver = resolver
    random = SeededRandom(seed: options.seed ^ Clock.wallNanoseconds ^ UInt64(Host.processID) << 40)
    pullDelay = options.reconnect
    streamDelay = options.reconnect
  }

  isolated deinit {
    streamTask?.cancel()
    syncTask?.cancel()
  }

  func start() {
    guard started == nil else { return }
    started = Clock.now
    hostsToken = client.source.observe { [weak self] in self?.hostsChanged() }
    if options.mode != .poll { startStream() }
    sweepTimer.set(milliseconds: sweepMilliseconds)
  }

  func stop() {
    hostsToken = nil
    vips?.stop()
    streamTask?.cancel()
    syncTask?.cancel()
    sweepTimer.cancel()
    for entry in entries.values { entry.stopTimers() }
    client.close()
  }

  /// ZooKeeper, or a name, tells of another leader: a stream from somebody else says nothing that is true any more.
  private func hostsChanged() {
    let hosts = client.source.hosts
    if let lastGood = client.lastGood, !hosts.contains(lastGood) { client.forgetLastGood() }
    if let stream, !hosts.contains(stream.host) { stream.close() }
  }

  // MARK: Entries

  /// The app's entry, asked for if it is new.
  func entry(_ id: String) -> MarathonEntry {
    if let known = entries[id] { return known }
    let entry = MarathonEntry(id: id)
    if entries.count >= Self.entriesMax { evict { _ in true } }
    guard entries.count < Self.entriesMax else {
      entry.become(.unknown("more than \(Self.entriesMax) apps in use"))
      return entry
    }
    entries[id] = entry
    if options.mode == .eager, isSynced {
      // All apps that there are have been seen; what is new is told by events.
      entry.become(.absent)
    } else {
      mark(entry)
    }
    return entry
  }

  /// The app's entry, for an answer that is at hand.
  func entryForAnswer(_ id: String) -> MarathonEntry {
    if let known = entries[id] { return known }
    let entry = MarathonEntry(id: id)
    entries[id] = entry
    return entry
  }

  /// The VIPs that apps state; looked for from now on.
  func vipsInUse() -> MarathonVips {
    if let vips { return vips }
    let made = MarathonVips(self)
    vips = made
    return made
  }

  /// Whether a full sync has told of all apps.
  var isSynced: Bool { lastSync != nil }

  func known(_ id: String) -> MarathonEntry? { entries[id] }

  private var sweepMilliseconds: UInt64 { min(60_000, max(1_000, options.idleMilliseconds / 4)) }

  private func sweep() {
    sweepTimer.set(milliseconds: sweepMilliseconds)
    let now = Clock.now
    for entry in entries.values {
      if entry.isUsed {
        entry.unusedSince = nil
      } else if entry.unusedSince == nil {
        entry.unusedSince = now
      }
    }
    evict { [options] entry in
      if options.mode == .eager, entry.record != nil { return false }
      guard let since = entry.unusedSince else { return false }
      let limit =
        entry.record == nil
        ? min(options.absentMilliseconds, options.idleMilliseconds) : options.idleMilliseconds
      return now.nanoseconds(since: since) >= limit * 1_000_000
    }
    resyncIfDue(now)
  }

  private func evict(_ condition: (MarathonEntry) -> Bool) {
    for (id, entry) in entries where !entry.isUsed && !entry.isInFlight && condition(entry) {
      entry.stopTimers()
      entries[id] = nil
    }
    queue.removeAll { entries[$0.id] !== $0 }
  }

  func forget(_ entry: MarathonEntry) {
    entry.stopTimers()
    if entries[entry.id] === entry { entries[entry.id] = nil }
  }

  private var nextResync: MonotonicInstant?

  private func resyncIfDue(_ now: MonotonicInstant) {
    guard options.mode != .poll else { return }
    guard let due = nextResync else {
      nextResync = now.advanced(byMilliseconds: jittered(options.resyncMilliseconds))
      return
    }
    guard now >= due else { return }
    nextResync = now.advanced(byMilliseconds: jittered(options.resyncMilliseconds))
    resync()
  }

  /// A tenth less to a tenth more.
  func jittered(_ milliseconds: UInt64) -> UInt64 {
    UInt64(Double(milliseconds) * (0.9 + 0.2 * random.unit()))
  }

  /// Looks at everything that is in use again.
  func resync() {
    if options.mode == .eager { return startSync() }
    for entry in entries.values { mark(entry) }
  }

  // MARK: Health of the source

  func succeeded() {
    let now = Clock.now
    lastAnswer = now
    pullDelay.reset()
    pausedUntil = nil
    if failure != nil {
      failure = nil
      showFailure()
    }
  }

  func failed(_ text: String) {
    let isNew = failure == nil
    failure = EndpointSource.Failure(text: text, since: failure?.since ?? Clock.now)
    if isNew { showFailure() }
  }

  private func showFailure() {
    let text = failure?.text
    for entry in entries.values { entry.show(sourceFailure: text) }
  }
}

import MeshBase
import Net

/// One app that somebody asks for, or in eager mode any: what is known of it, and when to ask Marathon again.
@ControlActor
final class MarathonEntry {
  enum State {
    /// Not answered yet; the text says why, if something is wrong.
    case unknown(String?)
    case absent
    case present(MarathonRecord)
  }

  /// Begins with `/`, in lower case.
  let id: String
  private(set) var state: State = .unknown(nil)
  private var observers: Observers?
  private var feeds: [Int: WeakFeed] = [:]

  // When to pull.
  /// Counts what made the entry dirty; a pull answers for what came before it was sent.
  private(set) var marks: UInt64 = 0
  var answeredMarks: UInt64 = 0
  var isInFlight = false
  var isQueued = false
  /// Not to be pulled before; grows while the app keeps changing.
  var restsUntil = MonotonicInstant(nanoseconds: 0)
  var restMilliseconds: UInt64 = 0
  private var restTimer: ControlTimer?
  private var recheckTimer: ControlTimer?
  /// An event said that the app has been deleted.
  var isTerminated = false
  /// Of the app's text in the last answer to a full sync, to pass over what has not changed.
  var answerHash: UInt64 = 0
  var unusedSince: MonotonicInstant?

  private struct WeakFeed {
    weak var feed: MarathonPortFeed?
  }

  init(id: String) { self.id = id }

  var isDirty: Bool { marks != answeredMarks }
  var isUsed: Bool { !(observers?.isEmpty ?? true) || feeds.values.contains { $0.feed != nil } }
  var record: MarathonRecord? { if case .present(let record) = state { record } else { nil } }

  func mark() { marks += 1 }

  func rest(untilDue action: @escaping @ControlActor () -> Void) {
    let timer = restTimer ?? ControlTimer(action)
    restTimer = timer
    guard !timer.isSet else { return }
    timer.set(milliseconds: restsUntil.nanoseconds(since: Clock.now) / 1_000_000 + 1)
  }

  /// One alarm at a time, the last one set.
  func recheck(afterMilliseconds milliseconds: UInt64, _ action: @escaping @ControlActor () -> Void) {
    recheckTimer?.cancel()
    let timer = ControlTimer(action)
    recheckTimer = timer
    timer.set(milliseconds: milliseconds)
  }

  func stopTimers() {
    restTimer?.cancel()
    recheckTimer?.cancel()
  }

  // MARK: State

  /// Changes what is known in place; `body` says whether anything that others see has changed.
  func update(_ body: (inout MarathonRecord) -> Bool) -> Bool {
    guard case .present(var record) = state else { return false }
    answerHash = 0
    // Else the record would be copied, with two owners.
    state = .unknown(nil)
    let changed = body(&record)
    state = .present(record)
    if changed { tell() }
    return changed
  }

  func become(_ next: State) {
    if case .absent = state, case .absent = next { return }
    state = next
    answerHash = 0
    tell()
  }

  private func tell() {
    for weak in feeds.values { weak.feed?.update() }
    observers?.notify()
  }

  /// `onChange` is called as soon as anything of the app has changed.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken {
    unusedSince = nil
    let observers = observers ?? Observers()
    self.observers = observers
    return observers.add(onChange)
  }

  /// The live endpoints of one port, shared by all who ask.
  func feed(_ portIndex: Int, _ resolver: Resolver) -> MarathonPortFeed {
    unusedSince = nil
    if let known = feeds[portIndex]?.feed { return known }
    let feed = MarathonPortFeed(self, portIndex, resolver)
    feeds[portIndex] = WeakFeed(feed: feed)
    feed.update()
    return feed
  }

  /// The ports in use, with their endpoints.
  var liveFeeds: [(portIndex: Int, source: EndpointSource)] {
    feeds.compactMap { index, weak in weak.feed?.source.map { (index, $0) } }.sorted { $0.0 < $1.0 }
  }

  /// Why what is known may be out of date, for those who look; `nil`: it is not.
  func show(sourceFailure: String?) {
    for weak in feeds.values { weak.feed?.show(sourceFailure: sourceFailure) }
  }
}

/// Keeps one port's endpoints up to date; owned by their source.
@ControlActor
final class MarathonPortFeed {
  let entry: MarathonEntry
  private let portIndex: Int
  private(set) weak var source: EndpointSource?
  private var hosts: HostEndpoints?
  private let resolver: Resolver

  init(_ entry: MarathonEntry, _ portIndex: Int, _ resolver: Resolver) {
    self.entry = entry
    self.portIndex = portIndex
    self.resolver = resolver
  }

  /// The source, made on first use; it owns this feed.
  func endpoints() -> EndpointSource {
    if let source { return source }
    let source = EndpointSource(feeder: self)
    self.source = source
    hosts = HostEndpoints(source, resolver: resolver)
    update()
    return source
  }

  func update() {
    guard let hosts else { return }
    switch entry.state {
    case .unknown: break
    case .absent: hosts.entries = []
    case .present(let record):
      let entries = record.endpoints(
        portIndex: portIndex, nowSeconds: Int64(Clock.wallNanoseconds / 1_000_000_000))
      if entries != hosts.entries || entries.isEmpty { hosts.entries = entries }
    }
  }

  func show(sourceFailure: String?) {
    guard let hosts, hosts.sourceFailure != sourceFailure else { return }
    hosts.sourceFailure = sourceFailure
    hosts.publish()
  }
}

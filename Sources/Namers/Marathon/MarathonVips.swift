import MeshBase
import Net

/// Which ports of a Marathon's apps state which VIPs.
///
/// Marathon can be asked for an app, and for all apps, but not for those with a VIP. So all are listed once, without their
/// tasks, when the first VIP is asked for; only those with a VIP are kept, and apps that an event names are looked at
/// again. In eager mode the store knows all apps as it is. What was known stays while Marathon is away.
@ControlActor
final class MarathonVips {
  struct Port: Hashable, Comparable {
    /// The app's id.
    var app: String
    /// Of the app's ports.
    var index: Int

    static func < (a: Self, b: Self) -> Bool { (a.app, a.index) < (b.app, b.index) }
  }

  private unowned let store: MarathonStore
  private let observers = Observers()
  /// Whether all apps have been seen once.
  private(set) var isComplete = false
  private(set) var failure: EndpointSource.Failure?
  /// What Marathon is called as a framework, as DNS labels.
  private(set) var framework = "marathon"
  private(set) var lists: UInt64 = 0
  private(set) var lastList: MonotonicInstant?
  private var ports: [VipLabel: Set<Port>] = [:]
  /// Of the apps that state any.
  private var stated: [String: Set<Statement>] = [:]

  private struct Statement: Hashable {
    var label: VipLabel
    var index: Int
  }

  // Listing.
  private var isListing = false
  private var listBegan = MonotonicInstant(nanoseconds: 0)
  /// Apps that were seen by themselves while a list came; what it says of them may be older.
  private var seenMeanwhile: Set<String> = []
  /// The last list had half as many VIPs as before: the next is believed.
  private var isDoubting = false
  private var delay: ReconnectDelay
  private lazy var listTimer = ControlTimer { [weak self] in self?.list() }

  // Looking at single apps.
  private var due: Set<String> = []
  private var isLooking = false
  private lazy var lookTimer = ControlTimer { [weak self] in self?.look() }

  /// Five hundred routers lose their streams together when Marathon changes its leader; a list is large.
  private static let spreadMilliseconds: UInt64 = 30_000
  /// Gathers the events of one change.
  private static let gatherMilliseconds: UInt64 = 200
  /// More apps than that are looked at by a list.
  private static let dueMax = 100
  private static let appBytesMax = 64 << 20
  /// Longest stretch of reading without giving others on the control thread a turn.
  private static let stretchNanoseconds: UInt64 = 2_000_000

  init(_ store: MarathonStore) {
    self.store = store
    delay = store.options.reconnect
    for entry in store.entries.values { if let app = entry.record?.app { note(app) } }
    isComplete = store.options.mode == .eager && store.isSynced
    list()
  }

  func stop() {
    listTimer.cancel()
    lookTimer.cancel()
  }

  /// `onChange` is called as soon as any VIP's ports have changed.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  /// In the order of ids and indices.
  func ports(of vip: VipKey) -> [Port] {
    vip.label(inFramework: framework).flatMap { ports[$0] }?.sorted() ?? []
  }

  /// All VIPs, in no order.
  var vips: [VipKey] { ports.keys.map { VipKey($0, framework: framework) } }

  var appCount: Int { stated.count }

  // MARK: What the store sees

  /// The app as Marathon answered for it just now.
  func note(_ app: MarathonApp) {
    if isListing { seenMeanwhile.insert(app.id) }
    if state(Self.statements(app), of: app.id) { observers.notify() }
  }

  /// The app is gone.
  func forget(_ app: String) {
    if isListing { seenMeanwhile.insert(app) }
    if state([], of: app) { observers.notify() }
  }

  /// An event was about an app that the store does not hold.
  func take(_ change: MarathonEvent.Change, for app: String) {
    switch change {
    case .terminated: forget(app)
    case .definition, .deployment(_, isOver: true):
      due.insert(app)
      if !lookTimer.isSet { lookTimer.set(milliseconds: Self.gatherMilliseconds) }
    default: break
    }
  }

  /// In eager mode: all apps have been seen.
  func synced() {
    guard !isComplete else { return }
    isComplete = true
    observers.notify()
  }

  /// A new event stream: what happened since the last one was not told.
  func reconnected() {
    guard store.options.mode == .lazy, isComplete else { return }
    listTimer.set(milliseconds: UInt64(Double(Self.spreadMilliseconds) * store.random.unit()))
  }

  private static func statements(_ app: MarathonApp) -> Set<Statement> {
    var all: Set<Statement> = []
    for (index, port) in app.ports.enumerated() {
      for label in port.vipLabels { all.insert(Statement(label: label, index: index)) }
    }
    return all
  }

  /// Whether that is news.
  private func state(_ next: Set<Statement>, of app: String) -> Bool {
    let before = stated[app] ?? []
    guard before != next else { return false }
    stated[app] = next.isEmpty ? nil : next
    for statement in before.subtracting(next) {
      ports[statement.label]?.remove(Port(app: app, index: statement.index))
      if ports[statement.label]?.isEmpty == true { ports[statement.label] = nil }
    }
    for statement in next.subtracting(before) {
      ports[statement.label, default: []].insert(Port(app: app, index: statement.index))
    }
    return true
  }

  // MARK: Asking

  private func list() {
    guard !isListing else { return }
    isListing = true
    seenMeanwhile = []
    listBegan = Clock.now
    Task { @ControlActor [weak self] in
      let error: ClusterError?
      do throws(ClusterError) {
        try await self?.askName()
        try await self?.askApps()
        error = nil
      } catch let thrown {
        error = thrown
      }
      self?.listed(error)
    }
  }

  private func listed(_ error: ClusterError?) {
    isListing = false
    if let error {
      failure = EndpointSource.Failure(text: error.description, since: failure?.since ?? Clock.now)
      observers.notify()
      return listTimer.set(milliseconds: delay.next(using: &store.random))
    }
    failure = nil
    delay.reset()
    observers.notify()
    let options = store.options
    switch options.mode {
    case .eager: break
    case .lazy: if !listTimer.isSet { listTimer.set(milliseconds: store.jittered(options.resyncMilliseconds)) }
    // Definitions change seldom, and the answer is large.
    case .poll: listTimer.set(milliseconds: store.jittered(12 * options.pollMilliseconds))
    }
  }

  /// What it is called in Mesos, and so behind the names of VIPs.
  private func askName() async throws(ClusterError) {
    let response = try await store.client.request(ClusterRequest(store.options.uriPrefix + "/v2/info"))
    guard response.status == 200 else { return }
    var reader = JSONReader(response.body.span)
    var name: String?
    do throws(JSONError) {
      guard try reader.beginObject() else { return }
      while try reader.nextKey() { if reader.isKey("name") { name = try reader.string() } }
    } catch {
      throw ClusterError(.malformed, "GET \(response.host)\(store.options.uriPrefix)/v2/info: \(error)")
    }
    guard let labels = name.map({ DnsText.labels($0) }), !labels.isEmpty else { return }
    framework = labels
  }

  private func askApps() async throws(ClusterError) {
    if store.options.mode == .eager { return }
    let request = ClusterRequest(
      store.options.uriPrefix + "/v2/apps", headers: ControlHeaders(["Accept": "application/json"]))
    let stream = try await store.client.open(request)
    defer { stream.close() }
    let place = "GET \(stream.host)\(request.path)"
    guard stream.status == 200 else {
      throw ClusterError(.status(stream.status), "\(place): \(stream.status): \(ClusterError.remedy(stream.status))")
    }
    var splitter = JSONElementSplitter(paths: ["apps"], elementBytesMax: Self.appBytesMax)
    var found: [String: Set<Statement>] = [:]
    var turn = Clock.now
    while let piece = try await stream.next() {
      do throws(JSONError) {
        try splitter.feed(piece.span) { (_, element) throws(JSONError) in
          var reader = JSONReader(element)
          let app = try MarathonApp(&reader)
          let statements = Self.statements(app)
          if !statements.isEmpty { found[app.id] = statements }
        }
      } catch {
        throw ClusterError(.malformed, "\(place): \(error)")
      }
      if Clock.now.nanoseconds(since: turn) > Self.stretchNanoseconds {
        await Task.yield()
        turn = Clock.now
      }
    }
    store.counts.pulledBytes += UInt64(stream.receivedBytes)
    do throws(JSONError) { try splitter.finish() } catch { throw ClusterError(.malformed, "\(place): \(error)") }
    take(found)
  }

  private func take(_ found: [String: Set<Statement>]) {
    lists += 1
    lastList = Clock.now
    // A Marathon that has just become leader may not have loaded everything: what is missing stays for one more list.
    isDoubting = !isDoubting && found.count * 2 < stated.count
    if isDoubting { listTimer.set(milliseconds: store.jittered(MarathonRecord.missingMilliseconds)) }
    for (app, statements) in found where !seenMeanwhile.contains(app) { _ = state(statements, of: app) }
    if !isDoubting {
      for app in stated.keys where found[app] == nil && !seenMeanwhile.contains(app) { _ = state([], of: app) }
    }
    isComplete = true
  }

  private func look() {
    guard !isLooking, !due.isEmpty else { return }
    if due.count > Self.dueMax {
      due = []
      if isListing { listTimer.set(milliseconds: Self.gatherMilliseconds) } else { list() }
      return
    }
    isLooking = true
    let apps = due.sorted()
    due = []
    Task { @ControlActor [weak self] in
      var left = apps[...]
      do throws(ClusterError) {
        while let app = left.first {
          try await self?.askApp(app)
          left = left.dropFirst()
        }
      } catch {
        self?.store.failed(error.description)
      }
      self?.looked(left)
    }
  }

  /// - Parameter left: those that Marathon did not answer for.
  private func looked(_ left: ArraySlice<String>) {
    isLooking = false
    due.formUnion(left)
    if due.isEmpty { return }
    lookTimer.set(milliseconds: left.isEmpty ? Self.gatherMilliseconds : delay.next(using: &store.random))
  }

  private func askApp(_ id: String) async throws(ClusterError) {
    let request = ClusterRequest(
      store.options.uriPrefix + "/v2/apps" + id, headers: ControlHeaders(["Accept": "application/json"]))
    let response = try await store.client.request(request)
    store.counts.pulledBytes += UInt64(response.receivedBytes)
    if response.status == 404 { return forget(id) }
    let body = try response.requireSuccess(request).body
    do throws(JSONError) {
      if let app = try MarathonApp(answer: body.span) { note(app) }
    } catch {
      throw ClusterError(.malformed, "GET \(response.host)\(request.path): \(error)")
    }
  }
}

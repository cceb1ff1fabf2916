import Logging
import MeshBase
import Net

/// Reads an ensemble: holds one session and keeps the nodes that are in use up to date by watches.
///
/// Connects when the first node is asked for. A lost connection is made again with another server, after a random wait,
/// within the same session if it lives; then the servers are asked only for what has changed since. A session that has
/// expired, or an ensemble that was set up anew, costs no more than reading again.
@ControlActor
public final class ZooKeeperClient {
  public struct Options: Sendable {
    /// Asked for; the servers grant between 2 and 20 of their ticks, 4 to 40 s by default.
    public var sessionMilliseconds: UInt64 = 10_000
    public var connectMilliseconds: UInt64 = 3_000
    /// Between attempts: drawn at random below a bound that doubles from the first to the longest.
    public var retryMilliseconds: UInt64 = 500
    public var retryMillisecondsMax: UInt64 = 15_000
    /// Members of a group that have gone while the servers could not be asked are kept for so long after: theirs was
    /// the same outage, and they come back as we do.
    public var returnMilliseconds: UInt64 = 20_000
    /// How long a node that may not be read is left alone.
    public var forbiddenMilliseconds: UInt64 = 30_000

    public init() {}
  }

  public nonisolated let ensemble: ZooKeeperEnsemble
  /// Why what is known may be out of date; `nil` while connected and caught up.
  public private(set) var failure: EndpointSource.Failure?
  /// Until then, who has gone may only be late in coming back; `nil`: there was no outage.
  private(set) var returnDeadline: MonotonicInstant?
  private var hasCaughtUp = false
  /// Shorter ones end nobody's session.
  private static let outageNanoseconds: UInt64 = 2_000_000_000
  let options: Options
  private let resolver: Resolver
  private let log = Logger(label: "namer.zookeeper")
  private var nodes = WeakTable<ZooKeeperNode.Key, ZooKeeperNode>()
  /// To be read, in the order in which they were found changed.
  private var queue: [ZooKeeperNode.Key] = []
  private var reading = 0
  /// A server works on a thousand requests of all its clients at a time, so nobody may bring more.
  private static let readingMax = 128
  /// Of paths in one message that sets watches again; a server takes 1 MiB.
  private static let watchBytesMax = 131_072

  private var task: Task<Void, Never>?
  private var connection: ZooKeeperConnection?
  private var session = ZooKeeperSession()
  /// Still to try in this round.
  private var candidates: [SocketAddress] = []
  private var candidateCount = 1
  /// Attempts in a row that were turned away before there was a session.
  private var refusals = 0
  private var delay: ReconnectDelay
  private var random = SeededRandom(seed: .random(in: 0 ... .max))
  private var expiries = 0
  private lazy var forbiddenTimer = ControlTimer { [weak self] in self?.readForbidden() }
  private var forbidden: Set<ZooKeeperNode.Key> = []

  public init(_ ensemble: ZooKeeperEnsemble, resolver: Resolver, options: Options = Options()) {
    self.ensemble = ensemble
    self.resolver = resolver
    self.options = options
    delay = ReconnectDelay(
      firstMilliseconds: options.retryMilliseconds, longestMilliseconds: options.retryMillisecondsMax,
      goodMilliseconds: options.sessionMilliseconds)
  }

  isolated deinit {
    task?.cancel()
    connection?.close()
  }

  /// The live node, shared by all who ask for it. `path` is below the ensemble's root.
  func node(_ path: String, _ kind: ZooKeeperNode.Kind) -> ZooKeeperNode {
    let key = ZooKeeperNode.Key(path: path, kind: kind)
    if let known = nodes[key] { return known }
    let node = ZooKeeperNode(key, client: self)
    nodes[key] = node
    enqueue(key)
    if task == nil { start() }
    return node
  }

  /// The node, if somebody holds it.
  func knownNode(_ path: String, _ kind: ZooKeeperNode.Kind) -> ZooKeeperNode? {
    nodes[ZooKeeperNode.Key(path: path, kind: kind)]
  }

  /// As an operator wants to read it.
  public var status: String {
    if let connection {
      let seconds = Clock.now.nanoseconds(since: connection.since) / 1_000_000_000
      return "connected to \(connection.address) for \(seconds) s"
    }
    return task == nil ? "not in use" : "not connected"
  }

  /// Sessions that expired since the start.
  public var expiredSessions: Int { expiries }

  func forget(_ key: ZooKeeperNode.Key, _ watch: ZooKeeperNode.Watch) {
    // Asked for again meanwhile, or the other kind waits for the same node to come into being.
    let other = ZooKeeperNode.Key(path: key.path, kind: key.kind == .data ? .children : .data)
    guard watch != .none, nodes[key] == nil, nodes[other] == nil, let connection else { return }
    connection.request(
      .removeWatches,
      { message in
        message.text(absolute(key.path))
        message.int(watch == .content && key.kind == .children ? 1 : 2)
      }, { _ in })
  }

  // MARK: Connecting

  private func start() {
    task = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        if let connection = await self?.connect() {
          await connection.untilEnd()
          self?.lost(connection)
        }
        guard let milliseconds = self?.nextWait() else { return }
        try? await ControlActor.sleep(milliseconds: milliseconds)
      }
    }
  }

  private func nextWait() -> UInt64 { delay.next(using: &random) }

  private func connect() async -> ZooKeeperConnection? {
    if candidates.isEmpty {
      candidates = await addresses().shuffled(using: &random)
      candidateCount = max(1, candidates.count)
    }
    guard let address = candidates.popLast() else { return nil }
    do throws(ZooKeeperError) {
      let connection = try await ZooKeeperConnection.open(
        to: address, session: session, sessionMilliseconds: options.sessionMilliseconds,
        connectMilliseconds: options.connectMilliseconds)
      if Task.isCancelled {
        connection.close()
        return nil
      }
      established(connection)
      return connection
    } catch {
      failed(error)
      return nil
    }
  }

  private func addresses() async -> [SocketAddress] {
    var found: [SocketAddress] = []
    var problem = ""
    for server in ensemble.servers {
      do {
        found += try await resolver.addresses(of: server.host).map { $0.withPort(server.port) }
      } catch {
        problem = "\(error)"
      }
    }
    if found.isEmpty { fail("no server has an address: \(problem)") }
    return found
  }

  private func failed(_ error: ZooKeeperError) {
    switch error {
    case .sessionExpired:
      expiries += 1
      // The servers' history goes on, so what we have seen still tells what is new.
      session = ZooKeeperSession(lastZxid: session.lastZxid)
      delay.reset()
      log.notice("zookeeper \(ensemble): the session expired; a new one is opened")
    case .refused:
      refusals += 1
      if refusals >= 3 * candidateCount, session != ZooKeeperSession() {
        // None of them has seen as much as we have: an ensemble set up anew, with a history of its own.
        refusals = 0
        session = ZooKeeperSession()
        for node in nodes.values {
          node.watch = .none
          markDirty(node)
        }
      }
    default: refusals = 0
    }
    fail("\(error)")
  }

  private func fail(_ text: String) {
    let isFirst = failure == nil
    failure = EndpointSource.Failure(text: "zookeeper \(text)", since: failure?.since ?? Clock.now)
    if isFirst {
      log.warning("zookeeper \(ensemble): \(text); what was known stays, trying again")
    }
    for node in nodes.values { node.clientChanged() }
  }

  private func lost(_ connection: ZooKeeperConnection) {
    self.connection = nil
    session = connection.session
    if connection.end != .authFailed {
      delay.ended(afterMilliseconds: Clock.now.nanoseconds(since: connection.since) / 1_000_000)
    }
    fail(connection.end?.description ?? "connection lost")
  }

  private func established(_ connection: ZooKeeperConnection) {
    self.connection = connection
    session = connection.session
    refusals = 0
    candidates = []
    connection.onEvent = { [weak self] event in self?.received(event) }
    if let credentials = ensemble.credentials {
      connection.request(
        .authenticate, xid: ZooKeeperXid.authenticate,
        { message in
          message.int(0)
          message.text("digest")
          message.buffer(Array("\(credentials.user):\(credentials.password)".utf8))
        },
        { result in
          if case .failure(let error) = result, error == .authFailed { connection.stop(error) }
        })
    }
    setWatches(connection)
    pump()
  }

  /// Tells the server what we have seen of the nodes that are known; it answers with events for those that have changed
  /// and watches the others.
  private func setWatches(_ connection: ZooKeeperConnection) {
    let zxid = session.lastZxid
    var lists: [[String]] = [[], [], []]
    var bytes = 0
    var left = 1
    let caughtUp: @ControlActor (Result<ZooKeeperReader, ZooKeeperError>) -> Void = { [weak self] result in
      left -= 1
      if case .failure(let error) = result { return connection.stop(error) }
      if left == 0 { self?.caughtUp(connection) }
    }
    func flush() {
      guard bytes > 0 else { return }
      left += 1
      let part = lists
      connection.request(
        .setWatches, xid: ZooKeeperXid.setWatches,
        { message in
          message.long(zxid)
          for list in part { message.texts(list) }
        }, caughtUp)
      lists = [[], [], []]
      bytes = 0
    }
    for node in nodes.values where !node.isDirty && !node.isReading {
      let path = absolute(node.key.path)
      switch node.watch {
      case .none:
        markDirty(node)
        continue
      case .content: lists[node.key.kind == .data ? 0 : 2].append(path)
      case .existence: lists[1].append(path)
      }
      bytes += path.utf8.count + 4
      if bytes > Self.watchBytesMax { flush() }
    }
    flush()
    // Behind them all: a request that any server answers, so that a server which only accepts is no good news.
    connection.request(
      .exists,
      { message in
        message.text(absolute("/"))
        message.bool(false)
      },
      { result in
        if case .failure(.noNode) = result { return caughtUp(.success(ZooKeeperReader([]))) }
        caughtUp(result)
      })
  }

  private func caughtUp(_ connection: ZooKeeperConnection) {
    guard connection === self.connection else { return }
    if let failure {
      log.notice("zookeeper \(ensemble): connected to \(connection.address)")
      let now = Clock.now
      if now.nanoseconds(since: failure.since) > Self.outageNanoseconds, hasCaughtUp {
        returnDeadline = now.advanced(byMilliseconds: options.returnMilliseconds)
      }
    }
    hasCaughtUp = true
    failure = nil
    for node in nodes.values { node.clientChanged() }
  }

  private func absolute(_ path: String) -> String {
    ensemble.root.isEmpty ? path : path == "/" ? ensemble.root : ensemble.root + path
  }

  // MARK: Reading

  private func received(_ event: ZooKeeperEvent) {
    var path = event.path
    if !ensemble.root.isEmpty {
      guard path.hasPrefix(ensemble.root) else { return }
      path = String(path.dropFirst(ensemble.root.count))
      if path.isEmpty { path = "/" }
    }
    let kinds: [ZooKeeperNode.Kind] =
      switch event.kind {
      case .session: []
      case .dataChanged: [.data]
      case .childrenChanged: [.children]
      case .created, .deleted: [.data, .children]
      }
    for kind in kinds {
      guard let node = nodes[ZooKeeperNode.Key(path: path, kind: kind)] else { continue }
      node.watch = .none
      markDirty(node)
    }
    pump()
  }

  private func markDirty(_ node: ZooKeeperNode) {
    guard !node.isDirty else { return }
    node.isDirty = true
    if !node.isReading { enqueue(node.key) }
  }

  private func enqueue(_ key: ZooKeeperNode.Key) {
    queue.append(key)
    pump()
  }

  private var isPumping = false

  private func pump() {
    guard !isPumping else { return }
    isPumping = true
    defer { isPumping = false }
    var done = 0
    while reading < Self.readingMax, done < queue.count, let connection, connection.end == nil {
      if let node = nodes[queue[done]], node.isDirty, !node.isReading { read(node, connection) }
      done += 1
    }
    queue.removeFirst(done)
  }

  private func read(_ node: ZooKeeperNode, _ connection: ZooKeeperConnection) {
    node.isDirty = false
    ask(node, connection, node.key.kind == .data ? .getData : .getChildren)
  }

  private func ask(_ node: ZooKeeperNode, _ connection: ZooKeeperConnection, _ operation: ZooKeeperOperation) {
    node.isReading = true
    reading += 1
    let path = absolute(node.key.path)
    connection.request(
      operation,
      { message in
        message.text(path)
        message.bool(true)
      },
      { [weak self, weak node] result in
        guard let self else { return }
        reading -= 1
        if let node {
          node.isReading = false
          answered(node, connection, operation, result)
        }
        pump()
      })
  }

  private func answered(
    _ node: ZooKeeperNode, _ connection: ZooKeeperConnection, _ operation: ZooKeeperOperation,
    _ result: Result<ZooKeeperReader, ZooKeeperError>
  ) {
    do throws(ZooKeeperError) {
      var reader = try result.get()
      switch operation {
      case .getData:
        let data = try reader.buffer()
        node.watch = .content
        node.settle(.data(data))
      case .getChildren:
        let names = try reader.texts()
        node.watch = .content
        node.settle(.children(names.sorted()))
      default:
        // It came into being between the two questions.
        node.isDirty = true
      }
    } catch .noNode where operation == .exists {
      node.watch = .existence
      node.settle(.missing)
    } catch .noNode {
      return ask(node, connection, .exists)
    } catch .malformed(let text) {
      node.isDirty = true
      connection.stop(.malformed(text))
    } catch {
      if connection.end == nil {
        node.fail("\(absolute(node.key.path)): \(error)")
        forbidden.insert(node.key)
        if !forbiddenTimer.isSet { forbiddenTimer.set(milliseconds: options.forbiddenMilliseconds) }
      } else {
        node.isDirty = true
      }
    }
    if node.isDirty { enqueue(node.key) }
  }

  private func readForbidden() {
    let keys = forbidden
    forbidden = []
    for key in keys { if let node = nodes[key] { markDirty(node) } }
  }
}

/// The clients of one configuration: those who name the same ensemble share one session.
@ControlActor
public final class ZooKeeperClients {
  private struct Key: Hashable {
    let ensemble: ZooKeeperEnsemble
    let sessionMilliseconds: UInt64
  }

  private let resolver: Resolver
  private var clients = WeakTable<Key, ZooKeeperClient>()

  public init(resolver: Resolver) { self.resolver = resolver }

  public func client(_ ensemble: ZooKeeperEnsemble, sessionMilliseconds: UInt64 = 10_000) -> ZooKeeperClient {
    let key = Key(ensemble: ensemble, sessionMilliseconds: sessionMilliseconds)
    if let known = clients[key] { return known }
    var options = ZooKeeperClient.Options()
    options.sessionMilliseconds = sessionMilliseconds
    let client = ZooKeeperClient(ensemble, resolver: resolver, options: options)
    clients[key] = client
    return client
  }
}

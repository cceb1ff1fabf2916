import MeshBase
import Net

/// One Marathon of several nodes that show the same model over real sockets: REST, event streams, election.
///
/// Everything that can go wrong with it is a method or a switch. Confined to the control thread.
@ControlActor
public final class FakeMarathon {
  public struct Options: Sendable {
    public var nodes = 1
    public var generation = EventGeneration.both
    /// 1.7 and later answer 302 on a standby; before, standbys passed the stream on.
    public var standbysRedirectStreams = true
    /// Older than 1.3.7: `event_type` is ignored.
    public var filtersEvents = true
    public var keepaliveMilliseconds: UInt64 = 10_000
    /// Of one stream; who lags behind further is cut off.
    public var streamEventsMax = 1_024
    /// Whether clients that accept it get gzip.
    public var gzip = false
    /// Streams are cut into pieces of at most so many bytes, at places drawn from the seed; 0: as they come.
    public var streamPieceBytesMax = 0
    public var seed: UInt64 = 1

    public init() {}
  }

  public let model: ClusterModel
  public let options: Options
  public let faults = ServerFaults()
  public let traffic = TrafficLog()
  public let credentials: Credentials
  /// Where each node listens, whether it is up or not.
  public private(set) var addresses: [SocketAddress] = []
  /// `nil`: there is none at the moment.
  public private(set) var leader: Int? = 0
  private var servers: [ControlHTTPServer?] = []
  private var streams: [Stream] = []
  private var observer: UInt64 = 0
  private var keepalive: Task<Void, Never>?
  private var random: SeededRandom
  let events: MarathonEvents
  /// Streams a node takes and closes at once, because it does not know yet that it leads.
  public var closesStreamsAtOnce = false
  /// While set, nothing that happens is told.
  public var losesEvents = false

  private final class Stream {
    let queue: StreamQueue
    let types: Set<String>
    let node: Int

    init(_ queue: StreamQueue, types: Set<String>, node: Int) {
      self.queue = queue
      self.types = types
      self.node = node
    }
  }

  /// Starts all nodes; the first leads.
  public init(_ model: ClusterModel, options: Options = Options(), credentials: Credentials? = nil) throws {
    self.model = model
    self.options = options
    self.credentials = credentials ?? Credentials()
    random = SeededRandom(seed: options.seed)
    events = MarathonEvents(generation: options.generation, model: model)
    for node in 0..<options.nodes {
      let server = try listen(node, on: .loopback(port: 0))
      servers.append(server)
      addresses.append(server.address ?? .loopback(port: 0))
    }
    observer = model.observe { [weak self] event in ControlActor.assumeIsolated { self?.tell(event) } }
    keepalive = Task { [weak self, options] in
      while !Task.isCancelled {
        try? await ControlActor.sleep(milliseconds: options.keepaliveMilliseconds)
        self?.sendKeepalive()
      }
    }
  }

  private func listen(_ node: Int, on address: SocketAddress) throws -> ControlHTTPServer {
    var limits = ControlHTTPLimits()
    limits.connectionsMax = 4_096
    limits.writeMilliseconds = 600_000
    limits.idleMilliseconds = 600_000
    return try ControlHTTPServer(on: address, limits: limits) { [weak self] request in
      await self?.answer(request, node: node) ?? .text(status: 503, "closing")
    }
  }

  /// Of the first node.
  public var address: SocketAddress { addresses[0] }

  public func close() async {
    keepalive?.cancel()
    model.forget(observer)
    cutStreams()
    for server in servers { await server?.close() }
    servers = servers.map { _ in nil }
  }

  // MARK: Leading

  /// Another node leads, or none; streams end. A new Marathon does not know the results of health checks.
  ///
  /// - Parameter losesHealth: the results vanish, until `model.refillHealthResults`.
  public func elect(_ node: Int?, losesHealth: Bool = true) {
    leader = node
    cutStreams(clean: true)
    if losesHealth { model.loseHealthResults() }
  }

  /// The next node leads, after a time without a leader; health results come back after some more.
  public func changeLeader(withoutLeaderMilliseconds: UInt64 = 0, refillMilliseconds: UInt64? = nil) async {
    let next = ((leader ?? 0) + 1) % addresses.count
    elect(nil)
    try? await ControlActor.sleep(milliseconds: withoutLeaderMilliseconds)
    elect(next)
    guard let refillMilliseconds else { return }
    // Task by task, as the checks are made.
    for share in [0.25, 0.5, 0.75, 1] {
      try? await ControlActor.sleep(milliseconds: refillMilliseconds / 4)
      model.refillHealthResults(share: share)
    }
  }

  /// All nodes are gone: connections are refused.
  public func goAway() async {
    cutStreams(clean: false)
    for index in servers.indices {
      await servers[index]?.close()
      servers[index] = nil
    }
  }

  /// They are there again, where they were.
  public func comeBack() throws {
    for index in servers.indices where servers[index] == nil {
      servers[index] = try listen(index, on: addresses[index])
    }
  }

  /// One node is gone.
  public func stop(node: Int) async {
    for stream in streams where stream.node == node { stream.queue.close(clean: false) }
    await servers[node]?.close()
    servers[node] = nil
  }

  // MARK: Streams

  public var openStreams: Int { streams.count { $0.queue.isOpen } }

  /// Of the stream that lags behind most.
  public var streamBacklog: Int { streams.map(\.queue.backlog).max() ?? 0 }

  /// Streams that were cut off because they were read too slowly.
  public private(set) var slowStreams = 0

  /// All streams end; `clean`: with the end of the body.
  public func cutStreams(clean: Bool = false) {
    for stream in streams { stream.queue.close(clean: clean) }
  }

  /// Nothing more comes on any stream, not even keepalives, and none ends. New streams work.
  public func stallStreams() {
    for stream in streams { stream.queue.isStalled = true }
  }

  /// Bytes that every stream gets, whatever they mean.
  public func send(raw bytes: [UInt8]) {
    for stream in streams { stream.queue.offer(bytes) }
  }

  /// An event that the model knows nothing of.
  public func send(event name: String, data: String) { broadcast(name, MarathonEvents.frame(name, data)) }

  private func tell(_ change: ClusterEvent) {
    streams.removeAll { stream in
      if stream.queue.wasTooSlow { slowStreams += 1 }
      return !stream.queue.isOpen
    }
    guard !streams.isEmpty, !losesEvents else { return }
    for (name, data) in events.events(for: change) { broadcast(name, MarathonEvents.frame(name, data)) }
  }

  private func broadcast(_ name: String, _ bytes: [UInt8]) {
    for stream in streams where stream.types.isEmpty || stream.types.contains(name) { stream.queue.offer(bytes) }
  }

  /// An empty line, its two bytes on their own.
  private func sendKeepalive() {
    for stream in streams {
      stream.queue.offer([0x0d], isEvent: false)
      stream.queue.offer([0x0a], isEvent: false)
    }
  }

  func stream(_ request: ControlRequest, node: Int, key: String) -> ControlResponse {
    guard request.headers["Accept"]?.contains("text/event-stream") ?? false else {
      return ControlResponse(
        status: 405, contentType: "application/json", Array(#"{"message":"HTTP 405 Method Not Allowed"}"#.utf8))
    }
    let types = options.filtersEvents ? Set(request.query.all("event_type")) : []
    let queue = StreamQueue(eventsMax: options.streamEventsMax)
    let (name, data) = events.attached(request.peer?.description ?? "")
    if closesStreamsAtOnce {
      queue.close(clean: true)
    } else {
      streams.append(Stream(queue, types: types, node: node))
      if types.isEmpty || types.contains(name) { queue.offer(MarathonEvents.frame(name, data)) }
    }
    var headers = headers(node: node)
    headers.set("Content-Type", "text/event-stream;charset=UTF-8")
    headers.add("Cache-Control", "no-cache")
    let pieceBytesMax = options.streamPieceBytesMax
    return ControlResponse(
      headers: headers,
      body: .watch { [traffic] writer in
        try await queue.run(writer, cut: pieceBytesMax == 0 ? nil : self.cut) { traffic.sent($0, for: key) }
      })
  }

  private func cut(_ bytes: [UInt8]) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = min(1 + random.below(options.streamPieceBytesMax), rest.count)
      pieces.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return pieces
  }

  func headers(node: Int) -> ControlHeaders {
    var headers = ControlHeaders(["Content-Type": "application/json"])
    if let leader {
      headers.add("X-Marathon-Leader", "http://\(addresses[leader])")
      if node != leader { headers.add("X-Marathon-Via", "1.1 \(addresses[node])") }
    }
    return headers
  }
}

import MeshBase
import Net

/// The masters of one Mesos cluster that show the same model over real sockets: `/state`, the operator API, election.
///
/// Everything that can go wrong with it is a method or a switch. Confined to the control thread.
@ControlActor
public final class FakeMesosMaster {
  public struct Options: Sendable {
    public var masters = 1
    public var heartbeatMilliseconds: UInt64 = 15_000
    /// What SUBSCRIBED says the interval is; by default the true one.
    public var announcedHeartbeatSeconds: Double?
    /// Before 1.0 there is no operator API: 404.
    public var hasOperatorAPI = true
    /// Masters older than 1.1 answer `/state` themselves, leading or not.
    public var redirects = true
    public var streamRecordsMax = 100_000
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
  /// Where each master listens, whether it is up or not.
  public private(set) var addresses: [SocketAddress] = []
  /// `nil`: there is none at the moment.
  public private(set) var leader: Int? = 0
  private var servers: [ControlHTTPServer?] = []
  private var streams: [StreamQueue] = []
  private var observer: UInt64 = 0
  private var heartbeat: Task<Void, Never>?
  private var random: SeededRandom
  /// While set, nothing that happens is told, but heartbeats go on.
  public var losesEvents = false
  /// While set, no heartbeats come.
  public var losesHeartbeats = false

  /// Starts all masters; the first leads.
  public init(_ model: ClusterModel, options: Options = Options(), credentials: Credentials? = nil) throws {
    self.model = model
    self.options = options
    self.credentials = credentials ?? Credentials()
    random = SeededRandom(seed: options.seed)
    for node in 0..<options.masters {
      let server = try listen(node, on: .loopback(port: 0))
      servers.append(server)
      addresses.append(server.address ?? .loopback(port: 0))
    }
    observer = model.observe { [weak self] event in ControlActor.assumeIsolated { self?.tell(event) } }
    heartbeat = Task { [weak self, options] in
      while !Task.isCancelled {
        try? await ControlActor.sleep(milliseconds: options.heartbeatMilliseconds)
        self?.sendHeartbeat()
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

  /// Of the first master.
  public var address: SocketAddress { addresses[0] }

  public func close() async {
    heartbeat?.cancel()
    model.forget(observer)
    cutStreams()
    for server in servers { await server?.close() }
    servers = servers.map { _ in nil }
  }

  // MARK: Leading

  /// Another master leads, or none; streams end.
  ///
  /// - Parameter registered: of the agents, the share that has registered with the new one; the others are recovered.
  public func elect(_ node: Int?, registered: Double = 1) {
    leader = node
    cutStreams(clean: true)
    for agent in model.agents {
      let isRegistered = ServerFaults.shows(agent.id, share: registered)
      model.update(agent: agent.id) { $0.isRegistered = isRegistered }
    }
  }

  /// Recovered agents register: they are added, and their tasks are known again.
  public func registerAgents() {
    for agent in model.agents where !agent.isRegistered {
      model.update(agent: agent.id) { $0.isRegistered = true }
      tell(.agentAdded(agent))
      for framework in model.frameworks {
        for task in model.tasks(of: framework) where task.agentID == agent.id { tell(.task(task, isNew: true)) }
      }
    }
  }

  /// All masters are gone: connections are refused.
  public func goAway() async {
    cutStreams()
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

  // MARK: Streams

  public var openStreams: Int { streams.count(where: \.isOpen) }

  /// Of the stream that lags behind most, the records that wait.
  public var streamBacklog: Int { streams.map(\.backlog).max() ?? 0 }

  /// All streams end; `clean`: with the end of the body.
  public func cutStreams(clean: Bool = false) {
    for stream in streams { stream.close(clean: clean) }
  }

  /// Nothing more comes on any stream, not even heartbeats, and none ends. New streams work.
  public func stallStreams() {
    for stream in streams { stream.isStalled = true }
  }

  /// A record for every stream, whatever it says.
  public func send(record: [UInt8]) {
    for stream in streams { stream.offer(MesosRecords.frame(record)) }
  }

  /// Bytes that every stream gets, whatever they mean.
  public func send(raw bytes: [UInt8]) {
    for stream in streams { stream.offer(bytes) }
  }

  private func tell(_ change: ClusterEvent) {
    streams.removeAll { !$0.isOpen }
    guard !streams.isEmpty, !losesEvents, let record = MesosRecords.record(for: change) else { return }
    send(record: Array(record.utf8))
  }

  private func sendHeartbeat() {
    guard !losesHeartbeats else { return }
    for stream in streams {
      stream.offer(MesosRecords.frame(Array(#"{"type":"HEARTBEAT"}"#.utf8)), isEvent: false)
    }
  }

  func subscribe(_ request: ControlRequest, key: String, kinds: [ServerFault.Kind]) -> ControlResponse {
    let queue = StreamQueue(eventsMax: options.streamRecordsMax)
    let snapshot = MesosSnapshot(model: model, master: pid, shares: ServerFaults.share(kinds))
    let seconds = options.announcedHeartbeatSeconds ?? Double(options.heartbeatMilliseconds) / 1_000
    // All of it is put together now: what changes from here on comes as records behind it.
    let pieces = snapshot.subscribed(heartbeatSeconds: seconds)
    streams.append(queue)
    let pieceBytesMax = options.streamPieceBytesMax
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "application/json", "Mesos-Stream-Id": model.masterID]),
      body: .watch { [traffic] writer in
        var left = Int.max
        for case .truncated(let bytes) in kinds { left = bytes }
        for piece in pieces {
          for part in pieceBytesMax == 0 ? [piece] : self.cut(piece) {
            guard part.count < left else {
              try await writer.write(Array(part.prefix(left)))
              throw BrokenOff()
            }
            left -= part.count
            try await writer.write(part)
          }
          traffic.sent(piece.count, for: key)
        }
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

  var pid: String { "master@\(addresses[leader ?? 0])" }
}

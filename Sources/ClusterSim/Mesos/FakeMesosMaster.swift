import MeshBase
import Net

/// The masters of one Mesos cluster that show the same model over real sockets: `/state`, the operator API, election.
///
/// Everything that can go wrong with it is a method or a switch. Confined to the control thread.
@ControlActor
public final class FakeMesosMaster: FakeScheduler {
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

  public let options: Options
  /// While set, no heartbeats come.
  public var losesHeartbeats = false

  /// Starts all masters; the first leads.
  public init(_ model: ClusterModel, options: Options = Options(), credentials: Credentials? = nil) throws {
    self.options = options
    try super.init(
      model,
      shape: Shape(
        nodes: options.masters, pulseMilliseconds: options.heartbeatMilliseconds,
        streamPieceBytesMax: options.streamPieceBytesMax, seed: options.seed),
      credentials: credentials)
  }

  /// With options that differ from the usual ones.
  public convenience init(
    _ model: ClusterModel, credentials: Credentials? = nil, _ change: (inout Options) -> Void
  ) throws {
    var options = Options()
    change(&options)
    try self.init(model, options: options, credentials: credentials)
  }

  override func canonical(_ path: String) -> String {
    path.hasPrefix("/master/") ? String(path.dropFirst("/master".count)) : path
  }

  override func answer(_ exchange: FakeExchange) -> ControlResponse { reply(exchange) }

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
      changed(.agentAdded(agent))
      for framework in model.frameworks {
        for task in model.tasks(of: framework) where task.agentID == agent.id { changed(.task(task, isNew: true)) }
      }
    }
  }

  // MARK: Streams

  /// A record for every stream, whatever it says.
  public func send(record: [UInt8]) { send(raw: MesosRecords.frame(record)) }

  override func tell(_ change: ClusterEvent) {
    if let record = MesosRecords.record(for: change) { send(record: Array(record.utf8)) }
  }

  override func sendSignOfLife() {
    guard !losesHeartbeats else { return }
    let heartbeat = MesosRecords.frame(Array(#"{"type":"HEARTBEAT"}"#.utf8))
    for subscriber in subscribers { subscriber.queue.offer(heartbeat, isEvent: false) }
  }

  func subscribe(_ exchange: FakeExchange) -> ControlResponse {
    let queue = StreamQueue(eventsMax: options.streamRecordsMax)
    let snapshot = MesosSnapshot(model: model, master: pid, shares: exchange.share)
    let seconds = options.announcedHeartbeatSeconds ?? Double(options.heartbeatMilliseconds) / 1_000
    // All of it is put together now: what changes from here on comes as records behind it.
    let pieces = snapshot.subscribed(heartbeatSeconds: seconds)
    add(Subscriber(queue: queue, node: exchange.node))
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "application/json", "Mesos-Stream-Id": model.masterID]),
      body: .watch { [traffic, cut] writer in
        var left = Int.max
        for case .truncated(let bytes) in exchange.kinds { left = bytes }
        for piece in pieces {
          for part in cut?(piece) ?? [piece] {
            guard part.count < left else {
              try await writer.write(Array(part.prefix(left)))
              throw BrokenOff()
            }
            left -= part.count
            try await writer.write(part)
          }
          traffic.sent(piece.count, for: exchange.key)
        }
        try await queue.run(writer, cut: cut) { traffic.sent($0, for: exchange.key) }
      })
  }

  var pid: String { "master@\(addresses[leader ?? 0])" }
}

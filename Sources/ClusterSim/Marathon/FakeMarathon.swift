import MeshBase
import Net

/// One Marathon of several nodes that show the same model over real sockets: REST, event streams, election.
///
/// Everything that can go wrong with it is a method or a switch. Confined to the control thread.
@ControlActor
public final class FakeMarathon: FakeScheduler {
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

  public let options: Options
  let events: MarathonEvents
  /// Streams a node takes and closes at once, because it does not know yet that it leads.
  public var closesStreamsAtOnce = false

  /// Starts all nodes; the first leads.
  public init(_ model: ClusterModel, options: Options = Options(), credentials: Credentials? = nil) throws {
    self.options = options
    events = MarathonEvents(generation: options.generation, model: model)
    try super.init(
      model,
      shape: Shape(
        nodes: options.nodes, pulseMilliseconds: options.keepaliveMilliseconds,
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

  override func answer(_ exchange: FakeExchange) -> ControlResponse { reply(exchange) }

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

  // MARK: Streams

  /// An event that the model knows nothing of.
  public func send(event name: String, data: String) { broadcast(name, MarathonEvents.frame(name, data)) }

  override func tell(_ change: ClusterEvent) {
    for (name, data) in events.events(for: change) { broadcast(name, MarathonEvents.frame(name, data)) }
  }

  private func broadcast(_ name: String, _ bytes: [UInt8]) {
    for subscriber in subscribers where subscriber.wants(name) { subscriber.queue.offer(bytes) }
  }

  /// An empty line, its two bytes on their own.
  override func sendSignOfLife() {
    for subscriber in subscribers {
      subscriber.queue.offer([0x0d], isEvent: false)
      subscriber.queue.offer([0x0a], isEvent: false)
    }
  }

  func stream(_ exchange: FakeExchange) -> ControlResponse {
    let request = exchange.request
    guard request.headers["Accept"]?.contains("text/event-stream") ?? false else {
      return ControlResponse(
        status: 405, contentType: "application/json", Array(#"{"message":"HTTP 405 Method Not Allowed"}"#.utf8))
    }
    let subscriber = Subscriber(
      queue: StreamQueue(eventsMax: options.streamEventsMax), node: exchange.node,
      types: options.filtersEvents ? Set(request.query.all("event_type")) : [])
    let (name, data) = events.attached(request.peer?.description ?? "")
    if closesStreamsAtOnce {
      subscriber.queue.close(clean: true)
    } else {
      add(subscriber)
      if subscriber.wants(name) { subscriber.queue.offer(MarathonEvents.frame(name, data)) }
    }
    var headers = headers(node: exchange.node)
    headers.set("Content-Type", "text/event-stream;charset=UTF-8")
    headers.add("Cache-Control", "no-cache")
    return ControlResponse(
      headers: headers,
      body: .watch { [traffic, cut] writer in
        try await subscriber.queue.run(writer, cut: cut) { traffic.sent($0, for: exchange.key) }
      })
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

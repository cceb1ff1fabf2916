import MeshBase
import Net

/// Several nodes of one scheduler that show the same model over real sockets, one of which leads.
///
/// What a subclass adds is the protocol: how a request is answered and how a change is told. Confined to the control
/// thread.
@ControlActor
public class FakeScheduler {
  /// What both kinds of scheduler are told alike.
  struct Shape {
    var nodes: Int
    /// Between two signs of life on a stream.
    var pulseMilliseconds: UInt64
    /// Streams are cut into pieces of at most so many bytes, at places drawn from the seed; 0: as they come.
    var streamPieceBytesMax: Int
    var seed: UInt64
  }

  /// One open stream.
  struct Subscriber {
    let queue: StreamQueue
    let node: Int
    /// Names of the events it wants; empty: all.
    var types: Set<String> = []

    func wants(_ type: String) -> Bool { types.isEmpty || types.contains(type) }
  }

  public let model: ClusterModel
  public let faults = ServerFaults()
  public let traffic = TrafficLog()
  public let credentials: Credentials
  /// Where each node listens, whether it is up or not.
  public private(set) var addresses: [SocketAddress] = []
  /// `nil`: there is none at the moment.
  public final internal(set) var leader: Int? = 0
  /// While set, nothing that happens is told, but signs of life go on.
  public final var losesEvents = false
  /// Secures connections that are made from now on; `nil`: plain HTTP.
  public final var tls: TLSServerContext? { didSet { for server in servers { server?.tls = tls } } }
  private let shape: Shape
  private var servers: [ControlHTTPServer?] = []
  private(set) final var subscribers: [Subscriber] = []
  private var observer: UInt64 = 0
  private var pulse: Task<Void, Never>?
  private var random: SeededRandom

  /// Starts all nodes; the first leads.
  init(_ model: ClusterModel, shape: Shape, credentials: Credentials?) throws {
    self.model = model
    self.shape = shape
    self.credentials = credentials ?? Credentials()
    random = SeededRandom(seed: shape.seed)
    for node in 0..<shape.nodes {
      let server = try listen(node, on: .loopback(port: 0))
      servers.append(server)
      addresses.append(server.address ?? .loopback(port: 0))
    }
    observer = model.observe { [weak self] event in ControlActor.assumeIsolated { self?.changed(event) } }
    pulse = Task { [weak self] in
      while !Task.isCancelled {
        try? await ControlActor.sleep(milliseconds: shape.pulseMilliseconds)
        self?.sendSignOfLife()
      }
    }
  }

  private func listen(_ node: Int, on address: SocketAddress) throws -> ControlHTTPServer {
    var limits = ControlHTTPLimits()
    limits.connectionsMax = 4_096
    limits.writeMilliseconds = 600_000
    limits.idleMilliseconds = 600_000
    return try ControlHTTPServer(on: address, tls: tls, limits: limits) { [weak self] request in
      await self?.serve(request, node: node) ?? .text(status: 503, "closing")
    }
  }

  /// Of the first node.
  public final var address: SocketAddress { addresses[0] }

  public final func close() async {
    pulse?.cancel()
    model.forget(observer)
    cutStreams()
    for server in servers { await server?.close() }
    servers = servers.map { _ in nil }
  }

  // MARK: Protocol

  /// The path as the protocol names it.
  func canonical(_ path: String) -> String { path }

  /// The answer where no fault stands in its place.
  func answer(_ exchange: FakeExchange) -> ControlResponse { preconditionFailure("no protocol") }

  /// Tells all subscribers.
  func tell(_ change: ClusterEvent) { preconditionFailure("no protocol") }

  /// Called in even intervals.
  func sendSignOfLife() { preconditionFailure("no protocol") }

  private func serve(_ request: ControlRequest, node: Int) async -> ControlResponse {
    let key = traffic.request(request)
    let path = canonical("/" + request.path.split(separator: "/").joined(separator: "/"))
    let kinds = faults.take(path: path, node: node)
    if let response = await ServerFaults.before(kinds) { return response }
    if path == Credentials.loginPath && request.method == "POST" { return credentials.login(request) }
    return answer(FakeExchange(request: request, path: path, node: node, key: key, kinds: kinds))
  }

  // MARK: Outages

  /// All nodes are gone: connections are refused.
  public final func goAway() async {
    cutStreams()
    for node in servers.indices { await stopListening(node) }
  }

  /// They are there again, where they were.
  public final func comeBack() throws {
    for node in servers.indices where servers[node] == nil { servers[node] = try listen(node, on: addresses[node]) }
  }

  /// One node is gone.
  public final func stop(node: Int) async {
    for subscriber in subscribers where subscriber.node == node { subscriber.queue.close(clean: false) }
    await stopListening(node)
  }

  private func stopListening(_ node: Int) async {
    await servers[node]?.close()
    servers[node] = nil
  }

  // MARK: Streams

  public final var openStreams: Int { subscribers.count(where: \.queue.isOpen) }

  /// Of the stream that lags behind most, the events that wait.
  public final var streamBacklog: Int { subscribers.map(\.queue.backlog).max() ?? 0 }

  /// Streams that were cut off because they were read too slowly.
  public private(set) final var slowStreams = 0

  /// All streams end; `clean`: with the end of the body.
  public final func cutStreams(clean: Bool = false) {
    for subscriber in subscribers { subscriber.queue.close(clean: clean) }
  }

  /// Nothing more comes on any stream, not even signs of life, and none ends. New streams work.
  public final func stallStreams() {
    for subscriber in subscribers { subscriber.queue.isStalled = true }
  }

  /// Bytes that every stream gets, whatever they mean.
  public final func send(raw bytes: [UInt8]) {
    for subscriber in subscribers { subscriber.queue.offer(bytes) }
  }

  final func add(_ subscriber: Subscriber) { subscribers.append(subscriber) }

  /// What the model says has changed, unless nobody may hear of it.
  final func changed(_ change: ClusterEvent) {
    subscribers.removeAll { subscriber in
      if subscriber.queue.wasTooSlow { slowStreams += 1 }
      return !subscriber.queue.isOpen
    }
    if !subscribers.isEmpty && !losesEvents { tell(change) }
  }

  /// Where a run of a stream's bytes is cut into pieces; `nil`: nowhere.
  final var cut: (@ControlActor ([UInt8]) -> [[UInt8]])? {
    shape.streamPieceBytesMax == 0 ? nil : { @ControlActor [self] bytes in pieces(bytes) }
  }

  private func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = min(1 + random.below(shape.streamPieceBytesMax), rest.count)
      pieces.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return pieces
  }
}

/// A request that a fake scheduler answers.
struct FakeExchange {
  let request: ControlRequest
  /// Without empty segments.
  let path: String
  let node: Int
  /// Under which its traffic is counted.
  let key: String
  /// What goes wrong with the answer's body.
  let kinds: [ServerFault.Kind]

  /// The share of the tasks that is shown.
  @ControlActor var share: Double { ServerFaults.share(kinds) }
}

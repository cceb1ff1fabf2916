import HTTP
import MeshBase
import Net
import Telemetry

/// One thread of the data plane: its loop, and everything that its requests touch. Nothing here is shared, except
/// words that the control thread reads and the mailboxes.
final class Worker {
  let index: Int
  let loop: EventLoop
  let hostName: String
  let stats: WorkerStats
  var random: SeededRandom
  /// Heads are parsed here, in place, and used before the next parse.
  @exclusivity(unchecked) var requestHead = RequestHead()
  @exclusivity(unchecked) var responseHead = ResponseHead()
  /// What is received goes here unless a connection already holds a part of a message.
  let serverBuffer: UnsafeMutableRawBufferPointer
  let clientBuffer: UnsafeMutableRawBufferPointer
  /// A response being written; empty between events.
  let scratch = ByteBuffer(minimumCapacity: 16_384)
  /// A chunked request body being written; used within one call.
  let requestScratch = ByteBuffer(minimumCapacity: 1_024)
  let keyScratch = ByteBuffer(minimumCapacity: 256)
  /// Frames of one HTTP/2 connection on their way to the kernel; empty between events.
  let frameScratch = ByteBuffer(minimumCapacity: 16_384)
  let tlsWorkspace = TLSWorkspace()
  private let parking: SessionParking
  let http2Workshop = HTTP2Workshop()
  private var abuseToldAt: MonotonicInstant?
  private(set) var isDraining = false
  private(set) var routers: [RouterRuntime] = []
  private var listeners: [Listener] = []
  private var connections: ContiguousArray<Unmanaged<CallerChannel>> = []
  private var freeBuffers: [ByteBuffer] = []
  private var exchanges = ObjectPool<Exchange>()
  private var serverStreams = ObjectPool<ServerStream>()
  private var clientStreams = ObjectPool<ClientStream>()
  private let control: Mailbox<ControlMessage>
  private var dateLine: [UInt8] = []
  private var dateSecond: UInt64 = 0
  private var reportedBusy: UInt64 = 0
  private var accessLogs: [AccessLogWriter] = []
  private let housekeeper = Housekeeper()

  static let receiveBytes = 65_536
  private static let freeBuffersMax = 256
  /// Of exchanges, and of the streams of either end. More are freed between events only: one that ends amid its own
  /// method goes on to the end of it.
  private static let idleObjectsMax = 1_024
  /// A pooled buffer that has grown beyond this is not kept.
  private static let keptBufferBytesMax = 131_072

  init(plan: WorkerPlan, control: Mailbox<ControlMessage>, seed: UInt64) throws {
    index = plan.index
    hostName = plan.hostName
    stats = plan.stats
    loop = try EventLoop()
    parking = SessionParking(tlsWorkspace.awake, http2Workshop.awake, loop: loop)
    random = SeededRandom(seed: seed)
    self.control = control
    serverBuffer = .allocate(byteCount: Self.receiveBytes, alignment: 64)
    clientBuffer = .allocate(byteCount: Self.receiveBytes, alignment: 64)
    for routerPlan in plan.routers {
      let router = RouterRuntime(plan: routerPlan, worker: self)
      routers.append(router)
      if let log = routerPlan.accessLog { accessLogs.append(log) }
      for server in routerPlan.servers {
        let runtime = ServerRuntime(plan: server, router: router)
        router.servers.append(runtime)
        listeners.append(try Listener(server: runtime, worker: self, descriptor: server.listener))
      }
    }
    housekeeper.worker = self
    housekeeper.arm()
  }

  deinit {
    serverBuffer.deallocate()
    clientBuffer.deallocate()
  }

  /// Starts a thread that runs the worker until it is told to stop.
  static func start(plan: WorkerPlan, mailbox: Mailbox<WorkerMessage>, control: Mailbox<ControlMessage>, seed: UInt64) {
    Thread.start(name: "worker-\(plan.index)") {
      do {
        let worker = try Worker(plan: plan, control: control, seed: seed)
        try mailbox.attach(to: worker.loop) { worker.handle($0) }
        worker.loop.endOfTurn = { [unowned(unsafe) worker] in worker.turnEnded() }
        worker.loop.run()
        worker.loop.endOfTurn = nil
        control.send(.stopped(worker: plan.index))
      } catch {
        fatalError("worker \(plan.index): \(error)")
      }
    }
  }

  func tellControl(_ message: ControlMessage) { control.send(message) }

  private func handle(_ message: WorkerMessage) {
    switch message {
    case .route(let router, let entry, let snapshot): routers[router].update(entry: entry, snapshot)
    case .endpoints(let router, let client, let endpoints): routers[router].updateEndpoints(client: client, endpoints)
    case .ejected(let router, let client, let address, let until):
      routers[router].ejected(client: client, address, until: until)
    case .serverTLS(let router, let server, let context): routers[router].servers[server].tls = context
    case .clientTLS(let router, let terms, let context): routers[router].clientTLS[terms].context = context
    case .drain: drain()
    case .stop: stop()
    case .inspectClients(let router, let reply): reply(routers[router].inspectClients())
    case .barrier(let reply): reply()
    }
  }

  // MARK: Connections

  func connectionOpened(_ connection: CallerChannel) {
    connection.position = connections.count
    connections.append(.passUnretained(connection))
  }

  func connectionClosed(_ connection: CallerChannel) {
    let last = connections.removeLast()
    if connection.position < connections.count {
      connections[connection.position] = last
      last._withUnsafeGuaranteedRef { $0.position = connection.position }
    }
    if isDraining && connections.isEmpty { tellControl(.drained(worker: index)) }
  }

  private func drain() {
    guard !isDraining else { return }
    isDraining = true
    for listener in listeners { listener.close() }
    for connection in connections.map({ $0.takeUnretainedValue() }) { connection.drain() }
    if connections.isEmpty { tellControl(.drained(worker: index)) }
  }

  private func stop() {
    for listener in listeners { listener.close() }
    isDraining = false
    for connection in connections.map({ $0.takeUnretainedValue() }) { connection.forceClose() }
    for router in routers { router.closeAll() }
    // Everything below holds the worker; without this a stopped one would never be freed.
    routers = []
    listeners = []
    trimPools(to: 0)
    loop.stop()
  }

  // MARK: Pools

  func takeBuffer() -> ByteBuffer { freeBuffers.popLast() ?? ByteBuffer(minimumCapacity: 4_096) }

  func giveBack(_ buffer: consuming ByteBuffer) {
    guard freeBuffers.count < Self.freeBuffersMax, buffer.capacity <= Self.keptBufferBytesMax else { return }
    buffer.removeAll()
    freeBuffers.append(buffer)
  }

  @inline(__always)
  func takeExchange() -> Unretained<Exchange> { exchanges.take { Exchange(worker: self) } }

  @inline(__always)
  func giveBack(_ exchange: Exchange) { exchanges.giveBack(exchange) }

  func takeServerStream() -> Unretained<ServerStream> { serverStreams.take { ServerStream() } }

  func giveBack(_ stream: ServerStream) { serverStreams.giveBack(stream) }

  func takeClientStream() -> Unretained<ClientStream> { clientStreams.take { ClientStream() } }

  func giveBack(_ stream: ClientStream) { clientStreams.giveBack(stream) }

  private func trimPools(to count: Int) {
    exchanges.trim(to: count)
    serverStreams.trim(to: count)
    clientStreams.trim(to: count)
  }

  // MARK: Abuse

  /// Has the abuse logged, unless another one was within the last second.
  func tellAbuse(_ abuse: HTTP2Abuse, router: Int, peer: SocketAddress?, explanation: String) {
    if let last = abuseToldAt, loop.now.nanoseconds(since: last) < 1_000_000_000 { return }
    abuseToldAt = loop.now
    tellControl(.abused(abuse, router: router, peer: peer, explanation: explanation))
  }

  // MARK: Time

  /// `Date: …` for a response that came without one (RFC 9110 §6.6.1).
  func appendDate(to out: ByteBuffer) {
    let second = Clock.wallNanoseconds / 1_000_000_000
    if second != dateSecond {
      dateSecond = second
      let line = ByteBuffer()
      line.append("Date: ")
      line.append(httpDate: Int64(second))
      line.append("\r\n")
      dateLine = Array(line.readable)
    }
    dateLine.withUnsafeBytes { out.append($0) }
  }

  private func turnEnded() {
    for log in accessLogs { log.flush(self) }
    let busy = loop.busyNanoseconds
    let turn = busy &- reportedBusy
    reportedBusy = busy
    stats.turned(busyNanoseconds: turn, delayMicroseconds: turn / 1_000)
  }

  fileprivate func housekeep(now: MonotonicInstant) {
    for router in routers { router.sweep(now: now) }
    parking.beginRound()
    trimPools(to: Self.idleObjectsMax)
  }
}

/// Wakes the worker about once a second for what no event tells of.
private final class Housekeeper: TimerOwner {
  unowned(unsafe) var worker: Worker!
  private static let periodMilliseconds: UInt64 = 1_000

  func arm() {
    _ = worker.loop.schedule(self, tag: 0, at: Clock.now.advanced(byMilliseconds: Self.periodMilliseconds))
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    worker.housekeep(now: now)
    arm()
  }
}

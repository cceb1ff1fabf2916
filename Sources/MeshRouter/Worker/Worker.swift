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
  /// Requests that wait for a place, by ticket. Each is in use until it has one or ends.
  var awaiting: [UInt64: Unretained<Exchange>] = [:]
  var lastTicket: UInt64 = 0
  /// Connections are not accepted, and idle ones not kept.
  var isShortOfMemory = false
  /// When the log was last told that something is short, and when idle connections were last closed for it.
  var shortageToldAt: MonotonicInstant?
  var relievedAt: MonotonicInstant?
  let relief = Relief()
  private(set) var isDraining = false
  /// How long a connection without a request stays open, once the worker or its server drains: the caller was not told
  /// yet that it ends, and one that is in use has its next request in that time.
  private(set) var drainIdleMilliseconds = drainIdleMillisecondsMax
  /// When the connections of servers that are being removed are closed, whatever they do.
  private var removedServersEndAt = MonotonicInstant(nanoseconds: .max)
  private(set) var routers: [RouterRuntime] = []
  /// Replaced or removed by a reload, with requests in progress.
  private var retiredRouters: [RouterRuntime] = []
  /// Likewise, or with connections that were accepted there.
  private var retiredServers: [ServerRuntime] = []
  private(set) var listeners: [Listener] = []
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
  private static let drainIdleMillisecondsMax: UInt64 = 5_000

  /// Where all connections have so long to end.
  static func drainIdleMilliseconds(within milliseconds: Int) -> UInt64 {
    min(UInt64(milliseconds) / 2, drainIdleMillisecondsMax)
  }

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
    if let error = apply(plan.routers).first?.error { throw error }
    relief.worker = self
    housekeeper.worker = self
    housekeeper.arm()
  }

  deinit {
    serverBuffer.deallocate()
    clientBuffer.deallocate()
  }

  /// Starts a thread that runs the worker until it is told to stop.
  static func start(plan: WorkerPlan, mailbox: Mailbox<WorkerMessage>, control: Mailbox<ControlMessage>, seed: UInt64) {
    let index = plan.index
    // Taken out of it at once: a thread holds what it was started with, and a reload may put that out of force.
    let handed = Locked<WorkerPlan?>(plan)
    Thread.start(name: "worker-\(index)") {
      do {
        let worker = try take(handed, control, seed)
        try mailbox.attach(to: worker.loop) { worker.handle($0) }
        worker.loop.endOfTurn = { [unowned(unsafe) worker] in worker.turnEnded() }
        worker.loop.run()
        worker.loop.endOfTurn = nil
        control.send(.stopped(worker: index))
      } catch {
        fatalError("worker \(index): \(error)")
      }
    }
  }

  private static func take(
    _ handed: Locked<WorkerPlan?>, _ control: Mailbox<ControlMessage>, _ seed: UInt64
  ) throws -> Worker {
    guard let plan = handed.withLock({ $0.take() }) else { preconditionFailure("a plan is for one worker") }
    return try Worker(plan: plan, control: control, seed: seed)
  }

  func tellControl(_ message: ControlMessage) { control.send(message) }

  private func handle(_ message: WorkerMessage) {
    switch message {
    case .route(let index, let entry, let snapshot): router(index)?.update(entry: entry, snapshot)
    case .endpoints(let index, let client, let endpoints): router(index)?.updateEndpoints(client: client, endpoints)
    case .ejected(let index, let client, let address, let ejection):
      router(index)?.ejected(client: client, address, ejection)
    case .reload(let plans, let drainMilliseconds):
      removedServersEndAt = loop.now.advanced(byMilliseconds: UInt64(drainMilliseconds))
      drainIdleMilliseconds = Self.drainIdleMilliseconds(within: drainMilliseconds)
      for (address, error) in apply(plans) { tellControl(.listenFailed(address, "\(error)")) }
    case .serverTLS(let index, let socket, let context):
      router(index)?.servers.first { $0.socket == socket }?.tls = context
    case .clientTLS(let index, let terms, let context):
      if let router = router(index), terms < router.clientTLS.count { router.clientTLS[terms].context = context }
    case .place(let gate, let ticket, let isGranted): placeDecided(gate, ticket, isGranted: isGranted)
    case .memory(let isShort): memoryChanged(isShort: isShort)
    case .drain(let idleMilliseconds): drain(idleMilliseconds: idleMilliseconds)
    case .stop: stop()
    case .listeningSockets(let reply):
      reply(listeners.filter(\.isOpen).compactMap { try? Descriptor.duplicate(of: $0.descriptor).release() })
    case .countConnections(let reply): reply(connections.count)
    case .inspectClients(let index, let reply): reply(router(index)?.inspectClients() ?? [])
    case .barrier(let reply): reply()
    }
  }

  // MARK: Reload

  /// By its number; `nil` if it has ended, which a message on its way may not know.
  private func router(_ index: Int) -> RouterRuntime? {
    routers.first { $0.index == index } ?? retiredRouters.first { $0.index == index }
  }

  /// Makes the routers and servers what they are planned to be. What is there already, and planned as it is, stays.
  /// Returns the sockets that the loop does not take.
  private func apply(_ plans: [RouterPlan]) -> [(address: SocketAddress, error: SystemError)] {
    var failures: [(address: SocketAddress, error: SystemError)] = []
    let old = routers
    var closing: [ServerRuntime] = []
    routers = []
    for plan in plans {
      let kept = old.first { $0.index == plan.index }
      let router = kept ?? RouterRuntime(plan: plan, worker: self)
      let predecessor = kept ?? old.first { $0.index == plan.predecessor }
      if kept == nil, let predecessor { router.learnNames(of: predecessor) }
      closing += serve(plan, router, insteadOf: predecessor?.servers ?? [], &failures)
      routers.append(router)
    }
    let gone = old.filter { router in !routers.contains { $0 === router } }
    for router in gone where !plans.contains(where: { $0.predecessor == router.index }) { closing += router.servers }
    for server in closing { succeed(server, by: nil) }
    retiredRouters += gone
    let sockets = Set(plans.flatMap(\.servers).map(\.socket))
    for listener in listeners where !sockets.contains(listener.socket) { listener.close() }
    listeners.removeAll { !sockets.contains($0.socket) }
    if !closing.isEmpty {
      let leaving = connections.map { $0.takeUnretainedValue() }.filter(\.server.isClosing)
      for connection in leaving { connection.drain() }
    }
    accessLogs = routers.compactMap(\.accessLog) + retiredRouters.compactMap(\.accessLog)
    windDown()
    return failures
  }

  /// Opens the servers of one router. Returns those that it shall have no more.
  private func serve(
    _ plan: RouterPlan, _ router: RouterRuntime, insteadOf old: [ServerRuntime],
    _ failures: inout [(address: SocketAddress, error: SystemError)]
  ) -> [ServerRuntime] {
    router.servers = []
    for plan in plan.servers {
      let previous = old.first { $0.socket == plan.socket }
      if let previous, previous.router === router, previous.configuration == plan.configuration {
        previous.tls = plan.tls
        router.servers.append(previous)
        continue
      }
      let server = ServerRuntime(plan: plan, router: router)
      router.servers.append(server)
      if let previous { succeed(previous, by: server) }
      for listener in listeners where listener.socket == plan.socket { listener.serves(server) }
      for descriptor in plan.listeners {
        do {
          listeners.append(try Listener(server: server, worker: self, descriptor: descriptor))
        } catch {
          failures.append((plan.address, error))
        }
      }
    }
    return old.filter { server in !plan.servers.contains { $0.socket == server.socket } }
  }

  /// Callers of a server, and of those before it, go on with another one; `nil`: with none.
  private func succeed(_ server: ServerRuntime, by next: ServerRuntime?) {
    for earlier in retiredServers where earlier.successor === server {
      earlier.hand(to: next, endingAt: removedServersEndAt)
    }
    server.hand(to: next, endingAt: removedServersEndAt)
    retiredServers.append(server)
  }

  /// Lets go of what a reload has put out of use and no request needs any more.
  private func windDown() {
    guard !retiredServers.isEmpty || !retiredRouters.isEmpty else { return }
    retiredServers.removeAll { $0.connections == 0 && $0.exchanges == 0 }
    retiredRouters.removeAll { router in
      // Of a server that was removed: a last request may be on its way on each.
      let mayBeAsked = retiredServers.contains { $0.isClosing && $0.connections > 0 && $0.current.router === router }
      if mayBeAsked { return false }
      let isInUse = retiredServers.contains { $0.exchanges > 0 && $0.router === router }
      guard !router.windDown(), !isInUse else { return false }
      router.end()
      tellControl(.routerEnded(worker: index, router: router.index))
      return true
    }
    if retiredRouters.isEmpty { accessLogs = routers.compactMap(\.accessLog) }
  }

  /// Ends what is left of the connections of removed servers whose time is over: tunnels, and streams without end.
  private func closeOverdue(_ now: MonotonicInstant) {
    guard retiredServers.contains(where: { $0.connections > 0 && $0.isOverdue(now) }) else { return }
    let overdue = connections.map { $0.takeUnretainedValue() }.filter { $0.server.isOverdue(now) }
    for connection in overdue { connection.forceClose() }
  }

  // MARK: Connections

  func connectionOpened(_ connection: CallerChannel) {
    connection.server.connections += 1
    connection.position = connections.count
    connections.append(.passUnretained(connection))
  }

  func connectionClosed(_ connection: CallerChannel) {
    connection.server.connections -= 1
    let last = connections.removeLast()
    if connection.position < connections.count {
      connections[connection.position] = last
      last._withUnsafeGuaranteedRef { $0.position = connection.position }
    }
    if isDraining && connections.isEmpty { tellControl(.drained(worker: index)) }
  }

  private func drain(idleMilliseconds: UInt64) {
    drainIdleMilliseconds = idleMilliseconds
    // Told a second time because there is less time left than was thought.
    if !isDraining {
      isDraining = true
      for listener in listeners { listener.close() }
    }
    for connection in connections.map({ $0.takeUnretainedValue() }) { connection.drain() }
    if connections.isEmpty { tellControl(.drained(worker: index)) }
  }

  private func stop() {
    for listener in listeners { listener.close() }
    isDraining = false
    for connection in connections.map({ $0.takeUnretainedValue() }) { connection.forceClose() }
    for router in routers + retiredRouters { router.closeAll() }
    // Everything below holds the worker; without this a stopped one would never be freed.
    routers = []
    retiredRouters = []
    retiredServers = []
    listeners = []
    trimPools(to: 0)
    loop.stop()
  }

  // MARK: Pools

  func takeBuffer() -> ByteBuffer { freeBuffers.popLast() ?? ByteBuffer(minimumCapacity: 4_096) }

  func giveBack(_ buffer: consuming ByteBuffer) {
    guard freeBuffers.count < Self.freeBuffersMax, !isShortOfMemory, buffer.capacity <= Self.keptBufferBytesMax else {
      return
    }
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

  /// Frees what the pools of buffers hold.
  func dropFreeBuffers() { freeBuffers = [] }

  func trimPools(to count: Int) {
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
    closeOverdue(now)
    windDown()
    if isShortOfMemory { closeIdleConnections() }
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

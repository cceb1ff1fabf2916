import Admin
import Config
import Dtab
import DtabStore
import Logging
import MeshBase
import Namers
import Net
import Telemetry

/// The whole router: workers, routers, namers, dtabs, admin server; started from a configuration, ended by `shutdown`.
@ControlActor
public final class RouterProcess {
  public nonisolated let configuration: Configuration
  nonisolated let startedAt = Clock.now
  nonisolated let hostName = Host.name
  nonisolated let workerCount: Int
  let metrics: MetricsRegistry
  let namers: NamerRegistry
  let store: any DtabStore
  private(set) var routers: [RouterControl] = []
  private var tables: [RouterTable] = []
  private var mailboxes: [Mailbox<WorkerMessage>] = []
  private let control: Mailbox<ControlMessage>
  private var drained: Set<Int> = []
  private let handshakes = HandshakeLog()
  private var stopped: Set<Int> = []
  private var shutdownTask: Task<Void, Never>?
  private var housekeeping: Task<Void, Never>?
  private nonisolated let ended = Promise<Void>()
  let log = Logger(label: "router")
  /// Addresses in force, in the order of the configuration: where a port was 0, the kernel's choice.
  public private(set) var serverAddresses: [[SocketAddress]] = []
  let accessLogs: [AccessLogWriter]
  private var admin: RouterAdmin?
  private var adminServer: AdminServer?
  private let processMetrics: ProcessMetrics
  private let tls: TLSContexts
  /// Where the admin server listens.
  public var adminAddress: SocketAddress? { adminServer?.address }

  /// Binds all sockets and starts all threads, the admin server's too. Throws `SystemError` naming the address if one cannot be bound, and then
  /// leaves nothing behind.
  public static func start(_ configuration: Configuration) async throws -> RouterProcess {
    let store: any DtabStore =
      switch configuration.dtabStore {
      case .memory: InMemoryDtabStore()
      case .directory(let directory): try await DirectoryDtabStore.open(directory: directory.path)
      }
    ProcessLog.shared.install(configuration.logging)
    let router = try RouterProcess(configuration, store: store)
    do {
      try router.startAdmin()
    } catch {
      router.shutdown()
      throw error
    }
    Host.trimMemory()
    return router
  }

  private func startAdmin() throws {
    let settings = configuration.admin
    guard let address = SocketAddress(ip: settings.ip, port: UInt16(settings.port)) else {
      throw SystemError.notAnAddress("\(settings.ip):\(settings.port)")
    }
    let admin = RouterAdmin(self)
    self.admin = admin
    adminServer = try AdminServer(
      on: address, unixSocket: settings.socketPath, tls: tls.admin?.context, options: AdminOptions(settings),
      source: admin)
    tls.onServer = { [weak self] router, server, context in
      self?.tellWorkers(.serverTLS(router: router, server: server, context))
    }
    tls.onClient = { [weak self] router, terms, context in
      self?.tellWorkers(.clientTLS(router: router, terms: terms, context))
    }
    tls.onAdmin = { [weak self] in self?.adminServer?.secure($0) }
  }

  private init(_ configuration: Configuration, store: any DtabStore) throws {
    self.configuration = configuration
    self.store = store
    workerCount = configuration.workers ?? Host.processors
    let workerCount = workerCount
    metrics = MetricsRegistry(workers: workerCount, seriesMax: configuration.metrics.maxSeries)
    namers = try NamerAssembly.registry(configuration)
    processMetrics = ProcessMetrics(metrics, namers: namers)
    tls = try TLSContexts(configuration, metrics: metrics)
    control = try Mailbox()
    let logs = try configuration.routers.map { router in
      try router.httpAccessLog.map {
        try AccessLogWriter(path: $0, format: router.accessLogFormat, workers: workerCount)
      }
    }
    accessLogs = logs.compactMap { $0 }
    let servers = try BoundServer.bindAll(configuration, workers: workerCount)
    serverAddresses = servers.map { $0.map(\.address) }
    try makeRouters()
    for _ in 0..<workerCount { mailboxes.append(try Mailbox()) }
    try control.attach(to: ControlThread.shared.loop) { [weak self] message in
      ControlActor.assumeIsolated { self?.handle(message) }
    }
    var seeds = SystemRandomNumberGenerator()
    for worker in 0..<workerCount {
      let plan = plan(worker: worker, servers: servers, logs: logs)
      Worker.start(plan: plan, mailbox: mailboxes[worker], control: control, seed: seeds.next())
    }
    housekeeping = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        try? await ControlActor.sleep(milliseconds: 2_000)
        self?.metrics.tick(at: Clock.now)
        self?.processMetrics.refresh()
      }
    }
  }

  private func makeRouters() throws {
    let ids = ClientIDs()
    for (index, router) in configuration.routers.enumerated() {
      let interpreter = Interpreter(
        namers: namers, dtab: try Dtab(parsing: router.dtab),
        transformers: try router.interpreter.transformers.map(NamerAssembly.transformer))
      tables.append(
        try RouterTable(router, interpreter: interpreter, store: store) { [processMetrics] version in
          processMetrics.dtabApplied(version.namespace, version: version.version)
        })
      routers.append(
        RouterControl(
          index: index, configuration: router, interpreter: interpreter, metrics: metrics.router(router.label),
          workerCount: workerCount, ids: ids
        ) { [unowned self] worker, message in
          mailboxes[worker].send(message)
        })
    }
  }

  private func plan(worker: Int, servers: [[BoundServer]], logs: [AccessLogWriter?]) -> WorkerPlan {
    WorkerPlan(
      index: worker, hostName: hostName,
      routers: configuration.routers.enumerated().map { index, router in
        let scope = metrics.router(router.label)
        return RouterPlan(
          index: index, workerCount: workerCount, configuration: router, stats: scope.stats[worker],
          servers: zip(router.servers, servers[index]).enumerated().map { position, server in
            let (server, bound) = server
            return ServerPlan(
              configuration: server, address: bound.address, listener: bound.descriptors[worker],
              stats: scope.server("\(bound.address.ip)/\(bound.address.port)")[worker],
              tls: tls.servers[index][position]?.context,
              connectionLimit: bound.connectionLimit, requestLimit: bound.requestLimit)
          },
          clientTLS: tls.clients[index].map { RouterPlan.ClientTLS(terms: $0.terms, context: $0.watcher.context) },
          accessLog: logs[index])
      },
      stats: metrics.workerStats[worker])
  }

  private func tellWorkers(_ message: WorkerMessage) {
    for mailbox in mailboxes { mailbox.send(message) }
  }

  private func handle(_ message: ControlMessage) {
    switch message {
    case .bind(let request): routers[request.router].bind(request)
    case .release(let worker, let router, let entry): routers[router].release(worker: worker, entry: entry)
    case .drained(let worker): drained.insert(worker)
    case .ejected(let worker, let router, let client, let address, let until):
      for other in mailboxes.indices where other != worker {
        mailboxes[other].send(.ejected(router: router, client: client, address: address, until: until))
      }
    case .handshakeFailed(let peer, let name, let word, let text):
      handshakes.failed(peer: peer, name: name, word: word, text: text)
    case .abused(let abuse, let router, let peer, let explanation):
      log.warning(
        "an HTTP/2 caller overdid it",
        metadata: [
          "router": "\(configuration.routers[router].label)", "peer": "\(peer?.description ?? "-")",
          "abuse": "\(abuse.rawValue)", "end": "\(explanation)",
        ])
    case .stopped(let worker):
      stopped.insert(worker)
      if stopped.count == workerCount { ended.fulfil(()) }
    }
  }

  // MARK: End

  public var isDraining: Bool { shutdownTask != nil }

  /// Takes no new connections, lets requests end for at most `shutdownGraceMs`, then closes what is left. Idempotent.
  public func shutdown() {
    guard shutdownTask == nil else { return }
    log.info("draining", metadata: ["graceMs": "\(configuration.admin.shutdownGraceMilliseconds)"])
    shutdownTask = Task { @ControlActor in
      for mailbox in mailboxes { mailbox.send(.drain) }
      let deadline = Clock.now.advanced(byMilliseconds: UInt64(configuration.admin.shutdownGraceMilliseconds))
      while drained.count < workerCount, Clock.now < deadline { try? await ControlActor.sleep(milliseconds: 10) }
      for mailbox in mailboxes { mailbox.send(.stop) }
      housekeeping?.cancel()
      tls.close()
      await adminServer?.close()
    }
  }

  /// Blocks a thread of the caller's (not the control thread) until `shutdown` is done.
  public nonisolated func waitUntilEnded() { ended.wait() }

  // MARK: State

  /// What an operator should mend, a sentence each.
  var problems: [String] {
    store.problems.map { $0.namespace.isEmpty ? $0.message : "dtab \($0.namespace): \($0.message)" }
      + tables.compactMap(\.fileProblem) + tls.problems
      + namers.inUse.compactMap { namer in namer.lastError.map { "namer \(namer.prefix): \($0)" } }
  }

  /// What every worker sees of a router's clients. Waits for the workers' answers, which come within a turn each.
  func inspectClients(router: Int) async -> [[ClientInspection]] {
    var result: [[ClientInspection]] = []
    for mailbox in mailboxes {
      let seen = await withCheckedContinuation { continuation in
        mailbox.send(.inspectClients(router: router) { continuation.resume(returning: $0) })
      }
      result.append(seen)
    }
    return result
  }

  /// Returns when every worker has handled what was sent to it before.
  func barrier() async {
    for mailbox in mailboxes {
      await withCheckedContinuation { continuation in mailbox.send(.barrier { continuation.resume() }) }
    }
  }

  /// Opens the access logs anew, after their files were moved away.
  public func reopenLogs() {
    for log in accessLogs { log.reopen() }
  }
}

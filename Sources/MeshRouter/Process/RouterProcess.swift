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
  /// In force: after a reload the file's, but for what needs a restart.
  public private(set) var configuration: Configuration
  let source: ConfigurationSource?
  nonisolated let startedAt = Clock.now
  nonisolated let hostName = Host.name
  nonisolated let workerCount: Int
  let metrics: MetricsRegistry
  private let namerSet: NamerSet
  var namers: NamerRegistry { namerSet.registry }
  let store: any DtabStore
  /// In the order of the configuration.
  private var parts: [RouterPart] = []
  /// By number, with those that a reload has put out of force and that still serve their last requests.
  private var controls: [Int: RouterControl] = [:]
  private var workersDone: [Int: Int] = [:]
  private var lastIndex = -1
  private let ids = ClientIDs()
  private var scopes: [String: RouterScopes] = [:]
  private let sockets: ServerSockets
  /// How it is started anew; `nil`: it cannot be.
  let program: SuccessorProgram?
  var handover = Handover.none
  /// Why the file as it was read last is not in force; `nil`: it is.
  private var reloadProblem: String?
  private var reloading: Task<Result<String, ReloadRefusal>, Never>?
  /// Between `init` and `startWorkers`.
  private var plansToStart: [[RouterPlan]] = []
  private var mailboxes: [Mailbox<WorkerMessage>] = []
  private let control: Mailbox<ControlMessage>
  private var drained: Set<Int> = []
  private let handshakes = HandshakeLog()
  private let shortages: Shortages
  private var stopped: Set<Int> = []
  private var shutdownTask: Task<Void, Never>?
  /// While it drains: when what is left is closed.
  private var drainEndsAt = MonotonicInstant(nanoseconds: .max)
  /// It was asked to end, and not only to leave its callers to another process.
  public private(set) var isShuttingDown = false
  private var housekeeping: Task<Void, Never>?
  private nonisolated let ended = Promise<Void>()
  let log = Logger(label: "router")
  /// Addresses in force, in the order of the configuration: where a port was 0, the kernel's choice.
  public var serverAddresses: [[SocketAddress]] { parts.map { $0.servers.map(\.address) } }
  private var admin: RouterAdmin?
  private var adminServer: AdminServer?
  private let processMetrics: ProcessMetrics
  private let tls: TLSContexts
  /// Where the admin server listens.
  public var adminAddress: SocketAddress? { adminServer?.address }

  /// Binds all sockets and starts all threads, the admin server's too. Throws `SystemError` naming the address if one cannot be bound, and then
  /// leaves nothing behind.
  ///
  /// - Parameters:
  ///   - source: read again by `reload`; `nil`: there is nothing to read.
  ///   - program: started by `upgrade`; `nil`: this process cannot be replaced while it serves.
  ///   - inheritance: what this process was started with.
  public static func start(
    _ configuration: Configuration, source: ConfigurationSource? = nil, program: SuccessorProgram? = nil,
    inheritance: Inheritance? = nil
  ) async throws -> RouterProcess {
    ProcessLog.shared.install(configuration.logging)
    try await inheritance?.begin()
    if let keys = inheritance?.tickets { TLSTicketKeys.shared.adopt(keys) }
    let administration = try AdministrationSockets(configuration.admin, inheritance)
    let dtabs = try await inheritance?.takeStore() ?? []
    let store: any DtabStore =
      switch configuration.dtabStore {
      case .memory: InMemoryDtabStore(importing: dtabs)
      case .directory(let directory): try await DirectoryDtabStore.open(directory: directory.path)
      }
    let router = try RouterProcess(
      configuration, source: source, program: program, inheritance: inheritance, store: store)
    await router.learn(inheritance?.names ?? [])
    router.startWorkers()
    do {
      try router.startAdmin(administration)
    } catch {
      router.shutdown()
      throw error
    }
    await inheritance?.serves()
    Host.trimMemory()
    return router
  }

  private func startAdmin(_ sockets: AdministrationSockets) throws {
    let admin = RouterAdmin(self)
    self.admin = admin
    adminServer = try AdminServer(
      listening: sockets.address, unix: sockets.unix, tls: tls.admin?.context,
      options: AdminOptions(configuration.admin), source: admin)
    tls.onServer = { [weak self] key, context in self?.secure(key, context) }
    tls.onClient = { [weak self] label, terms, context in
      guard let part = self?.parts.first(where: { $0.configuration.label == label }) else { return }
      self?.tellWorkers(.clientTLS(router: part.index, terms: terms, context))
    }
    tls.onAdmin = { [weak self] in self?.adminServer?.secure($0) }
  }

  private func secure(_ key: ServerKey, _ context: TLSServerContext) {
    for part in parts {
      guard let server = part.servers.first(where: { $0.key == key }) else { continue }
      tellWorkers(.serverTLS(router: part.index, socket: server.socket, context))
    }
  }

  private init(
    _ configuration: Configuration, source: ConfigurationSource?, program: SuccessorProgram?,
    inheritance: Inheritance?, store: any DtabStore
  ) throws {
    self.configuration = configuration
    self.source = source
    self.program = program
    self.store = store
    workerCount = configuration.workers ?? Host.processors
    let workerCount = workerCount
    metrics = MetricsRegistry(workers: workerCount, seriesMax: configuration.metrics.maxSeries)
    namerSet = try NamerSet(configuration)
    processMetrics = ProcessMetrics(metrics, namers: namerSet.registry)
    tls = try TLSContexts(configuration, metrics: metrics)
    control = try Mailbox()
    let mailboxes = try (0..<workerCount).map { _ in try Mailbox<WorkerMessage>() }
    self.mailboxes = mailboxes
    sockets = ServerSockets(mailboxes, inherited: inheritance?.sockets, ports: inheritance?.ports ?? [:])
    shortages = Shortages(metrics: metrics) { isShort in
      for mailbox in mailboxes { mailbox.send(.memory(isShort: isShort)) }
    }
    plansToStart = install(try prepare(configuration), configuration)
    try control.attach(to: ControlThread.shared.loop) { [weak self] message in
      ControlActor.assumeIsolated { self?.handle(message) }
    }
    processMetrics.configurationLoaded()
    shortages.watchMemory(limit: configuration.memoryLimitMegabytes)
    housekeeping = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        try? await ControlActor.sleep(milliseconds: 2_000)
        self?.metrics.tick(at: Clock.now)
        self?.processMetrics.refresh()
      }
    }
  }

  /// From then on callers are taken in.
  private func startWorkers() {
    var seeds = SystemRandomNumberGenerator()
    for (worker, routers) in plansToStart.enumerated() {
      let plan = WorkerPlan(index: worker, hostName: hostName, routers: routers, stats: metrics.workerStats[worker])
      Worker.start(plan: plan, mailbox: mailboxes[worker], control: control, seed: seeds.next())
    }
    plansToStart = []
  }

  // MARK: Routers

  /// Everything a configuration needs that may fail, made and not in force yet.
  private struct Prepared {
    var routers: [RouterPart]
    var servers: [[BoundServer]]
    var tls: TLSContexts.Prepared
    var namers: [NamerSet.Member]
  }

  /// Throws what is wrong, and then leaves everything as it is.
  private func prepare(_ wanted: Configuration) throws -> Prepared {
    let namers = parts.isEmpty ? nil : try namerSet.prepare(wanted.namers)
    let tls = try self.tls.prepare(wanted)
    do {
      let servers = try sockets.prepare(wanted)
      do {
        let routers = try zip(wanted.routers, servers).map { try part($0, $1) }
        return Prepared(routers: routers, servers: servers, tls: tls, namers: namers ?? [])
      } catch {
        sockets.discard(servers)
        dropNewScopes()
        throw error
      }
    } catch {
      self.tls.discard(tls)
      throw error
    }
  }

  /// Lets go of what was prepared and is not to come into force.
  private func discard(_ prepared: Prepared) {
    for part in prepared.routers where !parts.contains(where: { $0.table === part.table }) { part.table.close() }
    sockets.discard(prepared.servers)
    tls.discard(prepared.tls)
    dropNewScopes()
  }

  private func dropNewScopes() {
    let known = parts.map(\.configuration.label)
    for label in scopes.keys where !known.contains(label) {
      scopes[label] = nil
      metrics.dropRouter(label)
    }
  }

  private func part(_ router: Configuration.Router, _ servers: [BoundServer]) throws -> RouterPart {
    let old = parts.first { $0.configuration.label == router.label }
    let log: AccessLogWriter?
    if let old, old.configuration.httpAccessLog == router.httpAccessLog,
      old.configuration.accessLogFormat == router.accessLogFormat
    {
      log = old.accessLog
    } else {
      log = try router.httpAccessLog.map {
        try AccessLogWriter(path: $0, format: router.accessLogFormat, workers: workerCount)
      }
    }
    if let old, old.keepsRuntime(router) {
      return RouterPart(
        configuration: router, control: old.control, table: old.table, servers: servers, accessLog: log,
        predecessor: old.predecessor)
    }
    let interpreter: Interpreter
    let table: RouterTable
    if let old, old.configuration.interpreter == router.interpreter, old.configuration.namespace == router.namespace {
      (interpreter, table) = (old.control.interpreter, old.table)
    } else {
      interpreter = Interpreter(
        namers: namers, dtab: try Dtab(parsing: router.dtab),
        transformers: try router.interpreter.transformers.map(NamerAssembly.transformer))
      table = try RouterTable(router, interpreter: interpreter, store: store) { [processMetrics] version in
        processMetrics.dtabApplied(version.namespace, version: version.version)
      }
    }
    lastIndex += 1
    let scopes = scopes[router.label] ?? RouterScopes(metrics.router(router.label))
    self.scopes[router.label] = scopes
    let control = RouterControl(
      index: lastIndex, configuration: router, interpreter: interpreter, scopes: scopes, workerCount: workerCount,
      ids: ids
    ) { [unowned self] worker, message in
      mailboxes[worker].send(message)
    }
    return RouterPart(
      configuration: router, control: control, table: table, servers: servers, accessLog: log, predecessor: old?.index)
  }

  /// Puts in force what was prepared; what remains to be done is for the workers, whose plans it returns.
  private func install(_ prepared: Prepared, _ wanted: Configuration) -> [[RouterPlan]] {
    let old = parts
    parts = prepared.routers
    for part in old where !parts.contains(where: { $0.control.interpreter === part.control.interpreter }) {
      part.control.interpreter.keepNamers()
    }
    if !old.isEmpty { namerSet.commit(prepared.namers) }
    tls.commit(prepared.tls)
    for part in parts {
      controls[part.index] = part.control
      if let dtab = try? Dtab(parsing: part.configuration.dtab), part.table.inline != dtab { part.table.inline = dtab }
    }
    for part in old where !parts.contains(where: { $0.table === part.table }) { part.table.close() }
    for index in parts.indices {
      let router = parts[index].configuration
      parts[index].rates = scopes[router.label]?.rateStates.planned(router.rateLimits) ?? []
    }
    let plans = (0..<workerCount).map { worker in parts.map { plan($0, worker: worker, prepared.tls) } }
    sockets.commit(prepared.servers, wanted)
    for index in parts.indices {
      for place in parts[index].servers.indices { parts[index].servers[place].descriptors = [] }
    }
    dropScopes(of: old)
    return plans
  }

  /// Ends the statistics of routers and servers that are no more.
  private func dropScopes(of old: [RouterPart]) {
    for part in old {
      let label = part.configuration.label
      guard let new = parts.first(where: { $0.configuration.label == label }) else {
        scopes[label] = nil
        metrics.dropRouter(label)
        continue
      }
      let names = new.servers.map { Self.scope($0.address) }
      for server in part.servers where !names.contains(Self.scope(server.address)) {
        metrics.router(label).dropServer(Self.scope(server.address))
      }
    }
  }

  private static func scope(_ address: SocketAddress) -> String { "\(address.ip)/\(address.port)" }

  private func plan(_ part: RouterPart, worker: Int, _ tls: TLSContexts.Prepared) -> RouterPlan {
    let scope = metrics.router(part.configuration.label)
    return RouterPlan(
      index: part.index, predecessor: part.predecessor, workerCount: workerCount, configuration: part.configuration,
      stats: scope.stats[worker],
      servers: zip(part.configuration.servers, part.servers).map { server, bound in
        ServerPlan(
          configuration: server, address: bound.address, socket: bound.socket,
          listeners: bound.descriptors.isEmpty ? [] : bound.descriptors[worker],
          stats: scope.server(Self.scope(bound.address))[worker], tls: tls.server(bound.key),
          connectionLimit: bound.connectionLimit, gate: bound.gate, rates: bound.rates)
      },
      clientTLS: tls.clients(part.configuration.label), accessLog: part.accessLog,
      rates: part.rates, nameRates: scopes[part.configuration.label]?.nameRates ?? NameRates())
  }

  /// Their control sides, in the order of the configuration.
  var routers: [RouterControl] { parts.map(\.control) }

  private func tellWorkers(_ message: WorkerMessage) {
    for mailbox in mailboxes { mailbox.send(message) }
  }

  private func handle(_ message: ControlMessage) {
    switch message {
    case .bind(let request): controls[request.router]?.bind(request)
    case .release(let worker, let router, let entry): controls[router]?.release(worker: worker, entry: entry)
    case .routerEnded(_, let router): routerEnded(router)
    case .listenFailed(let address, let problem):
      log.error(
        "a server does not accept on one of the workers", metadata: ["at": "\(address)", "problem": "\(problem)"])
    case .drained(let worker): drained.insert(worker)
    case .ejected(let worker, let router, let client, let address, let ejection):
      controls[router]?.ejected(client: client, address, ejection)
      for other in mailboxes.indices where other != worker {
        mailboxes[other].send(.ejected(router: router, client: client, address: address, ejection))
      }
    case .handshakeFailed(let peer, let name, let word, let text):
      handshakes.failed(peer: peer, name: name, word: word, text: text)
    case .abused(let abuse, let router, let peer, let explanation):
      log.warning(
        "an HTTP/2 caller overdid it",
        metadata: [
          "router": "\(controls[router]?.configuration.label ?? "-")", "peer": "\(peer?.description ?? "-")",
          "abuse": "\(abuse.rawValue)", "end": "\(explanation)",
        ])
    case .acceptPaused(let address, let code): shortages.acceptPaused(at: address, code)
    case .connectsStarved(let router, let client):
      shortages.connectsStarved(router: controls[router]?.configuration.label ?? "-", client: client)
    case .stopped(let worker):
      stopped.insert(worker)
      if stopped.count == workerCount { ended.fulfil(()) }
    }
  }

  private func routerEnded(_ index: Int) {
    workersDone[index, default: 0] += 1
    guard workersDone[index] == workerCount else { return }
    workersDone[index] = nil
    controls.removeValue(forKey: index)?.close()
  }

  // MARK: Reload

  /// Reads the configuration again and applies what has changed, or nothing if anything is wrong with it. Ends when
  /// every worker has it. The result is JSON for whoever asked; the log says the same.
  func reload() async -> Result<String, ReloadRefusal> {
    await handoverSettled()
    if case .done(let child) = handover {
      child.signal(SignalSource.reloading)
      return .failure(handedOver(to: child, "which was told to reload"))
    }
    let before = reloading
    let task = Task { @ControlActor in
      _ = await before?.value
      return await reloadOnce()
    }
    reloading = task
    return await task.value
  }

  /// What `reload` would do, or refuse. All that may fail is tried, sockets are bound and logs opened, and let go again;
  /// nothing is changed and nothing logged.
  func reloadPlan() async -> Result<String, ReloadRefusal> {
    await handoverSettled()
    _ = await reloading?.value
    do throws(ReloadRefusal) {
      if case .done(let child) = handover { throw handedOver(to: child, "ask that one") }
      let (file, wanted, warnings) = try readAgain()
      do { discard(try prepare(wanted)) } catch {
        throw ReloadRefusal(file: file, problem: "nothing would be changed: \(error)")
      }
      let report = ReloadReport(from: configuration, to: wanted, workers: workerCount, certificates: [])
      return .success(report.json(file: file, warnings: warnings, isPlan: true))
    } catch {
      return .failure(error)
    }
  }

  private func handedOver(to child: ChildProgram, _ advice: String) -> ReloadRefusal {
    ReloadRefusal(
      file: source?.name ?? "", problem: "this process has handed over to process \(child.processID), \(advice)")
  }

  /// A process that comes up may have read the file before it was changed: then it is told of the change.
  private func handoverSettled() async {
    while case .underWay = handover { try? await ControlActor.sleep(milliseconds: 20) }
  }

  /// The same for a signal, whose sender reads the log.
  public func reloadLater() { Task { @ControlActor in _ = await reload() } }

  /// Returns when every reload that was asked for has come to its end.
  func reloadsEnded() async { _ = await reloading?.value }

  private func reloadOnce() async -> Result<String, ReloadRefusal> {
    let now = Clock.now.nanoseconds / 1_000
    ServiceManager.current?.tell(.reloading(monotonicMicroseconds: now), .status("reading the configuration again"))
    let result = await applyAgain()
    switch result {
    case .success: ServiceManager.current?.tell(.ready, .status("serving"))
    case .failure(let refusal):
      ServiceManager.current?.tell(.ready, .status("serving by the configuration before: \(refusal.problem)"))
    }
    return result
  }

  private func applyAgain() async -> Result<String, ReloadRefusal> {
    do throws(ReloadRefusal) {
      let (file, wanted, warnings) = try readAgain()
      let report: ReloadReport
      do {
        let certificates = tls.reload()
        let prepared = try prepare(wanted)
        report = ReloadReport(from: configuration, to: wanted, workers: workerCount, certificates: certificates)
        configuration = wanted.applied(over: configuration)
        let limit = configuration.drainTimeoutMilliseconds
        let plans = install(prepared, wanted)
        for (mailbox, plan) in zip(mailboxes, plans) { mailbox.send(.reload(plan, drainMilliseconds: limit)) }
      } catch {
        throw ReloadRefusal(file: file, problem: "nothing was changed: \(error)")
      }
      ProcessLog.shared.install(configuration.logging)
      shortages.watchMemory(limit: configuration.memoryLimitMegabytes)
      await barrier()
      processMetrics.configurationLoaded()
      reloadProblem = nil
      log.notice("the configuration was read again", metadata: ["file": "\(file)", "result": "\(report.sentence)"])
      return .success(report.json(file: file, warnings: warnings))
    } catch {
      processMetrics.reloadRefused()
      reloadProblem = "reload: \(error.problem)"
      for line in error.lines { log.error("reload: \(line)") }
      return .failure(error)
    }
  }

  private func readAgain() throws(ReloadRefusal) -> (
    file: String, configuration: Configuration, warnings: [Diagnostic]
  ) {
    guard let source else {
      throw ReloadRefusal(
        file: "", problem: "nothing was changed: the configuration did not come from a file that can be read again")
    }
    if isDraining {
      throw ReloadRefusal(file: source.name, problem: "nothing was changed: the router is shutting down")
    }
    let loaded: (configuration: Configuration?, diagnostics: [Diagnostic])
    do { loaded = try source.load() } catch {
      throw ReloadRefusal(file: source.name, problem: "nothing was changed: \(error)")
    }
    guard let wanted = loaded.configuration else {
      throw ReloadRefusal(
        file: source.name, problem: "nothing was changed: \(source.name) has \(loaded.diagnostics.summary)",
        diagnostics: loaded.diagnostics)
    }
    return (source.name, wanted, loaded.diagnostics)
  }

  // MARK: End

  public var isDraining: Bool { shutdownTask != nil }

  private static let shutdownIdleMilliseconds: UInt64 = 500

  /// Takes no new connections, lets requests end for at most so many milliseconds (`nil`: `shutdownGraceMs`), then
  /// closes what is left. Asked again, it can only take less time.
  public func shutdown(graceMilliseconds: Int? = nil) {
    if isShuttingDown {
      if let graceMilliseconds {
        drain(milliseconds: graceMilliseconds, idleMilliseconds: Self.shutdownIdleMilliseconds)
      }
      return
    }
    isShuttingDown = true
    switch handover {
    case .none: ServiceManager.current?.tell(.stopping)
    case .underWay(_, let child): child?.kill()
    case .done: break
    }
    let grace = graceMilliseconds ?? configuration.admin.shutdownGraceMilliseconds
    log.info("draining", metadata: ["graceMs": "\(grace)"])
    drain(milliseconds: grace, idleMilliseconds: Self.shutdownIdleMilliseconds)
  }

  /// Ends with the last connection, or when the time is over. Called again, it can only take less time.
  func drain(milliseconds: Int, idleMilliseconds: UInt64) {
    let end = Clock.now.advanced(byMilliseconds: UInt64(milliseconds))
    if end < drainEndsAt {
      drainEndsAt = end
      for mailbox in mailboxes { mailbox.send(.drain(idleMilliseconds: idleMilliseconds)) }
    }
    guard shutdownTask == nil else { return }
    shutdownTask = Task { @ControlActor in
      while drained.count < workerCount, Clock.now < drainEndsAt { try? await ControlActor.sleep(milliseconds: 10) }
      if case .done(let child) = handover {
        let left = await countConnections()
        log.notice(
          left == 0 ? "all connections have ended behind the upgrade" : "connections are closed, their time is over",
          metadata: ["left": "\(left)", "successor": "\(child.processID)"])
      }
      for mailbox in mailboxes { mailbox.send(.stop) }
      housekeeping?.cancel()
      shortages.close()
      tls.close()
      await adminServer?.close()
    }
  }

  /// Until what is left is closed; only while it drains.
  var drainMillisecondsLeft: Int { Int((drainEndsAt.nanoseconds(since: Clock.now) + 999_999) / 1_000_000) }

  // MARK: For another process

  /// Where servers listen whose port the kernel chose, the admin server included.
  var chosenPorts: [String: SocketAddress] {
    var ports = sockets.chosenPorts
    if configuration.admin.port == 0 { ports[AdministrationSockets.name] = adminAddress }
    return ports
  }

  /// Second descriptors of what the workers accept from; they belong to whoever gets them.
  func workersSockets() async -> [Int32] {
    var sockets: [Int32] = []
    for mailbox in mailboxes {
      sockets += await withCheckedContinuation { continuation in
        mailbox.send(.listeningSockets { continuation.resume(returning: $0) })
      }
    }
    return sockets
  }

  /// The same of the admin server.
  func administrationSockets() -> [Int32] { adminServer?.listeningSockets() ?? [] }

  func stopAdministration() { adminServer?.stopAccepting() }

  /// Callers' open connections.
  func countConnections() async -> Int {
    var count = 0
    for mailbox in mailboxes {
      count += await withCheckedContinuation { continuation in
        mailbox.send(.countConnections { continuation.resume(returning: $0) })
      }
    }
    return count
  }

  /// Blocks a thread of the caller's (not the control thread) until `shutdown` is done.
  public nonisolated func waitUntilEnded() { ended.wait() }

  // MARK: State

  /// What an operator should mend, a sentence each.
  var problems: [String] {
    (reloadProblem.map { [$0] } ?? [])
      + store.problems.map { $0.namespace.isEmpty ? $0.message : "dtab \($0.namespace): \($0.message)" }
      + parts.compactMap(\.table.fileProblem) + tls.problems
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

  /// Returns when every worker has handled what was sent to it before. All are asked at once: one that is told to stop
  /// later answers before it does.
  func barrier() async {
    let left = Locked(mailboxes.count)
    await withCheckedContinuation { continuation in
      for mailbox in mailboxes {
        mailbox.send(
          .barrier {
            let isLast = left.withLock { count in
              count -= 1
              return count == 0
            }
            if isLast { continuation.resume() }
          })
      }
    }
  }

  /// Opens the access logs anew, after their files were moved away.
  public func reopenLogs() {
    for part in parts { part.accessLog?.reopen() }
  }
}

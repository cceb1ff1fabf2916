import Dtab
import DtabStore
import MeshBase
import Net

/// How far a process has come with handing its place to another one.
enum Handover {
  case none
  /// With the other process, once it was started.
  case underWay(since: MonotonicInstant, ChildProgram?)
  case done(ChildProgram)
}

extension RouterProcess {
  /// For another process to come up; then it is ended.
  static let upgradePatienceMilliseconds: UInt64 = 60_000

  /// Starts the program anew, by default from where it is now, and hands it the listening sockets and what is in
  /// memory alone. Once it serves, this process takes no more callers and ends with the last of those it has, or
  /// after `drainTimeoutMs`. If it does not come to serve within `patienceMilliseconds`, this process goes on as before.
  func upgrade(
    binary: String? = nil, patienceMilliseconds: UInt64 = upgradePatienceMilliseconds
  ) async -> Result<UpgradeReport, UpgradeRefusal> {
    do throws(UpgradeRefusal) {
      try mayUpgrade()
      let began = Clock.now
      handover = .underWay(since: began, nil)
      // A reload that has begun is in force before another process is told of anything; a later one waits.
      await reloadsEnded()
      let report = try await handOver(binary, patienceMilliseconds, since: began)
      log.notice(
        "another process has taken over",
        metadata: [
          "pid": "\(report.successor)", "version": "\(report.version)", "connectionsLeft": "\(report.connections)",
          "drainMs": "\(report.drainMilliseconds)",
        ])
      return .success(report)
    } catch {
      if case .underWay = handover, error.kind == .failed { handover = .none }
      log.error("upgrade: \(error.problem)")
      return .failure(error)
    }
  }

  /// The same for a signal, whose sender reads the log.
  public func upgradeLater() { Task { @ControlActor in _ = await upgrade() } }

  private func mayUpgrade() throws(UpgradeRefusal) {
    switch handover {
    case .none: break
    case .underWay(let since, _):
      let seconds = Clock.now.nanoseconds(since: since) / 1_000_000_000
      throw UpgradeRefusal(.refused, "an upgrade is under way for \(seconds) s: wait until it has come to an end")
    case .done(let child):
      throw UpgradeRefusal(.refused, "this process has handed over to process \(child.processID): ask that one")
    }
    if isDraining { throw UpgradeRefusal(.refused, "the router is shutting down") }
    if program == nil {
      throw UpgradeRefusal(
        .refused, "this router cannot be started anew: its services, or its configuration, live in this process alone")
    }
  }

  private func handOver(
    _ binary: String?, _ patience: UInt64, since began: MonotonicInstant
  ) async throws(UpgradeRefusal) -> UpgradeReport {
    guard let (file, arguments) = program?.launch(binary) else {
      throw UpgradeRefusal(
        .failed,
        binary.map { "\($0) is no program: name an executable file by its whole path" }
          ?? "the program's file is gone: name one by its path")
    }
    let sockets = await listeningSockets()
    defer { for socket in sockets { _ = Descriptor(owning: socket.descriptor) } }
    let channel: MessageSocket
    let child: ChildProgram
    do throws(SystemError) {
      let (own, other) = try MessageSocket.pair()
      channel = own
      defer { _ = Descriptor(owning: other) }
      child = try ChildProgram.startSuccessor(file, arguments: arguments, sockets: sockets, channel: other)
    } catch {
      throw UpgradeRefusal(.failed, "\(file) cannot be started: \(error)")
    }
    defer { channel.close() }
    handover = .underWay(since: began, child)
    log.info("upgrade: another process is starting", metadata: ["pid": "\(child.processID)", "program": "\(file)"])
    channel.setDeadline(millisecondsFromNow: patience)
    let version: String
    do throws(UpgradeRefusal) {
      version = try await attend(channel, child, patience)
    } catch {
      let ending = await child.end()
      await takeStoreBack()
      throw error.problem.isEmpty
        ? UpgradeRefusal(
          .failed, "\(file) (process \(child.processID)) did not come to serve: \(ending); its messages are in the log")
        : error
    }
    handover = .done(child)
    // Those who wait in the queue of the admin server's socket are the other one's.
    stopAdministration()
    let connections = await countConnections()
    ServiceManager.current?.tell(
      .mainProcess(child.processID), .ready, .status("serving, version \(version), process \(child.processID)"))
    let limit = configuration.drainTimeoutMilliseconds
    drain(milliseconds: limit, idleMilliseconds: Worker.drainIdleMilliseconds(within: limit))
    // Whoever connects once the upgrade is said to be done comes to the other process.
    await barrier()
    return UpgradeReport(
      processID: Host.processID, successor: child.processID, version: version, program: file, connections: connections,
      drainMilliseconds: limit, endsAtUnixMilliseconds: Clock.wallNanoseconds / 1_000_000 + UInt64(limit))
  }

  /// Gives the other process what it asks for until it serves; its version. An empty problem: it has ended.
  private func attend(
    _ channel: MessageSocket, _ child: ChildProgram, _ patience: UInt64
  ) async throws(UpgradeRefusal) -> String {
    do {
      try await channel.send(.tickets(TLSTicketKeys.shared.exported()))
      for (server, address) in chosenPorts { try await channel.send(.port(address, server: server)) }
      for name in namesInUse { try await channel.send(.name(name)) }
      try await channel.send(.end)
      while let message = try await channel.next() {
        if isDraining { throw UpgradeRefusal(.failed, "the router is shutting down") }
        switch message {
        case .wantStore:
          await store.close()
          if let store = store as? InMemoryDtabStore {
            for (namespace, history) in store.exported() {
              try await channel.send(.dtabs(namespace: namespace, history: history))
            }
          }
          try await channel.send(.released)
        case .ready(let version): return version
        case .failed(let text):
          throw UpgradeRefusal(.failed, "process \(child.processID) cannot serve, nothing has changed: \(text)")
        default: break
        }
      }
    } catch let refusal as UpgradeRefusal {
      throw refusal
    } catch let error as SystemError where error.isTimeout {
      throw UpgradeRefusal(
        .failed, "process \(child.processID) did not serve within \(patience) ms and was ended; nothing has changed")
    } catch {}
    throw UpgradeRefusal(.failed, "")
  }

  private var namesInUse: [NameInUse] {
    let all = routers.flatMap { router in
      router.servicesInUse.map { NameInUse(router: router.configuration.label, path: $0) }
    }
    return Array(all.prefix(NameInUse.countMax))
  }

  /// Asks the namers for what the process before this one routed by, and waits until it is known, but not for long.
  func learn(_ names: [NameInUse]) async {
    if names.isEmpty { return }
    let inUse = NamesInUse()
    for name in names {
      // Its router may be gone from the configuration.
      guard let router = routers.first(where: { $0.configuration.label == name.router }),
        let path = try? Path(parsing: name.path)
      else { continue }
      inUse.ask(for: path, router.interpreter)
    }
    await inUse.settle()
  }

  private func takeStoreBack() async {
    do throws(DtabStoreError) {
      try await store.reopen()
    } catch {
      log.error("the dtab store cannot be taken back, edits are refused", metadata: ["problem": "\(error)"])
    }
  }

  /// Second descriptors of all listening sockets, each socket once.
  private func listeningSockets() async -> [(descriptor: Int32, name: String)] {
    var sockets: [(descriptor: Int32, name: String)] = []
    var known: Set<UInt64> = []
    func add(_ descriptor: Int32, _ name: String) {
      if known.insert(Socket.identity(descriptor)).inserted {
        sockets.append((descriptor, name))
      } else {
        // Workers may share one.
        _ = Descriptor(owning: descriptor)
      }
    }
    for socket in await workersSockets() { add(socket, "server") }
    for socket in administrationSockets() { add(socket, "admin") }
    return sockets
  }
}

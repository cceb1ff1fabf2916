import ArgumentParser
import ClusterSim
import Glibc
import MeshBase
import Net

/// Which scheduler a router learns of tasks from.
enum ClusterSource: String, CaseIterable, ExpressibleByArgument {
  case marathon, mesos

  /// How much of a cluster a router may follow that learns of it there.
  var modes: [ClusterMode] { self == .marathon ? [.lazy, .eager] : [.eager] }
}

/// A generated cluster inside this process, with fake schedulers in front and real backends behind the apps in use.
final class SimCluster: Sendable {
  let source: ClusterSource
  let model: ClusterModel
  let marathon: FakeMarathon
  let master: FakeMesosMaster
  let backends: SimBackends
  /// Ids of the apps in use: `/amber/birch/svc-00001`.
  let ids: [String]
  /// The same as they stand in a URL; for Mesos `/svc-00001.birch.amber`.
  let names: [String]

  /// - Parameters:
  ///   - apps: how many there are; `inUse` of them can be reached.
  ///   - nodes: of Marathon and masters of Mesos.
  init(source: ClusterSource, apps: Int, tasksPerApp: Int, inUse: Int, nodes: Int = 1) throws {
    Host.raiseDescriptorLimit()
    let backends = try SimBackends()
    self.source = source
    self.backends = backends
    let made = try ControlActor.runBlocking {
      let model = ClusterModel(seed: 1)
      model.backends = backends
      // Marathon's own checks are not to be seen in Mesos.
      try model.generate(
        apps: apps, tasksPerApp: tasksPerApp, reachable: inUse, checks: 1,
        checkProtocol: source == .marathon ? "HTTP" : "MESOS_HTTP")
      let marathon = try FakeMarathon(model) {
        $0.nodes = nodes
        $0.keepaliveMilliseconds = 2_000
      }
      let master = try FakeMesosMaster(model) {
        $0.masters = nodes
        $0.heartbeatMilliseconds = 2_000
      }
      return (model, marathon, master, Array(model.appIDs.prefix(inUse)))
    }
    (model, marathon, master, ids) = made
    names = ids.map { id in
      source == .marathon ? id : "/" + id.split(separator: "/").reversed().joined(separator: ".")
    }
  }

  convenience init(_ size: ClusterSize) throws {
    try self.init(source: size.source, apps: size.apps, tasksPerApp: size.tasksPerApp, inUse: size.inUse)
  }

  /// The one in use.
  var scheduler: FakeScheduler { source == .marathon ? marathon : master }

  func run<Result: Sendable>(_ body: @escaping @ControlActor @Sendable () async throws -> Result) throws -> Result {
    try ControlActor.runBlocking(body)
  }

  func close() throws {
    try run {
      await self.marathon.close()
      await self.master.close()
    }
  }

  /// Where the tasks of an app that should get requests listen.
  func addresses(of id: String) throws -> Set<String> {
    try run {
      guard let app = self.model.app(id) else { return [] }
      return Set(
        app.tasks.filter { $0.state == .running }.flatMap { task in
          task.hostPorts.map { "\(self.model.agent(task.agentID)?.ip ?? ""):\($0)" }
        })
    }
  }

  /// What was asked for of either, event streams left out, and what event streams have told.
  func pulled() throws -> (requests: Int, bytes: Int, streamed: Int) {
    try run {
      let apps = self.marathon.traffic.total("/v2/apps")
      let state = self.master.traffic.total("/state")
      return (
        apps.requests + state.requests, apps.bytes + state.bytes,
        self.marathon.traffic.streamBytes + (self.master.traffic.entries["POST /api/v1"]?.bytes ?? 0)
      )
    }
  }

  /// Requests to the scheduler in use, of every kind.
  func asked() throws -> Int {
    try run { self.scheduler.traffic.total().requests }
  }

  // MARK: Faults of the scheduler in use

  func goAway() throws {
    try run {
      await self.scheduler.goAway()
      if self.source == .marathon { self.model.loseHealthResults() }
    }
  }

  /// Half of the tasks are known at first.
  func comeBackHalf() throws {
    try run {
      switch self.source {
      case .marathon: self.marathon.faults.add(ServerFault(.halfLoaded(share: 0.5)))
      // A new master knows the agents that have registered with it.
      case .mesos: self.master.elect(self.master.leader, registered: 0.5)
      }
      try self.scheduler.comeBack()
    }
  }

  func becomeWhole() throws {
    try run {
      self.scheduler.faults.clear()
      self.model.refillHealthResults()
      self.master.registerAgents()
    }
  }

  @ControlActor
  func changeLeader() async {
    switch source {
    case .marathon: await marathon.changeLeader(withoutLeaderMilliseconds: 700, refillMilliseconds: 2_000)
    case .mesos:
      let next = ((master.leader ?? 0) + 1) % master.addresses.count
      master.elect(nil)
      try? await ControlActor.sleep(milliseconds: 700)
      master.elect(next, registered: 0.5)
      try? await ControlActor.sleep(milliseconds: 2_000)
      master.registerAgents()
    }
  }

  // MARK: The router

  /// A router that finds the scheduler in use, with one worker.
  func router(_ binary: String, folder: String, mode: ClusterMode) throws -> RouterChild {
    let addresses = try run { self.scheduler.addresses }
    let hosts = "[" + addresses.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    let namer =
      source == .marathon
      ? "{kind: io.l5d.marathon, hosts: \(hosts), mode: \(mode.rawValue), health: fresh}"
      : "{kind: io.l5d.mesos, masters: \(hosts)}"
    let configuration = """
      workers: 1
      admin: {port: ADMIN_PORT}
      namers:
      - \(namer)
      - {kind: io.l5d.fs, rootDir: \(folder)/disco}
      routers:
      - protocol: http
        dtab: |
          /svc => /#/io.l5d.\(source == .marathon ? "marathon" : "mesos/marathon");
          /svc/file => /#/io.l5d.fs;
        identifier: {kind: io.l5d.path, segments: \(source == .marathon ? 3 : 1)}
        bindingCache: {paths: 20000}
        servers: [{port: PORT}]
      """
    mkdir("\(folder)/disco", 0o755)
    return try RouterChild(binary: binary, configuration: configuration, folder: folder)
  }
}

/// One keep-alive connection, one request at a time.
final class ProbeClient {
  private let port: UInt16
  private var file: Int32 = -1
  private var buffer = [UInt8](repeating: 0, count: 16_384)

  init(port: UInt16) { self.port = port }

  deinit { if file >= 0 { close(file) } }

  /// The value of `X-Task`; `nil` unless the answer is a 200.
  func task(of name: String) -> String? {
    if file < 0 {
      guard let fresh = Sockets.connect(port: port) else { return nil }
      file = fresh
      Sockets.setTimeout(file, seconds: 10)
    }
    let request = Array("GET \(name) HTTP/1.1\r\nHost: cluster\r\n\r\n".utf8)
    guard request.withUnsafeBytes({ Socket.send(file, $0) }) == request.count else { return hangUp() }
    var bytes: [UInt8] = []
    while true {
      let count = recv(file, &buffer, buffer.count, 0)
      guard count > 0 else { return hangUp() }
      bytes += buffer[..<count]
      let found = bytes.withUnsafeBytes { bytes -> (whole: Bool, task: String?) in
        guard let end = bytes.endOfHead(from: 0) else { return (false, nil) }
        let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
        guard let length = head.contentLength, bytes.count >= end + length else { return (false, nil) }
        let isGood = head.count > 12 && head[9] == UInt8(ascii: "2")
        return (true, isGood ? head.field("x-task").map { String(decoding: $0, as: UTF8.self) } : nil)
      }
      if found.whole { return found.task }
    }
  }

  private func hangUp() -> String? {
    close(file)
    file = -1
    return nil
  }
}

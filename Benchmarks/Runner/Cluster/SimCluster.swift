import ClusterSim
import Glibc
import MeshBase
import Net

/// A generated cluster inside this process, with a fake Marathon in front and real backends behind the apps in use.
final class SimCluster: Sendable {
  let model: ClusterModel
  let marathon: FakeMarathon
  let backends: SimBackends
  /// Names as they stand in a URL: `/amber/birch/svc-00001`.
  let names: [String]

  /// - Parameters:
  ///   - apps: how many there are; `inUse` of them can be reached.
  ///   - checks: health checks of each app, made by Marathon.
  init(apps: Int, tasksPerApp: Int, inUse: Int, checks: Int = 1, nodes: Int = 1) throws {
    let backends = try SimBackends()
    self.backends = backends
    let made = try ControlActor.runBlocking {
      let model = ClusterModel(seed: 1)
      model.backends = backends
      try model.generate(apps: apps, tasksPerApp: tasksPerApp, reachable: inUse, checks: checks)
      var options = FakeMarathon.Options()
      options.nodes = nodes
      options.keepaliveMilliseconds = 2_000
      return (model, try FakeMarathon(model, options: options), Array(model.appIDs.prefix(inUse)))
    }
    (model, marathon, names) = made
  }

  func run<Result: Sendable>(_ body: @escaping @ControlActor @Sendable () async throws -> Result) throws -> Result {
    try ControlActor.runBlocking(body)
  }

  func close() throws { try run { await self.marathon.close() } }

  /// Where the tasks of an app that should get requests listen.
  func addresses(of name: String) throws -> Set<String> {
    try run {
      guard let app = self.model.app(name) else { return [] }
      return Set(
        app.tasks.filter { $0.state == .running }.flatMap { task in
          task.hostPorts.map { "\(self.model.agent(task.agentID)?.ip ?? ""):\($0)" }
        })
    }
  }

  /// A router that finds this Marathon, with one worker.
  func router(_ binary: String, folder: String, mode: String, extra: String = "") throws -> RouterChild {
    let hosts = try run { self.marathon.addresses.map(\.description) }
    let configuration = """
      workers: 1
      admin: {port: ADMIN_PORT}
      namers:
      - {kind: io.l5d.marathon, hosts: [\(hosts.map { "\"\($0)\"" }.joined(separator: ", "))], mode: \(mode), health: fresh}
      - {kind: io.l5d.fs, rootDir: \(folder)/disco}
      routers:
      - protocol: http
        dtab: |
          /svc => /#/io.l5d.marathon;
          /svc/file => /#/io.l5d.fs;
        identifier: {kind: io.l5d.path, segments: 3}
        bindingCache: {paths: 20000}
        servers: [{port: PORT}]
      \(extra)
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

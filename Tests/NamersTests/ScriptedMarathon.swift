import Foundation
import MeshBase
import Net

@testable import Namers

/// A small Marathon over a real socket: apps as JSON objects, single answers, lists, and an event stream. It answers and
/// tells what a test says, contradictions included; `ClusterSim.FakeMarathon` has a model behind it.
@ControlActor
final class ScriptedMarathon {
  var apps: [String: [String: Any]] = [:]
  /// Of requests other than the stream's.
  private(set) var requests: [String] = []
  private(set) var streamsOpened = 0
  /// Answers everything but streams with this status.
  var failsWith: Int?
  var refusesStreams = false
  var delayMilliseconds: UInt64 = 0
  private var server: ControlHTTPServer?
  private var streams: [Int: [[UInt8]]] = [:]
  private var generation = 0
  let host: ClusterHost

  init(port: UInt16 = 0) throws {
    var handler: (@ControlActor (ControlRequest) async -> ControlResponse)?
    let box = Box()
    let server = try ControlHTTPServer(on: .loopback(port: port)) { await box.handle($0) }
    host = ClusterHost(host: "127.0.0.1", port: server.address!.port)
    self.server = server
    handler = { [weak self] in await self?.answer($0) ?? ControlResponse(status: 500) }
    box.handler = handler
  }

  @ControlActor private final class Box {
    var handler: (@ControlActor (ControlRequest) async -> ControlResponse)?
    func handle(_ request: ControlRequest) async -> ControlResponse {
      await handler?(request) ?? ControlResponse(status: 500)
    }
  }

  func close() async {
    cutStreams()
    await server?.close()
    server = nil
  }

  private func answer(_ request: ControlRequest) async -> ControlResponse {
    if request.path == "/v2/events" {
      if refusesStreams { return ControlResponse(status: 503) }
      return stream()
    }
    requests.append(request.path)
    if delayMilliseconds > 0 { try? await ControlActor.sleep(milliseconds: delayMilliseconds) }
    if let failsWith { return .text(status: failsWith, "{\"message\":\"no\"}") }
    if request.path == "/v2/apps" { return json(["apps": apps.sorted { $0.key < $1.key }.map(\.value)]) }
    let id = String(request.path.dropFirst("/v2/apps".count))
    guard let app = apps[id] else {
      return ControlResponse(
        status: 404, headers: ["Content-Type": "application/json"].headers,
        body: .whole(Array("{\"message\":\"App '\(id)' does not exist\"}".utf8)))
    }
    return json(["app": app])
  }

  private func json(_ object: [String: Any]) -> ControlResponse {
    ControlResponse(
      contentType: "application/json",
      [UInt8](try! JSONSerialization.data(withJSONObject: object, options: .sortedKeys)))
  }

  private func stream() -> ControlResponse {
    streamsOpened += 1
    let number = streamsOpened
    streams[number] = []
    send("event_stream_attached", ["remoteAddress": "127.0.0.1"], to: number)
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "text/event-stream; charset=UTF-8"]),
      body: .watch { [weak self] writer in
        while let pending = self?.streams[number] {
          self?.streams[number] = []
          for bytes in pending { try await writer.write(bytes) }
          if pending.isEmpty { try await ControlActor.sleep(milliseconds: 1) }
        }
        throw SystemError("stream", code: 104)
      })
  }

  /// Every open stream ends, as when Marathon loses its leadership.
  func cutStreams() { streams = [:] }

  func send(_ type: String, _ fields: [String: Any]) { for number in streams.keys { send(type, fields, to: number) } }

  private func send(_ type: String, _ fields: [String: Any], to number: Int) {
    var fields = fields
    fields["eventType"] = type
    let data = String(decoding: try! JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
    streams[number]?.append(Array("event: \(type)\r\ndata: \(data)\r\n\r\n".utf8))
  }

  func keepAlive() { for number in streams.keys { streams[number]?.append([0x0d, 0x0a]) } }

  func forgetRequests() { requests = [] }

  // MARK: Apps

  /// Host network, one port, all tasks running on 10.0.0.`n`:31000+n, without checks unless told.
  func add(_ id: String, tasks: Int, checks: Int = 0, results: Bool = true) {
    apps[id] = Self.app(id, tasks: tasks, checks: checks, results: results)
  }

  static func app(_ id: String, tasks: Int, checks: Int = 0, results: Bool = true) -> [String: Any] {
    [
      "id": id, "version": "v1", "instances": tasks, "networks": [["mode": "host"]],
      "portDefinitions": [["port": 10_000, "name": "http", "protocol": "tcp"], ["port": 10_001, "name": "admin"]],
      "healthChecks": (0..<checks).map { ["protocol": "HTTP", "portIndex": $0, "gracePeriodSeconds": 300] },
      "tasks": (0..<tasks).map { task(id, $0, checks: results ? checks : 0) },
    ]
  }

  static func taskID(_ id: String, _ n: Int) -> String { "\(id.dropFirst()).instance-\(n)._app.1" }

  static func task(
    _ id: String, _ n: Int, state: String = "TASK_RUNNING", checks: Int = 0, alive: Bool = true
  ) -> [String: Any] {
    let result: [String: Any] = [
      "alive": alive, "consecutiveFailures": alive ? 0 : 5, "firstSuccess": "2020-01-01T00:00:00.000Z",
    ]
    return [
      "id": taskID(id, n), "appId": id, "host": "10.0.0.\(n)", "ports": [31_000 + n, 32_000 + n], "state": state,
      "slaveId": "S\(n)", "version": "v1", "startedAt": MarathonTests.recently,
      "healthCheckResults": (0..<checks).map { _ in result },
    ]
  }

  func tasks(_ id: String, _ tasks: [[String: Any]], instances: Int? = nil) {
    apps[id]?["tasks"] = tasks
    apps[id]?["instances"] = instances ?? tasks.count
  }

  func sendStatus(_ id: String, _ n: Int, _ state: String) {
    send(
      "status_update_event",
      [
        "appId": id, "taskId": Self.taskID(id, n), "taskStatus": state, "host": "10.0.0.\(n)",
        "ports": [31_000 + n, 32_000 + n], "slaveId": "S\(n)", "version": "v1", "ipAddresses": [],
      ])
  }
}

extension [String: String] {
  fileprivate var headers: ControlHeaders {
    var headers = ControlHeaders()
    for (name, value) in self { headers.add(name, value) }
    return headers
  }
}

import ClusterSim
import Foundation
import HTTP
import MeshBase
import Net
import TestSupport
import Testing

@ControlActor
@Suite("the fake Marathon")
struct MarathonTests {
  @Test("answers what the fixture holds, for all apps and for one, however its id is written")
  func fixture() async throws {
    let model = try Sim.recorded()
    let marathon = try FakeMarathon(model)
    let recorded = try JSONNode(parsing: try Sim.fixture("marathon/apps-embed-tasks.json"))
    #expect(try await Sim.node(marathon.address, "/v2/apps?embed=apps.tasks") == recorded)
    for app in recorded["apps"]?.elements ?? [] {
      let id = try #require(app["id"]?.text)
      for path in ["/v2/apps\(id)", "/v2/apps/\(id)"] {
        #expect(try await Sim.node(marathon.address, "\(path)?embed=app.tasks")["app"] == app, "\(path)")
      }
    }
    let missing = try await Sim.get(marathon.address, "/v2/apps/no/such?embed=app.tasks")
    #expect(missing.status == 404)
    #expect(missing.text == #"{"message":"App '/no/such' does not exist"}"#)
    #expect(missing.headers["X-Marathon-Leader"] == "http://\(marathon.address)")
    await marathon.close()
  }

  @Test("replays the recorded events and answers as after them")
  func replay() async throws {
    let model = try Sim.recorded()
    let marathon = try FakeMarathon(model) { $0.streamPieceBytesMax = 7 }
    let reader = try await StreamReader(marathon.address)
    let events = try model.takeRecordedEvents()
    marathon.send(raw: events)
    #expect(await eventually { reader.bytes.suffix(events.count) == events[...] })
    let after = try JSONNode(parsing: try Sim.fixture("marathon/apps-after-events.json"))
    #expect(try await Sim.node(marathon.address, "/v2/apps?embed=apps.tasks") == after)
    reader.close()
    await marathon.close()
  }

  @Test("what a fixture's app becomes shows in its answer, the rest of it stays")
  func fixtureChanges() async throws {
    let model = try Sim.recorded()
    let marathon = try FakeMarathon(model)
    let app = try #require(model.app("/lantern/web"))
    let before = try await Sim.node(marathon.address, "/v2/apps/lantern/web?embed=app.tasks")["app"]
    let task = try model.launch(app)
    try model.start(task)
    model.setHealth(task, alive: true)
    let after = try await Sim.node(marathon.address, "/v2/apps/lantern/web?embed=app.tasks")["app"]
    for name in ["container", "networks", "healthChecks", "labels", "instances"] {
      #expect(after?[name] == before?[name], "\(name)")
    }
    let tasks = after?["tasks"]?.elements ?? []
    #expect(Array(tasks.dropLast()) == before?["tasks"]?.elements)
    let last = try #require(tasks.last)
    #expect(last["state"]?.text == "TASK_RUNNING")
    #expect(last["ports"]?.elements.count == 1)
    #expect(last["healthCheckResults"]?.elements.first?["alive"]?.flag == true)
    await marathon.close()
  }

  @Test("a task's life is told in both generations of event names", arguments: EventGeneration.allCases)
  func generations(generation: EventGeneration) async throws {
    let model = ClusterModel()
    let marathon = try FakeMarathon(model) { $0.generation = generation }
    let app = model.add(AppPlan("/a/b", checks: 1))
    let reader = try await StreamReader(marathon.address)
    let task = try model.launch(app)
    try model.start(task)
    model.setHealth(task, alive: true)
    model.beginKill(task)
    model.end(task, as: .killed)
    let status = Array(repeating: "status_update_event", count: 4)
    let instance = Array(repeating: "instance_changed_event", count: 4)
    let wanted: [String] =
      switch generation {
      case .tasks: status + ["health_status_changed_event"]
      case .instances: instance + ["instance_health_changed_event"]
      case .both: status + instance + ["health_status_changed_event", "instance_health_changed_event"]
      }
    #expect(await eventually { reader.events.dropFirst().sorted() == wanted.sorted() }, "\(reader.events)")
    #expect(reader.events.first == "event_stream_attached")
    reader.close()
    await marathon.close()
  }

  @Test("event_type filters the stream; keepalives come as CR, then LF")
  func filter() async throws {
    let model = ClusterModel()
    let marathon = try FakeMarathon(model) { $0.keepaliveMilliseconds = 20 }
    let app = model.add(AppPlan("/a"))
    let reader = try await StreamReader(marathon.address, "/v2/events?event_type=status_update_event&event_type=x")
    _ = try model.launch(app)
    #expect(
      await eventually { reader.events == ["status_update_event"] && reader.bytes.suffix(4) == [13, 10, 13, 10] })
    reader.close()
    let plain = try await Sim.get(marathon.address, "/v2/events")
    #expect(plain.status == 405)
    await marathon.close()
  }

  @Test("standbys answer for the leader and send streams there; without a leader there is a page of HTML")
  func standby() async throws {
    let model = ClusterModel()
    _ = try model.addRunning(AppPlan("/a", instances: 2))
    let marathon = try FakeMarathon(model) { $0.nodes = 2 }
    let answer = try await Sim.get(marathon.addresses[1], "/v2/apps/a?embed=app.tasks")
    #expect(answer.status == 200)
    #expect(answer.headers["X-Marathon-Via"] != nil)
    #expect(answer.headers["X-Marathon-Leader"] == "http://\(marathon.addresses[0])")
    let stream = try await Sim.get(
      marathon.addresses[1], "/v2/events?event_type=a&event_type=b",
      headers: ControlHeaders(["Accept": "text/event-stream"]))
    #expect(stream.status == 302)
    #expect(stream.headers["Location"] == "http://\(marathon.addresses[0])/v2/events?event_type=a&event_type=b")
    let reader = try await StreamReader(marathon.addresses[0])
    marathon.elect(nil)
    #expect(await eventually { reader.isAtEnd })
    let lost = try await Sim.get(marathon.address, "/v2/apps")
    #expect(lost.status == 502)
    #expect(lost.text.hasPrefix("<html>"))
    marathon.elect(1)
    let leader = try await Sim.node(marathon.address, "/v2/leader")
    #expect(leader["leader"]?.text == marathon.addresses[1].description)
    marathon.closesStreamsAtOnce = true
    let early = try await StreamReader(marathon.addresses[1])
    #expect(await eventually { early.isAtEnd && early.bytes.isEmpty })
    await marathon.close()
  }

  @Test("who reads too slowly is cut off")
  func slowConsumer() async throws {
    let model = ClusterModel()
    let marathon = try FakeMarathon(model) { $0.streamEventsMax = 64 }
    let client = ControlHTTPClient(to: marathon.address)
    let stream = try await client.open("GET", "/v2/events", headers: ControlHeaders(["Accept": "text/event-stream"]))
    let text = String(repeating: "x", count: 65_536)
    for _ in 0..<400 {
      marathon.send(event: "big", data: "{\"text\":\"\(text)\"}")
      try await ControlActor.sleep(milliseconds: 1)
    }
    let app = model.add(AppPlan("/a"))
    _ = try model.launch(app)
    #expect(marathon.openStreams == 0)
    #expect(marathon.slowStreams == 1)
    stream.close()
    await marathon.close()
  }

  @Test("a leader change takes the health results away until they are refilled")
  func health() async throws {
    let model = ClusterModel()
    let app = try model.addRunning(AppPlan("/a", checks: 2, instances: 3))
    let marathon = try FakeMarathon(model)
    func results() async throws -> [Int?] {
      try await Sim.node(marathon.address, "/v2/apps/a?embed=app.tasks")["app"]?["tasks"]?.elements.map {
        $0["healthCheckResults"]?.elements.count
      } ?? []
    }
    #expect(try await results() == [2, 2, 2])
    marathon.elect(0)
    #expect(try await results() == [nil, nil, nil])
    model.refillHealthResults()
    #expect(try await results() == [2, 2, 2])
    #expect(app.tasks.count == 3)
    await marathon.close()
  }

  @Test("answers fail, break off, come late or half, as often as was asked for")
  func faults() async throws {
    let model = ClusterModel(seed: 3)
    try model.generate(apps: 80, tasksPerApp: 4)
    let marathon = try FakeMarathon(model)
    let path = "/v2/apps?embed=apps.tasks"
    func count() async throws -> Int {
      try await Sim.node(marathon.address, path)["apps"]?.elements.reduce(0) {
        $0 + ($1["tasks"]?.elements.count ?? 0)
      } ?? 0
    }
    #expect(try await count() == 320)
    marathon.faults.add(.overload(on: "/v2/apps", times: 1))
    #expect(try await Sim.get(marathon.address, path).status == 503)
    marathon.faults.add(ServerFault(.truncated(afterBytes: 50_000), on: "/v2/apps", times: 1))
    await #expect(throws: (any Error).self) { try await Sim.get(marathon.address, path) }
    marathon.faults.add(ServerFault(.halfLoaded(share: 0.5), times: 1))
    let half = try await count()
    #expect((100...220).contains(half))
    marathon.faults.add(ServerFault(.delay(milliseconds: 60), times: 1))
    let before = Clock.now
    #expect(try await count() == 320)
    #expect(Clock.now.nanoseconds(since: before) >= 60_000_000)
    #expect(marathon.faults.all.isEmpty)
    await marathon.goAway()
    await #expect(throws: (any Error).self) { try await Sim.get(marathon.address, path) }
    try marathon.comeBack()
    #expect(try await count() == 320)
    await marathon.close()
  }

  @Test("requests and bytes are counted by path")
  func counting() async throws {
    let model = ClusterModel()
    _ = try model.addRunning(AppPlan("/a", instances: 5))
    let marathon = try FakeMarathon(model)
    let one = try await Sim.get(marathon.address, "/v2/apps/a?embed=app.tasks").body.count
    let all = try await Sim.get(marathon.address, "/v2/apps?embed=apps.tasks").body.count
    #expect(marathon.traffic.entries["GET /v2/apps/a"] == TrafficLog.Entry(requests: 1, bytes: one))
    #expect(marathon.traffic.total("/v2/apps") == TrafficLog.Entry(requests: 2, bytes: one + all))
    await marathon.close()
  }

  @Test("basic and service-account credentials are asked for; expired sessions are refused")
  func credentials() async throws {
    let model = ClusterModel()
    let basic = try FakeMarathon(model, credentials: Credentials(.basic(user: "me", password: "s3")))
    #expect(try await Sim.get(basic.address, "/v2/leader").status == 401)
    let header = ControlHeaders(["Authorization": "Basic " + Data("me:s3".utf8).base64EncodedString()])
    #expect(try await Sim.get(basic.address, "/v2/leader", headers: header).status == 200)
    await basic.close()

    let credentials = Credentials(.serviceAccount(uid: "router"))
    let dcos = try FakeMarathon(model, credentials: credentials)
    let part = { (text: String) in
      Data(text.utf8).base64EncodedString().replacingOccurrences(of: "=", with: "")
    }
    let jwt = part(#"{"alg":"RS256","typ":"JWT"}"#) + "." + part(#"{"uid":"router"}"#) + ".c2lnbmVk"
    let client = ControlHTTPClient(to: dcos.address)
    func login(_ uid: String) async throws -> ControlClientResponse {
      let body = Array(#"{"uid":"\#(uid)","token":"\#(jwt)"}"#.utf8)
      return try await client.request(
        "POST", Credentials.loginPath, headers: ControlHeaders(["Content-Type": "application/json"]), body: body)
    }
    #expect(try await login("someone").status == 401)
    let token = try #require(try JSONNode(parsing: try await login("router").body)["token"]?.text)
    let session = ControlHeaders(["Authorization": "token=\(token)"])
    #expect(try await Sim.get(dcos.address, "/v2/leader", headers: session).status == 200)
    credentials.expireTokens()
    #expect(try await Sim.get(dcos.address, "/v2/leader", headers: session).status == 401)
    #expect(credentials.logins == 2)
    client.close()
    await dcos.close()
  }

  @Test("gzip is what gzip reads")
  func gzip() async throws {
    let model = ClusterModel()
    try model.generate(apps: 40, tasksPerApp: 5)
    let marathon = try FakeMarathon(model) { $0.gzip = true }
    let path = "/v2/apps?embed=apps.tasks"
    let plain = try await Sim.get(marathon.address, path)
    let packed = try await Sim.get(marathon.address, path, headers: ControlHeaders(["Accept-Encoding": "gzip"]))
    #expect(packed.headers["Content-Encoding"] == "gzip")
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("sim-\(UUID()).gz")
    try Data(packed.body).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", file.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let text = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(Array(text) == plain.body)
    await marathon.close()
  }
}

import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

@Suite("io.l5d.marathon", .serialized)
struct MarathonTests {
  /// So that a task counts as being in its grace period.
  static let recently = CivilTime(wallNanoseconds: Clock.wallNanoseconds).iso8601

  /// A Marathon, filled before anyone asks it, and a namer over it that asks often.
  @ControlActor private func start(
    _ mode: MarathonMode, _ health: MarathonHealthPolicy = .fresh, fill: (ScriptedMarathon) -> Void = { _ in },
    change: (inout MarathonOptions) -> Void = { _ in }
  ) throws -> (marathon: ScriptedMarathon, namer: MarathonNamer, registry: NamerRegistry) {
    let marathon = try ScriptedMarathon()
    fill(marathon)
    var options = MarathonOptions()
    options.mode = mode
    options.health = health
    options.pollMilliseconds = 30
    options.jitterMilliseconds = 5
    options.reconnect = ReconnectDelay(firstMilliseconds: 20, longestMilliseconds: 50)
    change(&options)
    let resolver = offlineResolver()
    let namer = MarathonNamer(
      client: ClusterClient(hosts: [marathon.host], resolver: resolver), options: options, resolver: resolver)
    return (marathon, namer, NamerRegistry(namers: [namer], resolver: resolver))
  }

  @ControlActor private func end(_ namer: MarathonNamer, _ marathon: ScriptedMarathon) async {
    namer.stop()
    await marathon.close()
  }

  @ControlActor private func shown(_ lookup: NameLookup) -> [String] { lookup.bound?.endpoints.shown ?? [] }

  /// `10.0.0.n:31000+n` of each.
  private func addresses(_ numbers: Int...) -> [String] { numbers.map { "10.0.0.\($0):\(31_000 + $0)" }.sorted() }

  @Test("paths lead to apps without a list of them: shorter beginnings, any case, residuals, ports")
  @ControlActor func paths() async throws {
    let bytes = try MarathonFixtures.object("marathon/apps-embed-tasks.json")
    let apps = try #require(bytes["apps"] as? [[String: Any]])
    let (marathon, namer, registry) = try start(.lazy, .off) { marathon in
      for app in apps { marathon.apps[app["id"] as! String] = app }
    }
    let wanted = try MarathonFixtures.expected("nameLookups", as: [[String: Any]].self)
    for item in wanted {
      let labels = try #require(item["path"] as? [String])
      let lookup = registry.lookup(namer.prefix + Path(labels: labels))
      if let app = item["app"] as? String {
        let residual = try #require(item["residual"] as? [String])
        #expect(await eventually { lookup.bound != nil }, "\(labels)")
        #expect(lookup.bound?.id == (try Path(parsing: "/#/io.l5d.marathon" + app)))
        #expect(lookup.bound?.residual == Path(labels: residual))
      } else {
        #expect(await eventually { lookup.isNeg }, "\(labels)")
      }
    }
    #expect(!marathon.requests.contains("/v2/apps"))
    // By index, name and service port: one id.
    for selector in [":1", ":health", ":10121"] {
      let lookup = registry.lookup(namer.prefix + Path(labels: [selector, "tidepool", "search", "x"]))
      #expect(await eventually { lookup.bound != nil }, "\(selector)")
      #expect(lookup.bound?.id == "/#/io.l5d.marathon/:1/tidepool/search" && lookup.bound?.residual == "/x")
      #expect(shown(lookup) == ["10.40.1.12:31071", "10.40.1.13:31073"])
    }
    let none = registry.lookup("/#/io.l5d.marathon/:nope/tidepool/search")
    #expect(await eventually { none.isNeg })
    let bad = registry.lookup("/#/io.l5d.marathon/no_app/x")
    #expect(bad.isNeg)
    await end(namer, marathon)
  }

  @Test("a change reaches the endpoints through the event alone, and is confirmed by one small answer")
  @ControlActor func directly() async throws {
    let (marathon, namer, registry) = try start(.lazy) { marathon in
      marathon.add("/shop/web", tasks: 2)
      for n in 0..<50 { marathon.add("/other/app\(n)", tasks: 5) }
    }
    let lookup = registry.lookup("/#/io.l5d.marathon/shop/web/cart")
    #expect(await eventually { shown(lookup) == addresses(0, 1) })
    // All that the start asks for is answered, and the next change is free to ask at once.
    #expect(
      await eventually {
        namer.store.streamSince != nil
          && namer.store.entries.values.allSatisfy { !$0.isDirty && !$0.isInFlight && $0.restsUntil <= Clock.now }
      })
    marathon.forgetRequests()
    let before = namer.store.counts.pulledBytes
    marathon.tasks("/shop/web", (0..<3).map { ScriptedMarathon.task("/shop/web", $0) })
    // Slow to answer: the event must do.
    marathon.delayMilliseconds = 300
    let start = Clock.now
    marathon.sendStatus("/shop/web", 2, "TASK_RUNNING")
    for n in 0..<50 { marathon.sendStatus("/other/app\(n)", 9, "TASK_RUNNING") }
    #expect(await eventually { shown(lookup) == addresses(0, 1, 2) })
    #expect(Clock.now.nanoseconds(since: start) < 200_000_000)
    marathon.sendStatus("/shop/web", 0, "TASK_KILLING")
    #expect(await eventually { shown(lookup) == ["10.0.0.0:31000*0.0"] + addresses(1, 2) })
    marathon.sendStatus("/shop/web", 0, "TASK_KILLED")
    marathon.tasks("/shop/web", [1, 2].map { ScriptedMarathon.task("/shop/web", $0) })
    #expect(await eventually { shown(lookup) == addresses(1, 2) })
    marathon.delayMilliseconds = 0
    #expect(await eventually { namer.store.queue.isEmpty && namer.store.pullsInFlight == 0 })
    #expect(Set(marathon.requests) == ["/v2/apps/shop/web"])
    #expect(namer.store.counts.pulledBytes - before < 10_000)
    await end(namer, marathon)
  }

  @Test("an old answer does not bring a killed task back")
  @ControlActor func oldAnswer() async throws {
    let (marathon, namer, registry) = try start(.lazy) { $0.add("/a", tasks: 2) }
    let lookup = registry.lookup("/#/io.l5d.marathon/a")
    #expect(await eventually { shown(lookup) == addresses(0, 1) && namer.store.streamSince != nil })
    marathon.sendStatus("/a", 0, "TASK_FAILED")
    #expect(await eventually { shown(lookup) == addresses(1) })
    // Marathon goes on to say that it runs.
    for _ in 0..<3 {
      namer.store.resync()
      try await ControlActor.sleep(milliseconds: 150)
      #expect(shown(lookup) == addresses(1))
    }
    await end(namer, marathon)
  }

  @Test("a leader change and lost health results lose nobody; a task in its grace period waits")
  @ControlActor func leaderChange() async throws {
    let (marathon, namer, registry) = try start(.lazy) { $0.add("/a", tasks: 2, checks: 1) }
    let lookup = registry.lookup("/#/io.l5d.marathon/a")
    #expect(await eventually { shown(lookup) == addresses(0, 1) && namer.store.streamSince != nil })
    let endpoints = lookup.bound!.endpoints
    var seen: [[String]] = []
    let token = endpoints.observe { seen.append(endpoints.shown) }
    // All results are gone, and there is a new task.
    marathon.tasks("/a", [0, 1, 2].map { ScriptedMarathon.task("/a", $0) })
    let pulls = namer.store.counts.pulls
    marathon.cutStreams()
    #expect(await eventually { namer.store.counts.connects == 2 && namer.store.counts.pulls > pulls })
    #expect(await eventually { namer.store.pullsInFlight == 0 })
    #expect(shown(lookup) == addresses(0, 1))
    // It passes its first check.
    marathon.send("health_status_changed_event", ["appId": "/a", "instanceId": "a.instance-2", "alive": true])
    #expect(await eventually { shown(lookup) == addresses(0, 1, 2) })
    marathon.send(
      "instance_health_changed_event", ["runSpecId": "/a", "instanceId": "a.instance-2", "healthy": NSNull()])
    #expect(await eventually { !seen.isEmpty })
    #expect(seen.allSatisfy { $0 == addresses(0, 1) || $0 == addresses(0, 1, 2) }, "\(seen)")
    token.cancel()
    await end(namer, marathon)
  }

  @Test("half an answer does not empty a set; a scale-down is believed at once")
  @ControlActor func halfLoaded() async throws {
    let (marathon, namer, registry) = try start(.lazy) { marathon in
      marathon.add("/a", tasks: 4)
      marathon.add("/b", tasks: 4)
      marathon.add("/c", tasks: 2)
    }
    let a = registry.lookup("/#/io.l5d.marathon/a")
    let b = registry.lookup("/#/io.l5d.marathon/b")
    let c = registry.lookup("/#/io.l5d.marathon/c")
    #expect(await eventually { shown(a).count == 4 && shown(b).count == 4 && shown(c).count == 2 })
    #expect(await eventually { namer.store.streamSince != nil })
    marathon.tasks("/a", [ScriptedMarathon.task("/a", 0)], instances: 4)
    marathon.apps["/c"] = nil
    marathon.tasks("/b", [ScriptedMarathon.task("/b", 0)])
    marathon.cutStreams()
    #expect(await eventually { shown(b) == addresses(0) })
    #expect(await eventually { namer.store.queue.isEmpty && namer.store.pullsInFlight == 0 })
    #expect(shown(a).count == 4 && shown(c).count == 2)
    // Deleted, and said so.
    #expect(await eventually { namer.store.streamSince != nil })
    marathon.send("app_terminated_event", ["appId": "/c"])
    #expect(await eventually { c.isNeg })
    await end(namer, marathon)
  }

  @Test("while Marathon is away everything stays, with the error shown; afterwards the error goes")
  @ControlActor func away() async throws {
    let (marathon, namer, registry) = try start(.lazy) { $0.add("/a", tasks: 2) }
    let lookup = registry.lookup("/#/io.l5d.marathon/a")
    #expect(await eventually { shown(lookup) == addresses(0, 1) && namer.store.streamSince != nil })
    let port = marathon.host.port
    await marathon.close()
    #expect(await eventually { lookup.bound?.endpoints.failure != nil })
    #expect(shown(lookup) == addresses(0, 1) && namer.failingSince != nil)
    #expect(namer.state().lastError?.contains("127.0.0.1:\(port)") == true)
    let late = registry.lookup("/#/io.l5d.marathon/b")
    #expect(await eventually { if case .failed = late.state { true } else { false } })
    let again = try ScriptedMarathon(port: port)
    again.add("/a", tasks: 3)
    again.add("/b", tasks: 1)
    #expect(
      await eventually(withinMilliseconds: 5_000) { shown(lookup) == addresses(0, 1, 2) && shown(late) == addresses(0) }
    )
    #expect(lookup.bound?.endpoints.failure == nil && namer.failingSince == nil)
    await end(namer, again)
  }

  @Test("tasks that are cut off or fail their checks get requests only where there is no other")
  @ControlActor func tiers() async throws {
    let (marathon, namer, registry) = try start(.lazy) { $0.add("/a", tasks: 2, checks: 1) }
    let lookup = registry.lookup("/#/io.l5d.marathon/a")
    #expect(await eventually { shown(lookup) == addresses(0, 1) && namer.store.streamSince != nil })
    marathon.sendStatus("/a", 0, "TASK_UNREACHABLE")
    marathon.tasks(
      "/a",
      [ScriptedMarathon.task("/a", 0, state: "TASK_UNREACHABLE", checks: 1), ScriptedMarathon.task("/a", 1, checks: 1)])
    #expect(await eventually { shown(lookup) == ["10.0.0.0:31000*0.0"] + addresses(1) })
    marathon.tasks(
      "/a",
      [
        ScriptedMarathon.task("/a", 0, state: "TASK_UNREACHABLE", checks: 1),
        ScriptedMarathon.task("/a", 1, checks: 1, alive: false),
      ])
    marathon.send("failed_health_check_event", ["appId": "/a", "instanceId": "a.instance-1"])
    #expect(await eventually { shown(lookup) == addresses(0, 1) })
    #expect(lookup.bound?.endpoints.current.endpoints.allSatisfy { $0.metadata["tier"] == "last-resort" } == true)
    marathon.sendStatus("/a", 0, "TASK_RUNNING")
    #expect(await eventually { shown(lookup) == addresses(0) + ["10.0.0.1:31001*0.0"] })
    await end(namer, marathon)
  }

  @Test("eager: one list at the start, then events; new apps are found, deleted ones go")
  @ControlActor func eager() async throws {
    let (marathon, namer, registry) = try start(.eager) { marathon in
      for n in 0..<20 { marathon.add("/g/app\(n)", tasks: 3) }
    }
    #expect(await eventually { namer.store.isSynced })
    #expect(marathon.requests == ["/v2/apps"])
    let lookup = registry.lookup("/#/io.l5d.marathon/g/app7/x")
    #expect(shown(lookup) == addresses(0, 1, 2))
    #expect(registry.lookup("/#/io.l5d.marathon/g/none").isNeg)
    let new = registry.lookup("/#/io.l5d.marathon/g/new")
    #expect(new.isNeg && marathon.requests == ["/v2/apps"])
    marathon.add("/g/new", tasks: 1)
    marathon.send("api_post_event", ["uri": "/v2/apps", "appDefinition": ["id": "/g/new"]])
    #expect(await eventually { shown(new) == addresses(0) })
    marathon.apps["/g/app7"] = nil
    marathon.send("app_terminated_event", ["appId": "/g/app7"])
    #expect(await eventually { lookup.isNeg })
    #expect(namer.state().facts.first { $0.name == "apps" }?.value == "20")
    await end(namer, marathon)
  }

  @Test("eager: a list with half of the tasks takes nothing away the first time")
  @ControlActor func eagerHalf() async throws {
    let (marathon, namer, registry) = try start(.eager) { marathon in
      for n in 0..<10 { marathon.add("/app\(n)", tasks: 3) }
    }
    #expect(await eventually { namer.store.isSynced })
    let lookups = (0..<10).map { registry.lookup(Path(labels: ["#", "io.l5d.marathon", "app\($0)"])) }
    for n in 3..<10 { marathon.apps["/app\(n)"] = nil }
    namer.store.startSync()
    #expect(await eventually { namer.store.counts.syncs >= 2 })
    #expect(lookups.allSatisfy { shown($0) == addresses(0, 1, 2) } && namer.store.isDoubting)
    await end(namer, marathon)
  }

  @Test("poll: every change is seen without a stream, and an app that appears later as well")
  @ControlActor func poll() async throws {
    let (marathon, namer, registry) = try start(.poll) { $0.add("/a", tasks: 1) }
    let a = registry.lookup("/#/io.l5d.marathon/a")
    let b = registry.lookup("/#/io.l5d.marathon/b/x")
    #expect(await eventually { shown(a) == addresses(0) && b.isNeg })
    marathon.add("/b", tasks: 1)
    marathon.add("/a", tasks: 3)
    #expect(await eventually { shown(a) == addresses(0, 1, 2) && shown(b) == addresses(0) })
    #expect(marathon.streamsOpened == 0)
    await end(namer, marathon)
  }

  @Test("an app without an endpoint is neg, so that an alternation goes on")
  @ControlActor func empty() async throws {
    let (marathon, namer, registry) = try start(.lazy) { marathon in
      marathon.add("/a", tasks: 0)
      marathon.add("/b", tasks: 1)
    }
    let interpreter = Interpreter(namers: registry, dtab: "/svc=>/#/io.l5d.marathon/b;/svc=>/#/io.l5d.marathon/a")
    let binding = interpreter.bind("/svc")
    #expect(await eventually { binding.shown == "/#/io.l5d.marathon/b" }, "\(binding.shown)")
    await end(namer, marathon)
  }

  @Test("a busy app is asked for ever more seldom, and its last state is not missed")
  @ControlActor func hot() async throws {
    let (marathon, namer, registry) = try start(
      .lazy, fill: { $0.add("/a", tasks: 1, checks: 1) }, change: { $0.restMillisecondsMax = 400 })
    let lookup = registry.lookup("/#/io.l5d.marathon/a")
    #expect(await eventually { shown(lookup) == addresses(0) && namer.store.streamSince != nil })
    marathon.forgetRequests()
    for n in 1...200 {
      marathon.tasks("/a", (0...n).map { ScriptedMarathon.task("/a", $0, checks: 1) })
      marathon.send("failed_health_check_event", ["appId": "/a", "instanceId": "a.instance-0"])
      if n % 10 == 0 { try await ControlActor.sleep(milliseconds: 20) }
    }
    #expect(await eventually(withinMilliseconds: 5_000) { shown(lookup).count == 201 })
    #expect(marathon.requests.count <= 20, "\(marathon.requests.count)")
    await end(namer, marathon)
  }

  @Test("a stream that says nothing is taken for dead; keep-alives are enough")
  @ControlActor func silence() async throws {
    let (marathon, namer, _) = try start(.lazy, change: { $0.silenceMilliseconds = 1_000 })
    #expect(await eventually { namer.store.counts.connects == 1 })
    for _ in 0..<8 {
      try await ControlActor.sleep(milliseconds: 200)
      marathon.keepAlive()
    }
    #expect(namer.store.counts.connects == 1)
    #expect(await eventually { namer.store.counts.connects >= 2 })
    await end(namer, marathon)
  }

  @Test("apps that nobody asks for any more are forgotten")
  @ControlActor func idle() async throws {
    let (marathon, namer, registry) = try start(
      .lazy, fill: { $0.add("/a", tasks: 1) }, change: { $0.idleMilliseconds = 50 })
    do {
      let lookup = registry.lookup("/#/io.l5d.marathon/a/b/c")
      #expect(await eventually { lookup.bound != nil })
      #expect(namer.store.entries.count == 3)
    }
    #expect(await eventually(withinMilliseconds: 5_000) { namer.store.entries.isEmpty })
    await end(namer, marathon)
  }
}

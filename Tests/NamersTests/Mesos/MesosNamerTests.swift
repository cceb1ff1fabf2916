import ClusterSim
import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

@ControlActor
@Suite struct MesosNamerTests {
  private static var fixtures: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/dcos").path
  }

  private func cluster(
    _ master: FakeMesosMaster, _ change: (inout MesosCluster.Options) -> Void = { _ in },
    credentials: ClusterCredentials = .none
  ) -> MesosCluster {
    var options = MesosCluster.Options()
    options.firstDelayMilliseconds = 20
    options.longestDelayMilliseconds = 100
    options.pollMilliseconds = 30
    change(&options)
    let hosts = master.addresses.map { ClusterHost(host: $0.ip, port: $0.port) }
    return MesosCluster(
      source: FixedHosts(hosts), resolver: offlineResolver(), credentials: credentials, options: options)
  }

  private func path(_ text: String) -> Path { try! Path(parsing: text) }

  private func fact(_ cluster: MesosCluster, _ name: String) -> String? {
    cluster.facts.first { $0.name == name }?.value
  }

  /// A model with one app of three tasks.
  private func shop(tasks: Int = 3, checks: Int = 0) throws -> (ClusterModel, SimApp) {
    let model = ClusterModel(seed: 3)
    for _ in 0..<3 { _ = model.addAgent() }
    var plan = AppPlan("/shop/api", instances: tasks)
    plan.ports = [
      SimPort(name: "http", servicePort: 10_100, labels: ["VIP_0": "/shop-api:80"]),
      SimPort(name: "admin", servicePort: 10_101),
    ]
    plan.checks = checks
    plan.checkProtocol = "MESOS_HTTP"
    return (model, try model.addRunning(plan))
  }

  @Test("names of tasks, VIPs and of mesos-dns resolve from the stream, and follow its events")
  func names() async throws {
    let model = ClusterModel()
    try model.load(folder: Self.fixtures)
    let master = try FakeMesosMaster(model) { $0.streamPieceBytesMax = 3_000 }
    let cluster = cluster(master)
    let mesos = MesosNamer(cluster: cluster)
    let vip = VipNamer(cluster: cluster)
    let dns = MesosDnsNamer(cluster: cluster)

    let api = mesos.lookup(path("/marathon/v1.api.lantern/users/7"))
    let admin = mesos.lookup(path("/:admin/marathon/v1.api.lantern"))
    let streamer = mesos.lookup(path("/dev%2Fstreamer/broker-0.streamer"))
    let mangled = mesos.lookup(path("/devstreamer/broker-0-streamer"))
    let none = mesos.lookup(path("/marathon/nothing"))
    let named = vip.lookup(path("/lantern-api.marathon/8080/rest"))
    let address = vip.lookup(path("/tcp/10.77.0.5/5432"))
    let broker = vip.lookup(path("/broker.devstreamer.l4lb.thisdcos.directory/9092"))
    let udp = vip.lookup(path("/udp/beacon.marathon/8125"))
    let aRecord = dns.lookup(path("/V1-api-lantern.marathon.mesos./x"))
    let srv = dns.lookup(path("/_admin._v1-api-lantern._tcp.marathon.mesos"))
    let raw = dns.lookup(path("/v1.api.lantern.marathon.mesos"))
    #expect(api.state == .pending)

    #expect(await eventually { none.isNeg && api.bound != nil && named.bound != nil })
    #expect(api.bound?.id == path("/#/io.l5d.mesos/marathon/v1.api.lantern"))
    #expect(api.bound?.residual == path("/users/7"))
    let http = ["10.40.1.11:31020", "10.40.1.12:31555", "10.40.1.14:31700"]
    #expect(api.bound?.endpoints.shown == http)
    #expect(admin.bound?.endpoints.shown == ["10.40.1.11:31021", "10.40.1.12:31556", "10.40.1.14:31701"])
    #expect(streamer.bound?.endpoints.shown == ["10.40.1.11:31500"])
    #expect(mangled.bound?.endpoints.shown == ["10.40.1.11:31500"])
    #expect(named.bound?.endpoints.shown == http)
    #expect(named.bound?.residual == path("/rest"))
    #expect(address.bound?.endpoints.shown == ["10.40.1.13:31040"])
    #expect(broker.bound?.endpoints.shown == ["10.40.1.11:31500", "10.40.1.13:31502*0.0", "9.0.3.200:1025"])
    #expect(udp.bound?.id == path("/#/io.l5d.vip/udp/beacon.marathon/8125"))
    #expect(aRecord.bound?.endpoints.shown == http)
    #expect(aRecord.bound?.id == path("/#/io.l5d.mesosdns/v1-api-lantern.marathon.mesos"))
    #expect(srv.bound?.endpoints.shown == admin.bound?.endpoints.shown)
    #expect(raw.bound?.endpoints.shown == http)
    #expect(mesos.nearNames(to: path("/marathon/v1.api.lantrn"), limit: 2).first == api.bound?.id)
    #expect(
      vip.nearNames(to: path("/lantern-ap.marathon/8080"), limit: 1).map(\.description)
        == ["/#/io.l5d.vip/lantern-api.marathon/8080"])

    for record in model.recordedRecords() { master.send(record: record) }
    #expect(await eventually { address.bound?.endpoints.shown == ["10.40.1.11:31041", "10.40.1.13:31040"] })
    // The agent of the third task is gone: its task is the last resort.
    #expect(
      await eventually {
        api.bound?.endpoints.shown == ["10.40.1.11:31020", "10.40.1.12:31555", "10.40.1.14:31700*0.0"]
      })
    #expect(await eventually { fact(cluster, "mode") == "subscribe" && fact(cluster, "events") == "17" })
    #expect(mesos.state().names.count == 5 && cluster.lastError == nil)
    await master.close()
  }

  @Test("a leader change loses no endpoint: recovered agents keep theirs; the standby redirects to the new leader")
  func failover() async throws {
    let (model, app) = try shop(tasks: 6)
    let master = try FakeMesosMaster(model) { $0.masters = 3 }
    let cluster = cluster(master)
    let lookup = MesosNamer(cluster: cluster).lookup(path("/marathon/api.shop"))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 6 })
    let before = lookup.bound?.endpoints.shown
    var seen: [Int] = []
    let token = lookup.bound?.endpoints.observe { seen.append(lookup.bound?.endpoints.current.endpoints.count ?? 0) }
    master.elect(2, registered: 0)
    #expect(await eventually { fact(cluster, "snapshots") == "2" })
    #expect(fact(cluster, "master")?.hasSuffix(":\(master.addresses[2].port)") == true)
    #expect(lookup.bound?.endpoints.shown == before)
    master.registerAgents()
    let new = try model.replaceTask(of: app)
    #expect(
      await eventually { lookup.bound?.endpoints.shown.contains { $0.hasSuffix(":\(new.hostPorts[0])") } ?? false })
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 6 })
    #expect(seen.allSatisfy { $0 >= 5 }, "\(seen)")
    token?.cancel()
    await master.close()
  }

  @Test("no leader and no master at all: the names stay, their age shows, and all is well again afterwards")
  func away() async throws {
    let (model, app) = try shop()
    let master = try FakeMesosMaster(model)
    let cluster = cluster(master)
    let namer = MesosNamer(cluster: cluster)
    let lookup = namer.lookup(path("/marathon/api.shop"))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 3 })
    await master.goAway()
    #expect(await eventually { namer.failingSince != nil && cluster.lastError != nil })
    let source = try #require(lookup.bound?.endpoints)
    #expect(source.staleSince != nil && source.current.endpoints.count == 3)
    try model.replaceTask(of: app)
    let expected = Set(app.tasks.map { $0.hostPorts[0] })
    try master.comeBack()
    #expect(await eventually { Set(source.current.endpoints.map { Int($0.address.port) }) == Set(expected) })
    #expect(await eventually { namer.failingSince == nil && source.failure == nil })
    master.elect(nil)
    #expect(await eventually { cluster.lastError?.contains("503") ?? false })
    #expect(source.current.endpoints.count == 3)
    await master.close()
  }

  @Test("a stream without a sign of life for three intervals is given up, and a new snapshot has what was missed")
  func silence() async throws {
    let (model, app) = try shop()
    let master = try FakeMesosMaster(model) {
      $0.heartbeatMilliseconds = 100_000
      $0.announcedHeartbeatSeconds = 1
    }
    let cluster = cluster(master)
    let lookup = MesosNamer(cluster: cluster).lookup(path("/marathon/api.shop"))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 3 })
    master.stallStreams()
    _ = try model.launch(app)
    let task = try #require(app.tasks.last)
    try model.start(task)
    #expect(await eventually(withinMilliseconds: 8_000) { lookup.bound?.endpoints.current.endpoints.count == 4 })
    #expect(fact(cluster, "snapshots") == "2")
    await master.close()
  }

  @Test("a master without the operator API is polled; an old one that does not lead says who does")
  func polling() async throws {
    let (model, app) = try shop()
    let master = try FakeMesosMaster(model) {
      $0.masters = 2
      $0.hasOperatorAPI = false
      $0.redirects = false
    }
    master.elect(1)
    let cluster = cluster(master)
    let lookup = MesosNamer(cluster: cluster).lookup(path("/marathon/api.shop"))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 3 })
    #expect(fact(cluster, "mode") == "state")
    #expect(fact(cluster, "master")?.hasSuffix(":\(master.addresses[1].port)") == true)
    _ = try model.launch(app)
    try model.start(try #require(app.tasks.last))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 4 })
    await master.close()
  }

  @Test("Mesos health: no verdict yet and bad ones take no new requests")
  func health() async throws {
    let (model, app) = try shop(tasks: 2, checks: 1)
    let task = try model.launch(app)
    try model.start(task)
    let master = try FakeMesosMaster(model)
    let cluster = cluster(master)
    let lookup = VipNamer(cluster: cluster).lookup(path("/shop-api.marathon/80"))
    func weights() -> [Double] { lookup.bound?.endpoints.current.endpoints.map(\.weight).sorted() ?? [] }
    #expect(await eventually { weights() == [0, 1, 1] })
    model.setHealth(task, alive: true)
    #expect(await eventually { weights() == [1, 1, 1] })
    model.setHealth(app.tasks[0], alive: false)
    #expect(await eventually { weights() == [0, 1, 1] })
    await master.close()
  }

  @Test("a snapshot that breaks off, or is half loaded, takes nothing away")
  func faults() async throws {
    let (model, _) = try shop(tasks: 12)
    let master = try FakeMesosMaster(model)
    let cluster = cluster(master)
    let lookup = MesosNamer(cluster: cluster).lookup(path("/marathon/api.shop"))
    #expect(await eventually { lookup.bound?.endpoints.current.endpoints.count == 12 })
    master.faults.add(ServerFault(.truncated(afterBytes: 6_000), on: "/api/v1", times: 2))
    master.faults.add(ServerFault(.garbage, on: "/api/v1", times: 1))
    master.cutStreams()
    #expect(await eventually { fact(cluster, "snapshots") == "2" })
    #expect(lookup.bound?.endpoints.current.endpoints.count == 12)
    master.faults.clear()
    master.faults.add(ServerFault(.halfLoaded(share: 0.2), on: "/api/v1"))
    master.cutStreams()
    #expect(await eventually { fact(cluster, "snapshots") == "3" })
    #expect(fact(cluster, "holding") == "true")
    #expect(lookup.bound?.endpoints.current.endpoints.count == 12)
    await master.close()
  }

  @Test("mesos-dns names of single tasks, and of the cluster itself")
  func systemNames() async throws {
    let (model, app) = try shop(tasks: 3)
    model.addFramework(SimFramework(id: "aurora-1", name: "Aurora", hostname: "127.0.0.1"))
    var options = FakeMesosMaster.Options()
    options.masters = 2
    let master = try FakeMesosMaster(model, options: options)
    let cluster = cluster(master)
    let dns = MesosDnsNamer(cluster: cluster)
    let task = try #require(app.tasks.first)
    let agent = try #require(task.agentID.split(separator: "-").last)
    let name = "api-shop-\(MesosTaskName.hash(of: task.id))-\(agent.lowercased()).marathon"
    let single = dns.lookup(path("/\(name).mesos/x"))
    let onAgent = dns.lookup(path("/:admin/\(name).slave.mesos"))
    let other = dns.lookup(path("/api-shop-yyyyy-\(agent.lowercased()).marathon.mesos"))
    #expect(await eventually { single.bound != nil && onAgent.bound != nil && other.isNeg })
    #expect(single.bound?.id == path("/#/io.l5d.mesosdns/\(name).mesos") && single.bound?.residual == path("/x"))
    #expect(single.bound?.endpoints.current.endpoints.map { $0.metadata["task"] } == [task.id])
    #expect(onAgent.bound?.endpoints.current.endpoints.map(\.address.port) == [UInt16(task.hostPorts[1])])
    model.end(task, as: .killed)
    #expect(await eventually { single.isNeg })

    let leader = dns.lookup(path("/Leader.mesos"))
    let srv = dns.lookup(path("/_leader._tcp.mesos."))
    let masters = dns.lookup(path("/master.mesos"))
    let second = dns.lookup(path("/master1.mesos"))
    let agents = dns.lookup(path("/slave.mesos"))
    let none = dns.lookup(path("/master7.mesos"))
    let framework = dns.lookup(path("/aurorA.mesos/x"))
    let unknown = dns.lookup(path("/chronos.mesos"))
    let addresses = master.addresses.map(\.description)
    #expect(await eventually { leader.bound?.endpoints.shown == [addresses[0]] && none.isNeg })
    #expect(await eventually { srv.bound?.endpoints.shown == [addresses[0]] })
    #expect(await eventually { framework.bound?.endpoints.shown == ["127.0.0.1:8080"] && unknown.isNeg })
    #expect(framework.bound?.id == path("/#/io.l5d.mesosdns/aurora.mesos") && framework.bound?.residual == path("/x"))
    let polling = MesosDnsNamer(cluster: self.cluster(master) { $0.mode = .state })
    let polled = polling.lookup(path("/aurora.mesos"))
    #expect(await eventually { polled.bound?.endpoints.shown == ["127.0.0.1:8080"] })
    #expect(await eventually { masters.bound?.endpoints.shown == addresses.sorted() })
    #expect(await eventually { second.bound?.endpoints.shown == [addresses[1]] })
    #expect(await eventually { agents.bound?.endpoints.shown == model.agents.map { "\($0.ip):5051" }.sorted() })
    master.elect(1)
    #expect(await eventually(withinMilliseconds: 5_000) { leader.bound?.endpoints.shown == [addresses[1]] })
    let agentID = model.agents[2].id
    model.lose(agent: agentID)
    #expect(await eventually { agents.bound?.endpoints.current.endpoints.count == 2 })
    await master.close()
  }

  @Test("the hash in the name of a task")
  func taskNames() {
    #expect(MesosTaskName.zBase32([240, 191, 199], characters: 5) == "6n9hq")
    let name = MesosTaskName("v1-api-shop-6n9hq-s1")
    #expect(name?.base == "v1-api-shop" && name?.hash == "6n9hq" && name?.agent == "s1")
    for text in ["6n9hq-s1", "a-6n9h-s1", "a-6n9hl-s1", "a-6n9hq-", "-6n9hq-s1", ""] {
      #expect(MesosTaskName(text) == nil, "\(text)")
    }
  }

  @Test("a VIP of one app port is bound to that app port's id where a Marathon namer knows it")
  func sharedID() async throws {
    let (model, app) = try shop()
    let master = try FakeMesosMaster(model)
    let cluster = cluster(master)
    let marathon = StandInMarathon()
    let vip = VipNamer(cluster: cluster, marathon: marathon.prefix)
    let registry = NamerRegistry(namers: [marathon, vip], resolver: offlineResolver())
    let lookup = registry.lookup(path("/#/io.l5d.vip/shop-api.marathon/80/rest"))
    #expect(await eventually { lookup.bound?.id == path("/#/io.l5d.vip/shop-api.marathon/80") })
    #expect(marathon.asked == [path("/:0/shop/api")])
    let source = EndpointSource()
    source.publish(.bound([Endpoint(SocketAddress(ip: "10.9.9.9", port: 1)!)]))
    marathon.lookups[0].publish(.leaf(.bound(BoundName(id: path("/#/io.l5d.marathon/:0/shop/api"), endpoints: source))))
    // Another Marathon's app of the same name.
    #expect(lookup.bound?.id == path("/#/io.l5d.vip/shop-api.marathon/80"))
    source.publish(.bound(lookup.bound!.endpoints.current.endpoints))
    #expect(await eventually { lookup.bound?.id == path("/#/io.l5d.marathon/:0/shop/api") })
    #expect(lookup.bound?.endpoints === source && lookup.bound?.residual == path("/rest"))
    marathon.lookups[0].publish(.neg)
    #expect(await eventually { lookup.bound?.id == path("/#/io.l5d.vip/shop-api.marathon/80") })
    _ = app
    await master.close()
  }

  @Test("ten changes in one turn are published once; names that did not change are not touched")
  func coalesced() async throws {
    let (model, app) = try shop(tasks: 2)
    let other = try model.addRunning(AppPlan("/other", instances: 1))
    let master = try FakeMesosMaster(model)
    let cluster = cluster(master)
    let namer = MesosNamer(cluster: cluster)
    let lookup = namer.lookup(path("/marathon/api.shop"))
    let untouched = namer.lookup(path("/marathon/other"))
    #expect(await eventually { lookup.bound != nil && untouched.bound != nil })
    var changes = 0
    var otherChanges = 0
    let tokens = [
      lookup.bound!.endpoints.observe { changes += 1 }, untouched.bound!.endpoints.observe { otherChanges += 1 },
    ]
    for _ in 0..<10 { try model.replaceTask(of: app) }
    let expected = Set(app.tasks.map { $0.hostPorts[0] })
    #expect(
      await eventually {
        Set(lookup.bound?.endpoints.current.endpoints.filter { $0.weight > 0 }.map { Int($0.address.port) } ?? [])
          == Set(expected)
      })
    #expect(changes < 10 && otherChanges == 0, "\(changes) publications")
    _ = (tokens, other)
    await master.close()
  }
}

/// A Marathon namer that answers what the test says.
@ControlActor
private final class StandInMarathon: Namer {
  let prefix: Path = "/#/io.l5d.marathon"
  let kind = "io.l5d.marathon"
  var asked: [Path] = []
  var lookups: [NameLookup] = []

  func lookup(_ rest: Path) -> NameLookup {
    asked.append(rest)
    lookups.append(NameLookup())
    return lookups[lookups.count - 1]
  }

  func nearNames(to rest: Path, limit: Int) -> [Path] { [] }
  func state() -> NamerState { NamerState(kind: kind, prefix: prefix) }
}

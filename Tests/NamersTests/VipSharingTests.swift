import ClusterSim
import Dtab
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

/// VIPs and the Marathon namer, over one simulated cluster.
@ControlActor
@Suite("VIPs share what apps have", .serialized)
struct VipSharingTests {
  private let model = ClusterModel(seed: 5)
  private let marathon: ClusterSim.FakeMarathon

  init() throws {
    for _ in 0..<3 { _ = model.addAgent() }
    var options = ClusterSim.FakeMarathon.Options()
    options.nodes = 2
    marathon = try ClusterSim.FakeMarathon(model, options: options)
  }

  private func path(_ text: String) -> Path { try! Path(parsing: text) }

  private func add(_ id: String, vip: String?, instances: Int = 2, labels: KeyValues = [:]) throws -> SimApp {
    let ports = [
      SimPort(name: "http", servicePort: 10_100),
      SimPort(name: "admin", servicePort: 10_101, labels: vip.map { ["VIP_0": $0] } ?? [:]),
    ]
    return try model.addRunning(AppPlan(id, ports: ports, labels: labels, instances: instances))
  }

  private func namer(_ mode: MarathonMode = .lazy) -> MarathonNamer {
    var options = MarathonOptions()
    options.mode = mode
    options.pollMilliseconds = 30
    options.reconnect = ReconnectDelay(firstMilliseconds: 20, longestMilliseconds: 50)
    let resolver = offlineResolver()
    let hosts = marathon.addresses.map { ClusterHost(host: $0.ip, port: $0.port) }
    return MarathonNamer(client: ClusterClient(hosts: hosts, resolver: resolver), options: options, resolver: resolver)
  }

  private func registry(_ mode: MarathonMode = .lazy) -> (NamerRegistry, MarathonNamer) {
    let namer = namer(mode)
    return (NamerRegistry(namers: [namer, MarathonVipNamer(marathon: namer)], resolver: offlineResolver()), namer)
  }

  private func end(_ namer: MarathonNamer) async {
    namer.stop()
    await marathon.close()
  }

  @Test("a VIP of one app port is that port's id, with one source of endpoints", arguments: MarathonMode.allCases)
  func one(mode: MarathonMode) async throws {
    let app = try add("/shop/api", vip: "/shop-api:80")
    _ = try add("/other", vip: nil)
    let (registry, namer) = registry(mode)
    let vip = registry.lookup(path("/#/io.l5d.vip/shop-api.marathon.l4lb.thisdcos.directory/80/rest"))
    let port = registry.lookup(path("/#/io.l5d.marathon/:admin/shop/api"))
    #expect(await eventually { vip.bound != nil && port.bound != nil })
    #expect(vip.bound?.id == path("/#/io.l5d.marathon/:1/shop/api"))
    #expect(vip.bound?.residual == path("/rest"))
    #expect(vip.bound?.endpoints === port.bound?.endpoints)
    #expect(await eventually { vip.bound?.endpoints.current.endpoints.count == 2 })
    _ = try model.replaceTask(of: app)
    #expect(vip.bound?.endpoints === port.bound?.endpoints)
    for name in ["/shop-api.marathon/81", "/udp/shop-api.marathon/80", "/shop.marathon/80"] {
      let lookup = registry.lookup(path("/#/io.l5d.vip" + name))
      #expect(await eventually { lookup.isNeg }, "\(name)")
    }
    #expect(
      registry.nearPaths(to: path("/#/io.l5d.vip/shop-apo.marathon/80")) == [path("/#/io.l5d.vip/shop-api.marathon/80")]
    )
    if mode == .lazy {
      #expect(marathon.traffic.requests.count { $0 == "GET /v2/apps" } == 1, "\(marathon.traffic.requests)")
    }
    let state = namer.store.vips.map { ($0.lists, $0.vips.count) }
    #expect(state?.1 == 1)
    await end(namer)
  }

  @Test("labels that come, move and go are followed by events alone")
  func changes() async throws {
    let first = try add("/a", vip: nil)
    let second = try add("/b", vip: nil, instances: 3)
    let (registry, namer) = registry()
    let named = registry.lookup(path("/#/io.l5d.vip/cache.marathon/6379"))
    let address = registry.lookup(path("/#/io.l5d.vip/10.77.0.5/5432"))
    #expect(await eventually { named.isNeg && address.isNeg && namer.store.streamSince != nil })
    // Nobody has asked for the app itself.
    model.setLabels(["vip_port0": "tcp://cache:6379", "VIP_PORT1": "TCP://10.77.0.5:5432"], of: first)
    #expect(await eventually { named.bound?.id == path("/#/io.l5d.marathon/a") })
    #expect(await eventually { address.bound?.id == path("/#/io.l5d.marathon/:1/a") })
    // A second app with the same VIP: both share it by their endpoints.
    model.setLabels(["vip_port0": "tcp://cache:6379"], of: second)
    #expect(
      await eventually {
        guard case .tree(.union(let branches)) = named.state else { return false }
        return branches.map(\.weight) == [2, 3]
      }, "\(named.state)")
    model.setLabels([:], of: first)
    #expect(await eventually { named.bound?.id == path("/#/io.l5d.marathon/b") && address.isNeg })
    model.remove(app: "/b")
    #expect(await eventually { named.isNeg })
    #expect(marathon.traffic.requests.count { $0 == "GET /v2/apps" } == 1, "\(marathon.traffic.requests)")
    await end(namer)
  }

  @Test("while Marathon is away or half-loaded no VIP goes")
  func away() async throws {
    for number in 0..<8 { _ = try add("/app\(number)", vip: "/vip\(number):80") }
    let (registry, namer) = registry()
    let lookups = (0..<8).map { registry.lookup(path("/#/io.l5d.vip/vip\($0).marathon/80")) }
    #expect(await eventually { lookups.allSatisfy { $0.bound != nil } })
    await marathon.goAway()
    try await ControlActor.sleep(milliseconds: 100)
    #expect(lookups.allSatisfy { $0.bound != nil })
    marathon.faults.add(ServerFault(.halfLoaded(share: 0.2), on: "/v2/apps"))
    try marathon.comeBack()
    #expect(await eventually(withinMilliseconds: 5_000) { namer.store.streamSince != nil })
    #expect(lookups.allSatisfy { $0.bound != nil })
    await end(namer)
  }

  @Test("a VIP that Mesos tells of is bound to the id of the real Marathon's app port, with one source of endpoints")
  func bothSources() async throws {
    _ = try add("/shop/api", vip: "/shop-api:80")
    let master = try FakeMesosMaster(model)
    let cluster = MesosCluster(
      source: FixedHosts([ClusterHost(host: master.address.ip, port: master.address.port)]),
      resolver: offlineResolver())
    let namer = namer()
    let registry = NamerRegistry(
      namers: [MesosNamer(cluster: cluster), namer, VipNamer(cluster: cluster)], resolver: offlineResolver())
    let vip = registry.lookup(path("/#/io.l5d.vip/shop-api.marathon/80/rest"))
    let port = registry.lookup(path("/#/io.l5d.marathon/:admin/shop/api"))
    #expect(await eventually { vip.bound?.id == path("/#/io.l5d.marathon/:1/shop/api") && port.bound != nil })
    #expect(vip.bound?.residual == path("/rest"))
    #expect(vip.bound?.endpoints === port.bound?.endpoints)
    #expect(await eventually { port.bound?.endpoints.current.endpoints.count == 2 })
    // A second app states it too: it is no longer one app port, and has an id of its own with the tasks of both.
    _ = try add("/shop/api2", vip: "/shop-api:80")
    #expect(
      await eventually {
        vip.bound?.id == path("/#/io.l5d.vip/shop-api.marathon/80")
          && vip.bound?.endpoints.current.endpoints.count == 4
      })
    await end(namer)
    await master.close()
  }
}

import MeshBase
import Testing

@testable import Namers

@Suite struct MesosModelTests {
  let model = MesosModel()
  let now = MonotonicInstant(nanoseconds: 1_000_000_000)

  private func task(
    _ id: String, agent: String = "A1", state: MesosTaskState = .running, name: String = "web", port: UInt16 = 31_000,
    vips: [String] = [], isChecked: Bool = false, verdict: Bool? = nil, addresses: [String]? = nil,
    framework: String = "F1"
  ) -> MesosTaskReport {
    var report = MesosTaskReport()
    report.id = id
    report.frameworkID = framework
    report.agentID = agent
    report.name = name
    report.state = state
    report.discovery = MesosDiscovery(
      name: name, ports: [MesosDiscoveryPort(number: port, name: "http", scope: .host, vips: vips)])
    report.isChecked = isChecked
    report.verdict = verdict
    report.addresses = addresses?.map { SocketAddress(ip: $0, port: 0)! }
    return report
  }

  private func update(
    _ id: String, _ state: MesosTaskState, verdict: Bool? = nil, addresses: [String]? = nil
  ) -> MesosStatusReport {
    MesosStatusReport(
      frameworkID: "F1", taskID: id, state: state, addresses: addresses?.map { SocketAddress(ip: $0, port: 0)! },
      verdict: verdict)
  }

  private func agent(_ id: String, isRecovered: Bool = false, ip: String? = nil) {
    let address = ip ?? "10.0.0.\(id.dropFirst())"
    // The master does not tell the pids of recovered agents.
    model.report(
      MesosAgentReport(id: id, hostname: "\(id).example", pid: isRecovered ? "" : "slave(1)@\(address):5051"),
      isRecovered: isRecovered, at: now)
  }

  private func framework() { model.report(MesosFrameworkReport(id: "F1", name: "marathon")) }

  /// A whole snapshot.
  @discardableResult
  private func snapshot(agents: [String], recovered: [String] = [], _ tasks: MesosTaskReport...) -> Bool {
    model.beginSnapshot()
    // The order in which the master writes them.
    for task in tasks { model.report(task) }
    framework()
    for id in agents { agent(id) }
    for id in recovered { agent(id, isRecovered: true) }
    return model.endSnapshot()
  }

  /// `address*weight`.
  private func shown(_ name: String = "web", port: MesosPortChoice = .first, framework: String = "marathon") -> [String]
  {
    let backends = model.backends(model.workloads(framework: framework, name: name), port: port)
    return MesosBackend.endpoints(backends).map { $0.weight == 1 ? "\($0.address)" : "\($0.address)*\(Int($0.weight))" }
  }

  private func vip(_ text: String, _ port: UInt16, isUDP: Bool = false) -> [String] {
    MesosBackend.endpoints(model.backends(of: VipKey(host: text, port: port, isUDP: isUDP)!))
      .map { $0.weight == 1 ? "\($0.address)" : "\($0.address)*\(Int($0.weight))" }
  }

  @Test("an update without health and addresses leaves both as they were")
  func merge() {
    snapshot(agents: ["A1"], task("t1", isChecked: true, addresses: ["9.0.0.1"]))
    #expect(shown() == ["10.0.0.1:31000*0"])
    model.report(update("t1", .running, verdict: true))
    #expect(shown() == ["10.0.0.1:31000"])
    model.report(update("t1", .running))
    #expect(shown() == ["10.0.0.1:31000"])
    #expect(model.frameworks["F1"]?.tasks["t1"]?.addresses == [SocketAddress(ip: "9.0.0.1", port: 0)!])
    model.report(update("t1", .killing))
    #expect(shown() == ["10.0.0.1:31000*0"])
    model.report(update("t1", .killed))
    #expect(shown().isEmpty)
    #expect(model.taskCount == 0)
  }

  @Test("a task that is told of before its agent and its framework is found once both are known")
  func parked() {
    model.beginSnapshot()
    model.endSnapshot()
    model.report(task("t1", vips: ["/shop:80"]))
    #expect(shown().isEmpty)
    #expect(vip("shop.marathon", 80).isEmpty)
    framework()
    #expect(shown().isEmpty)
    _ = model.takeChanges()
    agent("A1")
    #expect(shown() == ["10.0.0.1:31000"])
    #expect(vip("shop.marathon", 80) == ["10.0.0.1:31000"])
    let changes = model.takeChanges()
    #expect(changes.names.map(\.name) == ["web"])
    #expect(changes.vips.map(\.description) == ["tcp://shop.marathon.l4lb.thisdcos.directory:80"])
  }

  @Test("after a master failover the tasks of recovered agents stay, those of agents that are gone or back without go")
  func failover() {
    snapshot(
      agents: ["A1", "A2", "A3"], task("t1", agent: "A1"), task("t2", agent: "A2"), task("t3", agent: "A3"),
      task("t4", agent: "A2", port: 31_001))
    #expect(shown().count == 4)
    // A1 has not come back yet, A2 has, with one task less, and A3 is gone.
    snapshot(agents: ["A2"], recovered: ["A1"], task("t2", agent: "A2"))
    #expect(shown() == ["10.0.0.1:31000", "10.0.0.2:31000"])
    #expect(model.hasRecoveredTasks)
    // A1 comes back and its task is told of.
    agent("A1")
    model.report(task("t1", agent: "A1"))
    model.expire(at: now.advanced(byMilliseconds: MesosModel.confirmMilliseconds))
    #expect(shown() == ["10.0.0.1:31000", "10.0.0.2:31000"])
    #expect(!model.hasRecoveredTasks)
  }

  @Test("a recovered agent that comes back without its task loses it after a grace")
  func failoverLoss() {
    snapshot(agents: ["A1", "A2"], task("t1", agent: "A1"), task("t2", agent: "A2"))
    snapshot(agents: ["A2"], recovered: ["A1"], task("t2", agent: "A2"))
    agent("A1")
    #expect(shown() == ["10.0.0.1:31000", "10.0.0.2:31000"])
    #expect(model.nextExpiry == now.advanced(byMilliseconds: MesosModel.confirmMilliseconds))
    model.expire(at: now.advanced(byMilliseconds: MesosModel.confirmMilliseconds - 1))
    #expect(shown().count == 2)
    model.expire(at: now.advanced(byMilliseconds: MesosModel.confirmMilliseconds))
    #expect(shown() == ["10.0.0.2:31000"])
    #expect(model.nextExpiry == nil)
  }

  @Test("unreachable tasks are the last resort, and survive their agent's removal for a while")
  func unreachable() {
    snapshot(agents: ["A1", "A2"], task("t1", agent: "A1"), task("t2", agent: "A2"))
    model.report(update("t1", .unreachable))
    #expect(shown() == ["10.0.0.1:31000*0", "10.0.0.2:31000"])
    model.removeAgent("A1", at: now)
    #expect(shown() == ["10.0.0.1:31000*0", "10.0.0.2:31000"])
    model.report(update("t2", .failed))
    #expect(shown() == ["10.0.0.1:31000"])
    model.expire(at: now.advanced(byMilliseconds: MesosModel.removedMilliseconds))
    #expect(shown().isEmpty)
    #expect(model.agents["A1"] == nil)
  }

  @Test("an agent that is removed takes its running tasks along")
  func agentRemoved() {
    snapshot(agents: ["A1", "A2"], task("t1", agent: "A1"), task("t2", agent: "A2"))
    model.removeAgent("A1", at: now)
    #expect(shown() == ["10.0.0.2:31000"])
    #expect(model.nextExpiry == nil)
  }

  @Test("a snapshot that lacks more than half of the tasks is believed the second time only")
  func halfLoaded() {
    let many = (0..<10).map { task("t\($0)", port: 31_000 + UInt16($0)) }
    func load(_ tasks: some Sequence<MesosTaskReport>) -> Bool {
      model.beginSnapshot()
      for task in tasks { model.report(task) }
      framework()
      agent("A1")
      return model.endSnapshot()
    }
    #expect(load(many))
    #expect(!load(many.prefix(3)))
    #expect(model.isHolding && shown().count == 10)
    // It was true.
    #expect(load(many.prefix(3)))
    #expect(!model.isHolding && shown().count == 3)
    #expect(load(many))
    #expect(!load(many.prefix(2)))
    // It was not.
    #expect(load(many))
    #expect(shown().count == 10)
    #expect(!load(many.prefix(2)))
  }

  @Test("an address change of an agent is a change of its tasks' names only")
  func agentMoves() {
    snapshot(agents: ["A1", "A2"], task("t1", agent: "A1"), task("t2", agent: "A2", name: "api"))
    _ = model.takeChanges()
    agent("A2", ip: "10.9.9.9")
    #expect(model.takeChanges().names.map(\.name) == ["api"])
    #expect(shown("api") == ["10.9.9.9:31000"])
    agent("A2", ip: "10.9.9.9")
    #expect(model.takeChanges().isEmpty)
  }

  @Test("a framework that is removed takes its tasks along; two frameworks of one name are one")
  func frameworks() {
    snapshot(agents: ["A1", "A2"], task("t1", agent: "A1"))
    model.report(MesosFrameworkReport(id: "F2", name: "marathon"))
    model.report(task("t2", agent: "A2", framework: "F2"))
    #expect(shown() == ["10.0.0.1:31000", "10.0.0.2:31000"])
    model.removeFramework("F1")
    #expect(shown() == ["10.0.0.2:31000"])
    #expect(model.taskCount == 1)
  }

  @Test("ports are chosen by name, else by place, else by number")
  func portChoice() {
    var report = task("t1")
    report.discovery?.ports = [
      MesosDiscoveryPort(number: 31_010, name: "statsd", isUDP: true, scope: .host),
      MesosDiscoveryPort(number: 31_010, name: "statsd", scope: .host),
      MesosDiscoveryPort(number: 31_011, name: "1", scope: .host),
      MesosDiscoveryPort(number: 31_012, scope: .host),
    ]
    snapshot(agents: ["A1"], report)
    #expect(shown() == ["10.0.0.1:31010"])
    #expect(shown(port: .named("statsd")) == ["10.0.0.1:31010"])
    // Both entries of the first port count once.
    #expect(shown(port: .named("2")) == ["10.0.0.1:31012"])
    #expect(shown(port: .named("1")) == ["10.0.0.1:31011"])
    #expect(shown(port: .named("31012")) == ["10.0.0.1:31012"])
    #expect(shown(port: .named("grpc")).isEmpty)
  }

  @Test("scopes and mappings tell where a port is")
  func scopes() {
    func addresses(_ port: MesosDiscoveryPort, mapped: [MesosPortMapping] = [], isBridged: Bool = false) -> [String] {
      var report = task("t", addresses: ["9.0.0.7"])
      report.discovery?.ports = [port]
      report.mappings = mapped
      report.isBridged = isBridged
      return report.ports[0].addresses(agent: SocketAddress(ip: "10.0.0.1", port: 0), task: report.addresses!)
        .map(\.description)
    }
    let mapping = [MesosPortMapping(hostPort: 31_010, containerPort: 80)]
    #expect(addresses(.init(number: 31_010, scope: .host)) == ["10.0.0.1:31010"])
    #expect(addresses(.init(number: 31_010, scope: .host), mapped: mapping) == ["10.0.0.1:31010", "9.0.0.7:80"])
    #expect(addresses(.init(number: 31_010, scope: .host), mapped: mapping, isBridged: true) == ["10.0.0.1:31010"])
    #expect(addresses(.init(number: 80, scope: .container)) == ["9.0.0.7:80"])
    #expect(addresses(.init(number: 80), mapped: mapping) == ["10.0.0.1:31010", "9.0.0.7:80"])
    #expect(addresses(.init(number: 31_010), mapped: mapping) == ["10.0.0.1:31010", "9.0.0.7:80"])
    #expect(addresses(.init(number: 81), mapped: mapping) == ["9.0.0.7:81"])
    // The mapping is of the other protocol.
    #expect(addresses(.init(number: 80, isUDP: true), mapped: mapping) == ["9.0.0.7:80"])
  }

  @Test("resources are the ports of a task without discovery information; a task's VIP labels count among them")
  func resources() {
    var report = task("t1")
    report.discovery = nil
    MesosJSON.addRanges("[31000-31002, 31005-31005]", to: &report.resourcePorts)
    report.vips = [MesosTaskVip(index: 3, label: VipLabel(taskLabel: "TCP://cache:6379")!)]
    snapshot(agents: ["A1"], report)
    #expect(shown() == ["10.0.0.1:31000"])
    #expect(shown(port: .named("3")) == ["10.0.0.1:31005"])
    #expect(vip("cache.marathon", 6_379) == ["10.0.0.1:31005"])
    #expect(vip("CACHE.marathon.l4lb.thisdcos.directory.", 6_379) == ["10.0.0.1:31005"])
    #expect(vip("cache.marathon", 6_379, isUDP: true).isEmpty)
  }

  @Test(
    "changes of tasks, agents and snapshots at random leave the same as a new model",
    arguments: [11, 12, 13] as [UInt64])
  func law(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var truth: [String: MesosTaskReport] = [:]
    model.beginSnapshot()
    framework()
    for id in ["A1", "A2", "A3"] { agent(id) }
    model.endSnapshot()
    let states: [MesosTaskState] = [.staging, .starting, .running, .killing, .unreachable]
    for step in 0..<2_000 {
      let id = "t\(random.below(40))"
      switch random.below(10) {
      case 0..<4:
        let report = task(
          id, agent: "A\(1 + random.below(3))", state: states[Int(random.below(5))],
          name: "n\(random.below(5))", port: UInt16(31_000 + random.below(20)),
          vips: random.below(2) == 0 ? [] : ["/v\(random.below(4)):80"], isChecked: random.below(2) == 0,
          verdict: [true, false][Int(random.below(2))], addresses: ["9.0.0.\(random.below(5))"])
        truth[id] = report
        model.report(report)
      case 4..<7:
        let state = states[Int(random.below(5))]
        truth[id]?.state = state
        model.report(update(id, state))
      case 7..<9:
        truth[id] = nil
        model.report(update(id, .finished))
      default:
        model.beginSnapshot()
        for report in truth.values { model.report(report) }
        framework()
        for id in ["A1", "A2", "A3"] { agent(id) }
        model.endSnapshot()
      }
      guard step % 100 == 99 else { continue }
      let other = MesosModel()
      other.beginSnapshot()
      for report in truth.values { other.report(report) }
      other.report(MesosFrameworkReport(id: "F1", name: "marathon"))
      for id in ["A1", "A2", "A3"] {
        other.report(
          MesosAgentReport(id: id, hostname: "\(id).example", pid: "slave(1)@10.0.0.\(id.dropFirst()):5051"),
          isRecovered: false, at: now)
      }
      other.endSnapshot()
      let one = model.view
      #expect(one == other.view, "seed \(seed), step \(step)")
      #expect(model.taskCount == truth.count, "seed \(seed), step \(step)")
    }
  }
}

@Suite struct VipLabelTests {
  @Test(
    "the value of a port's label",
    arguments: [
      ("1.2.3.4:5000", "tcp://1.2.3.4:5000"), ("/1.2.3.4:5000", "tcp://1.2.3.4.marathon.l4lb.thisdcos.directory:5000"),
      ("/web:80", "tcp://web.marathon.l4lb.thisdcos.directory:80"),
      ("web:80", "tcp://web.marathon.l4lb.thisdcos.directory:80"),
      ("/a/b:54", "tcp://ab.marathon.l4lb.thisdcos.directory:54"),
      ("/Ledger_DB.-x-:1", "tcp://ledger-db.x.marathon.l4lb.thisdcos.directory:1"),
      ("fd01:c::1:443", "tcp://[fd01:c::1]:443"), ("[fd01:c::1]:443", "tcp://[fd01:c::1]:443"),
      ("/web", "-"), ("/web:0", "-"), ("/web:70000", "-"), ("/web:", "-"), (":80", "-"), ("/!:80", "-"), ("", "-"),
      ("/a:b:80", "tcp://ab.marathon.l4lb.thisdcos.directory:80"),
    ])
  func portLabel(value: String, expected: String) {
    let label = VipLabel(portLabel: value, isUDP: false)
    #expect((label.map { "\(VipKey($0, framework: "marathon"))" } ?? "-") == expected)
  }

  @Test("the keys and values of a task's labels")
  func taskLabel() {
    #expect(VipLabel.taskPortIndex(key: "vip_port0") == 0)
    #expect(VipLabel.taskPortIndex(key: "VIP_PORT12") == 12)
    #expect(VipLabel.taskPortIndex(key: "vip_port") == nil)
    #expect(VipLabel.taskPortIndex(key: "vip_portx") == nil)
    #expect(VipLabel(taskLabel: "udp://dns:53")?.isUDP == true)
    #expect(VipLabel(taskLabel: "Tcp://1.2.3.4:53")?.isUDP == false)
    #expect(VipLabel(taskLabel: "http://web:80") == nil)
    #expect(VipLabel.isVipKey("VIP_0") && VipLabel.isVipKey("vip_1f") && !VipLabel.isVipKey("Vip"))
  }

  @Test("labels are cut to 63 bytes")
  func length() {
    #expect(DnsText.label(String(repeating: "a", count: 80)).count == 63)
    #expect(DnsText.label("v1.api_shop--") == "v1-api-shop")
    #expect(DnsText.labels("dev/streamer.x") == "devstreamer.x")
  }
}

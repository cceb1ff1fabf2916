import Foundation
import MeshBase
import Testing

@testable import Namers

/// The made-up cluster in `Tests/Fixtures/dcos`, and what a router must make of it.
enum DcosFixtures {
  static func bytes(_ name: String) -> [UInt8] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/dcos")
    return Array(try! Data(contentsOf: root.appending(path: name)))
  }

  static let expected: Expected = try! JSONDecoder().decode(Expected.self, from: Data(bytes("expected.json")))

  struct Expected: Decodable, Sendable {
    var mesos: Mesos
  }

  struct Mesos: Decodable, Sendable {
    var snapshot: View
    var afterStream: View
    var updatesForUnknownTasks: [String]
    var recordTypes: [String]
  }

  struct View: Decodable, Sendable, Equatable {
    struct Vip: Decodable, Sendable, Equatable {
      var active: [String]
      var draining: [String]
    }

    struct Task: Decodable, Sendable, Equatable {
      struct Port: Decodable, Sendable, Equatable {
        var name: String?
        var `protocol`: String
        var endpoint: String
      }

      var framework: String
      var state: String
      var healthy: Bool
      var agentIp: String
      var ports: [Port]
    }

    var vips: [String: Vip]
    var mesosDnsA: [String: [String]]
    var mesosDnsAAAA: [String: [String]]
    var srvEndpoints: [String: [String]]
    var tasks: [String: Task]
    var waiting: [String]
    var onRemovedAgent: [String]
  }
}

extension MesosModel {
  var allTasks: [MesosTask] { frameworks.values.flatMap { $0.tasks.values } }

  /// Everything that `expected.json` speaks of, from the look-ups that the namers use.
  var view: DcosFixtures.View {
    var view = DcosFixtures.View(
      vips: [:], mesosDnsA: [:], mesosDnsAAAA: [:], srvEndpoints: [:], tasks: [:],
      waiting: allTasks.filter(\.isWaiting).map(\.id).sorted(),
      onRemovedAgent: allTasks.filter { !$0.agent.isKnown && $0.state != .unreachable }.map(\.id).sorted())
    for vip in vips {
      let endpoints = MesosBackend.endpoints(backends(of: vip))
      let active = endpoints.filter { $0.weight > 0 && $0.metadata["tier"] == "live" }
      let draining = endpoints.filter { $0.metadata["tier"] == "draining" }
      if !active.isEmpty || !draining.isEmpty {
        view.vips["\(vip)"] = .init(
          active: active.map(\.address.description).sorted(), draining: draining.map(\.address.description).sorted())
      }
    }
    for name in dnsNames {
      guard let parsed = MesosDnsName(name, domain: "mesos") else { continue }
      if parsed.isUDP == nil {
        let addresses = addresses(parsed)
        let v4 = addresses.filter(\.isIPv4).map(\.ip).sorted()
        let v6 = addresses.filter { !$0.isIPv4 }.map(\.ip).sorted()
        if !v4.isEmpty { view.mesosDnsA[name] = v4 }
        if !v6.isEmpty { view.mesosDnsAAAA[name] = v6 }
      } else {
        let running = backends(parsed, port: .first).filter { $0.task.state == .running }
        if !running.isEmpty { view.srvEndpoints[name] = Set(running.map { $0.addresses[0].description }).sorted() }
      }
    }
    for task in allTasks where task.state == .running || task.state == .killing {
      view.tasks[task.id] = .init(
        framework: task.workload.framework.name ?? "?", state: task.state == .running ? "TASK_RUNNING" : "TASK_KILLING",
        healthy: task.isHealthy, agentIp: task.agent.address?.ip ?? "?",
        ports: task.ports.filter(\.isDeclared).compactMap { port in
          port.addresses(agent: task.agent.address, task: task.addresses).first.map {
            .init(name: port.name, protocol: port.isUDP ? "udp" : "tcp", endpoint: "\($0)")
          }
        })
    }
    return view
  }

  /// The names that mesos-dns would have records of.
  private var dnsNames: Set<String> {
    var names: Set<String> = []
    for task in allTasks {
      let framework = task.workload.framework.label
      var forms = [task.workload.label]
      if task.hasDiscovery { forms.append(task.workload.name) }
      for form in forms { for tail in ["mesos", "slave.mesos"] { names.insert("\(form).\(framework).\(tail)") } }
      for port in task.ports where port.isDeclared {
        let tail = "_\(task.workload.label)._\(port.isUDP ? "udp" : "tcp").\(framework).mesos"
        names.insert(tail)
        if let name = port.name { names.insert("_\(DnsText.label(name)).\(tail)") }
      }
    }
    return names
  }
}

@Suite struct MesosFixtureTests {
  let now = MonotonicInstant(nanoseconds: 1_000_000_000)

  @Test(
    "the snapshot of the stream, in pieces of any size",
    arguments: [1, 7, 100, 4_096, 1 << 20])
  func streamSnapshot(pieceBytes: Int) throws {
    let bytes = DcosFixtures.bytes("mesos/subscribe.recordio")
    let model = MesosModel()
    var reader = MesosStreamReader()
    var index = 0
    while reader.snapshotCount == 0 {
      // Not beyond the first record: its length stands in front.
      let end = min(index + pieceBytes, Self.firstRecordEnd(bytes))
      try reader.feed(bytes.span.extracting(index..<end), into: model, at: now)
      index = end
    }
    expect(model.view, DcosFixtures.expected.mesos.snapshot)
    #expect(reader.malformedCount == 0)
    #expect(reader.heartbeatMilliseconds == 15_000)

    while index < bytes.count {
      let end = min(index + pieceBytes, bytes.count)
      try reader.feed(bytes.span.extracting(index..<end), into: model, at: now)
      index = end
    }
    expect(model.view, DcosFixtures.expected.mesos.afterStream)
    #expect(reader.recordCount == UInt64(DcosFixtures.expected.mesos.recordTypes.count))
    #expect(model.unknownUpdateCount == UInt64(DcosFixtures.expected.mesos.updatesForUnknownTasks.count))
    #expect(reader.malformedCount == 0)
  }

  @Test("/state says the same as the snapshot of the stream", arguments: [1, 333, 1 << 20])
  func state(pieceBytes: Int) throws {
    let bytes = DcosFixtures.bytes("mesos/state.json")
    let model = MesosModel()
    var reader = MesosStateReader()
    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
      try reader.feed(bytes.span.extracting(start..<min(start + pieceBytes, bytes.count)), into: model, at: now)
    }
    try reader.finish(into: model)
    expect(model.view, DcosFixtures.expected.mesos.snapshot)
    #expect(reader.malformedCount == 0)
  }

  @Test("the same snapshot once more changes nothing")
  func again() throws {
    let bytes = DcosFixtures.bytes("mesos/subscribe.recordio")
    let first = Array(bytes[..<Self.firstRecordEnd(bytes)])
    let model = MesosModel()
    var reader = MesosStreamReader()
    try reader.feed(first.span, into: model, at: now)
    #expect(!model.takeChanges().isEmpty)
    var second = MesosStreamReader()
    try second.feed(first.span, into: model, at: now)
    #expect(second.snapshotCount == 1)
    #expect(model.takeChanges().isEmpty)
    expect(model.view, DcosFixtures.expected.mesos.snapshot)
  }

  static func firstRecordEnd(_ bytes: [UInt8]) -> Int {
    let line = bytes.firstIndex(of: 0x0a)!
    return line + 1 + Int(String(decoding: bytes[..<line], as: UTF8.self))!
  }

  private func expect(
    _ view: DcosFixtures.View, _ expected: DcosFixtures.View, location: SourceLocation = #_sourceLocation
  ) {
    compare(view.vips, expected.vips, location)
    compare(view.mesosDnsA, expected.mesosDnsA, location)
    compare(view.mesosDnsAAAA, expected.mesosDnsAAAA, location)
    compare(view.srvEndpoints, expected.srvEndpoints, location)
    compare(view.tasks, expected.tasks, location)
    #expect(view.waiting == expected.waiting, sourceLocation: location)
    #expect(view.onRemovedAgent == expected.onRemovedAgent, sourceLocation: location)
  }

  private func compare<V: Equatable>(_ a: [String: V], _ b: [String: V], _ location: SourceLocation) {
    for key in Set(a.keys).union(b.keys).sorted() where a[key] != b[key] {
      Issue.record(
        "\(key): \(a[key].map { "\($0)" } ?? "-") instead of \(b[key].map { "\($0)" } ?? "-")", sourceLocation: location
      )
    }
  }
}

import Foundation
import HTTP
import MeshBase
import Testing

@testable import Namers

/// A made-up cluster in every shape that Marathon answers with, and what a router must make of it.
enum MarathonFixtures {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/dcos")

  static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: root.appending(path: name))) }

  static func object(_ name: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: root.appending(path: name))) as? [String: Any])
  }

  /// One member of what is expected of Marathon's side.
  static func expected<Value>(_ key: String, as type: Value.Type) throws -> Value {
    let marathon = try #require(try object("expected.json")["marathon"] as? [String: Any])
    return try #require(marathon[key] as? Value)
  }

  /// The apps of a list answer, by id.
  static func apps(_ name: String, pieceBytes: Int = 1_000) throws -> [String: MarathonApp] {
    let bytes = try bytes(name)
    var splitter = JSONElementSplitter(paths: ["apps"])
    var apps: [String: MarathonApp] = [:]
    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
      let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
      try splitter.feed(piece.span) { (_, element) throws(JSONError) in
        var reader = JSONReader(element)
        let app = try MarathonApp(&reader)
        apps[app.id] = app
      }
    }
    try splitter.finish()
    return apps
  }
}

@Suite("Marathon: what the fixtures' cluster is made of")
struct MarathonFixtureTests {
  private func endpoints(
    _ app: MarathonApp, _ port: Int, _ policy: MarathonHealthPolicy, _ tiers: Set<String> = ["live"]
  ) -> [String] {
    MarathonRecord(app, policy: policy).endpoints(
      portIndex: port, nowSeconds: app.tasks.map(\.startedSeconds).max() ?? 0
    )
    .filter { tiers.contains($0.metadata["tier"] ?? "") }.map { "\($0.host):\($0.port)" }.sorted()
  }

  @Test(
    "ports, endpoints by each policy, and alternates are as expected",
    arguments: [
      ("marathon/apps-embed-tasks.json", "apps"), ("marathon/apps-after-events.json", "appsAfterEvents"),
    ])
  func answers(file: String, key: String) throws {
    let expected = try MarathonFixtures.expected(key, as: [String: [String: Any]].self)
    let apps = try MarathonFixtures.apps(file)
    #expect(Set(apps.keys) == Set(expected.keys))
    for (id, wanted) in expected {
      let app = try #require(apps[id])
      #expect(app.network.rawValue == wanted["mode"] as? String, "\(id)")
      let ports = try #require(wanted["ports"] as? [[String: Any]])
      #expect(app.ports.count == ports.count, "\(id)")
      for (index, port) in ports.enumerated() where app.ports.indices.contains(index) {
        let place = "\(id) port \(index)"
        #expect(app.ports[index].name == port["name"] as? String, "\(place)")
        #expect(app.ports[index].protocols == port["protocol"] as? String, "\(place)")
        #expect(app.ports[index].servicePort == port["servicePort"] as? Int, "\(place)")
        let sets = try #require(port["endpoints"] as? [String: [String]])
        #expect(endpoints(app, index, .strict) == sets["healthy"]?.sorted(), "\(place) healthy")
        #expect(endpoints(app, index, .any) == sets["anyAlive"]?.sorted(), "\(place) anyAlive")
        #expect(endpoints(app, index, .off) == sets["running"]?.sorted(), "\(place) running")
        #expect(
          endpoints(app, index, .off, ["live", "last-resort"]) == sets["optimistic"]?.sorted(), "\(place) optimistic")
        for (endpoint, others) in port["alternates"] as? [String: [String]] ?? [:] {
          let entry = MarathonRecord(app, policy: .off).endpoints(portIndex: index, nowSeconds: 0)
            .first { "\($0.host):\($0.port)" == endpoint }
          #expect(
            entry?.metadata["alternates"]?.split(separator: ",").map(String.init) == others, "\(place) alternates")
        }
      }
    }
  }

  private func events() throws -> [(name: String, event: MarathonEvent)] {
    let bytes = try MarathonFixtures.bytes("marathon/events.sse")
    var parser = ServerSentEventParser()
    var index = 0
    var events: [(String, MarathonEvent)] = []
    while let event = parser.next(bytes.span, from: &index) {
      events.append((event.type, try MarathonEvent(name: event.type, data: event.data.span)))
    }
    return events
  }

  @Test("each event of the stream is read, with the apps it is about")
  func stream() throws {
    let expected = try MarathonFixtures.expected("sse", as: [String: Any].self)
    let wanted = try #require(expected["events"] as? [[String: Any]])
    let events = try events()
    #expect(events.map(\.name) == wanted.map { $0["event"] as? String })
    for (event, want) in zip(events, wanted) {
      #expect(event.event.type == want["eventType"] as? String)
      #expect(event.event.apps == want["apps"] as? [String], "\(event.name)")
    }
  }

  @Test("events alone lead to the endpoints that the next answer has", arguments: [MarathonHealthPolicy.off, .strict])
  func eventsAlone(policy: MarathonHealthPolicy) throws {
    let after = try MarathonFixtures.apps("marathon/apps-after-events.json")
    var records = try MarathonFixtures.apps("marathon/apps-embed-tasks.json").mapValues {
      MarathonRecord($0, policy: policy)
    }
    let now = MonotonicInstant(nanoseconds: 1_000_000_000)
    for (_, event) in try events() {
      for app in event.apps { _ = records[app]?.apply(event.change, now: now) }
    }
    // Gone and new apps are learnt by asking.
    for (id, app) in after where records[id] != nil {
      for port in app.ports.indices {
        let tiers: Set<String> = ["live", "last-resort"]
        let seen = records[id]?.endpoints(portIndex: port, nowSeconds: 0).filter {
          tiers.contains($0.metadata["tier"]!)
        }
        .map { "\($0.host):\($0.port)" }.sorted()
        let proven = MarathonRecord(app, policy: policy).endpoints(portIndex: port, nowSeconds: 0)
          .filter { tiers.contains($0.metadata["tier"]!) }.map { "\($0.host):\($0.port)" }.sorted()
        #expect(seen == proven, "\(id) port \(port)")
      }
    }
  }
}

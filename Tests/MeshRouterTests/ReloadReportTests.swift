import Config
import Testing

@testable import MeshRouter

@Suite("what a reload changes")
struct ReloadReportTests {
  private func load(_ yaml: String, token: String = "t") throws -> Configuration {
    let loaded = ConfigLoader.load(
      text: yaml, environment: { $0 == "TOKEN" ? token : nil }, readFile: { _ in "" })
    return try #require(loaded.configuration, "\(loaded.diagnostics)")
  }

  private static let yaml = """
    admin: {port: 9990, token: "${TOKEN}"}
    workers: 2
    namers:
    - {kind: io.l5d.fs, rootDir: /one}
    - {kind: io.l5d.fs, prefix: /second, rootDir: /two}
    routers:
    - {protocol: http, label: a, dtab: "/svc => /x", servers: [{port: 1}, {port: 2}]}
    - {protocol: http, label: b, servers: [{port: 3}]}

    """

  private func report(_ changes: (String, String)..., workers: Int = 2) throws -> ReloadReport {
    let changed = changes.reduce(Self.yaml) { text, change in text.replacing(change.0, with: change.1) }
    return ReloadReport(from: try load(Self.yaml), to: try load(changed), workers: workers, certificates: [])
  }

  @Test("an equal configuration changes nothing")
  func equal() throws {
    let report = try report()
    #expect(report.isEmpty && report.sentence == "nothing has changed")
    #expect(report.labels(.router, .unchanged) == ["a", "b"])
  }

  @Test("a table, a server and a router are told apart")
  func parts() throws {
    let table = try report(("/svc => /x", "/svc => /y"))
    #expect(table.labels(.dtab, .changed) == ["a"] && table.labels(.router, .changed) == [])
    let server = try report(("{port: 2}", "{port: 4}"), ("{port: 3}", "{port: 3, maxConnections: 9}"))
    #expect(
      server.labels(.server, .added) == ["a 127.0.0.1:4"] && server.labels(.server, .removed) == ["a 127.0.0.1:2"])
    #expect(server.labels(.server, .changed) == ["b 127.0.0.1:3"] && server.labels(.router, .changed) == [])
    let router = try report(("label: b", "label: b, bindingTimeoutMs: 5"))
    #expect(router.labels(.router, .changed) == ["b"] && router.labels(.server, .changed) == [])
    let renamed = try report(("label: b", "label: c"))
    #expect(renamed.labels(.router, .added) == ["c"] && renamed.labels(.router, .removed) == ["b"])
  }

  @Test("namers are known by their prefixes")
  func namers() throws {
    let changed = try report(("/two", "/three"))
    #expect(changed.labels(.namer, .changed) == ["/#/second"] && changed.labels(.namer, .unchanged) == ["/#/io.l5d.fs"])
    let renamed = try report(("/second", "/third"))
    #expect(renamed.labels(.namer, .added) == ["/#/third"] && renamed.labels(.namer, .removed) == ["/#/second"])
  }

  @Test("what needs a restart is named, stays as it was and stays masked")
  func restart() throws {
    let changed = Self.yaml.replacing("workers: 2", with: "workers: 8").replacing("port: 9990", with: "port: 9991")
      .replacing("dtab: \"/svc => /x\"", with: "dtab: \"/svc => /y\"")
    let (old, new) = (try load(Self.yaml, token: "first-secret"), try load(changed, token: "second-secret"))
    let report = ReloadReport(from: old, to: new, workers: 2, certificates: [])
    #expect(report.needsRestart == ["workers", "admin.port", "admin.token"])
    let applied = new.applied(over: old)
    #expect(applied.workers == 2 && applied.admin == old.admin && applied.routers == new.routers)
    #expect(!applied.effectiveJSON.contains("secret"))
    // Said again the next time, for it still holds.
    let again = ReloadReport(from: applied, to: new, workers: 2, certificates: [])
    #expect(again.needsRestart == report.needsRestart && again.labels(.dtab, .changed) == [])
  }
}

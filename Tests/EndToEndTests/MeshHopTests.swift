import Foundation
import TestSupport
import Testing

/// The pair of configurations in dtabs/, as two processes on one host.
@Suite("mesh hop", .serialized)
struct MeshHopTests {
  /// One of the two routers.
  private final class Half: @unchecked Sendable {
    let adminPort = Backend.freePort()
    private let process = Process()
    private let log: String

    init(_ file: String, port: Int, directory: String, environment: [String: String]) throws {
      let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      log = "\(directory)/\(file).log"
      _ = FileManager.default.createFile(atPath: log, contents: nil)
      process.executableURL = URL(fileURLWithPath: Products.path("meshrouter"))
      process.arguments = ["run", root.appendingPathComponent("dtabs/\(file)").path]
      process.environment = Sanitizer.environment.merging(environment) { $1 }
        .merging(["MESHROUTER_ADMIN_PORT": "\(adminPort)"]) { $1 }
      let output = FileHandle(forWritingAtPath: log)
      process.standardOutput = output
      process.standardError = output
      process.standardInput = FileHandle.nullDevice
      try process.run()
      for _ in 0..<1_500 {
        if let socket = try? RawSocket(connectingTo: port) {
          socket.close()
          return
        }
        guard process.isRunning else { break }
        usleep(20_000)
      }
      throw Router.StartError(description: self.output)
    }

    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    func metrics() -> String {
      Tool.run("/usr/bin/curl", ["-sS", "http://127.0.0.1:\(adminPort)/admin/metrics.json"]).output
    }
  }

  private final class Mesh: @unchecked Sendable {
    let port = Backend.freePort()
    let directory = "/tmp/meshrouter-e2e-mesh-\(UUID().uuidString.prefix(8))"
    let outgoing: Half
    let incoming: Half
    let meshPort = Backend.freePort()
    /// In front of the backends: takes either protocol, and its `Via` line tells which it was.
    let service: Router

    init() throws {
      service = try Router(server: "clearContext: false")
      for name in ["a", "b"] {
        service.service(name, ports: [Backend.echo().port(keptBy: service)])
      }
      try FileManager.default.createDirectory(atPath: directory + "/disco", withIntermediateDirectories: true)
      for name in ["a", "b"] {
        try "127.0.0.1 \(service.port)\n".write(
          toFile: "\(directory)/disco/\(name)", atomically: true, encoding: .utf8)
      }
      let environment = [
        "MESHROUTER_DISCO": directory + "/disco", "MESHROUTER_TLS": Certificates.shared.directory,
        "MESHROUTER_MESH_PORT": "\(meshPort)", "MESHROUTER_MESH_IP": "127.0.0.1", "MESHROUTER_PORT": "\(port)",
      ]
      incoming = try Half("mesh-incoming.yaml", port: meshPort, directory: directory, environment: environment)
      outgoing = try Half("mesh-outgoing.yaml", port: port, directory: directory, environment: environment)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// What the backend got, with the status behind it.
    func ask(_ arguments: [String]) -> String {
      Tool.run(
        "/usr/bin/curl",
        ["-sS", "-m", "10", "-w", " [%{http_code} %{http_version}]"] + arguments + ["http://127.0.0.1:\(port)/x"]
      ).output
    }
  }

  private func vias(_ echo: String) -> [String] {
    echo.components(separatedBy: "\r\n").filter { $0.lowercased().hasPrefix("via:") }.map { String($0.dropFirst(5)) }
  }

  @Test("both protocols cross in HTTP/2 with TLS and are themselves again behind it; context survives")
  func hop() throws {
    let mesh = try Mesh()
    for _ in 0..<500 where !mesh.outgoing.output.contains("listens on") { usleep(10_000) }
    #expect(mesh.incoming.output.contains("listens on https://127.0.0.1:\(mesh.meshPort)"))
    #expect(mesh.outgoing.output.contains("listens on http://127.0.0.1:\(mesh.port)"))

    let one = mesh.ask(["--http1.1", "-H", "Host: a", "-d", "body one"])
    #expect(one.hasSuffix("body one [200 1.1]"), "\(one)")
    #expect(vias(one) == ["1.1 meshrouter", "2 meshrouter", "1.1 meshrouter"], "\(one)")
    #expect(one.contains("l5d-orig-proto: HTTP/1.1"))
    let two = mesh.ask(["--http2-prior-knowledge", "-H", "Host: a", "-d", "body two"])
    #expect(two.hasSuffix("body two [200 2]"), "\(two)")
    #expect(vias(two) == ["2 meshrouter", "2 meshrouter", "2 meshrouter"], "\(two)")
    #expect(!two.contains("l5d-orig-proto"))

    for version in ["--http1.1", "--http2-prior-knowledge"] {
      // Span, parent, trace 0102030405060708 and flags.
      let trace = Data([0, 0, 0, 0, 0, 0, 0, 9] + [0, 0, 0, 0, 0, 0, 0, 8] + Array(1...8) + [0, 0, 0, 0, 0, 0, 0, 6])
      let deadline = "AAAAAAAAAAEAAAAAAAAAAg=="
      let echo = mesh.ask([
        version, "-H", "Host: a", "-H", "l5d-dtab: /svc/a => /svc/b", "-H", "l5d-ctx-deadline: \(deadline)", "-H",
        "l5d-ctx-trace: \(trace.base64EncodedString())",
      ])
      #expect(echo.contains("[200"), "\(echo)")
      #expect(echo.contains("l5d-ctx-deadline: \(deadline)"))
      #expect(echo.contains("l5d-reqid: 0102030405060708"), "\(echo)")
      // The override was in force at each of the routers, the last of which says where it led.
      #expect(echo.contains("l5d-ctx-dtab: /svc/a=>/svc/b") || echo.contains("l5d-ctx-dtab: /svc/a => /svc/b"))
      #expect(echo.contains("l5d-dst-client: /#/io.l5d.fs/b"), "\(echo)")
    }
  }

  @Test("many callers share few connections between the routers; only routers of the mesh come in")
  func shared() throws {
    let mesh = try Mesh()
    let load = Load()
    for index in 0..<8 {
      load.start {
        let version = index % 2 == 0 ? "--http1.1" : "--http2-prior-knowledge"
        for _ in 0..<4 {
          let answer = mesh.ask([version, "-H", "Host: a", "-d", "caller \(index)"])
          #expect(answer.contains("caller \(index) [200"), "\(answer)")
        }
      }
    }
    load.wait()
    let metrics = mesh.outgoing.metrics()
    let pattern = /"rt\/outgoing\/client\/[^"]*\/connects": ?(\d+)/
    let connects = try #require(metrics.firstMatch(of: pattern).flatMap { Int($0.output.1) }, "\(metrics)")
    // One for each worker.
    #expect(connects <= ProcessInfo.processInfo.activeProcessorCount, "\(connects)")

    let files = Certificates.shared
    let url = "https://a.svc.mesh/"
    #expect(Tool.curl(mesh.meshPort, url, ["-H", "Host: a"]).status != 0)
    #expect(Tool.curl(mesh.meshPort, url, ["-H", "Host: a"] + files.curlIdentity("stranger")).status != 0)
    let known = Tool.curl(mesh.meshPort, url, ["-H", "Host: a", "-H", "Via: 1.1 x"] + files.curlIdentity("node")).output
    #expect(known.hasSuffix("[200 2]"), "\(known)")
  }
}

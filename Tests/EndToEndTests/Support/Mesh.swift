import Foundation
import TestSupport

/// One of the two routers of a mesh hop.
final class MeshHalf: @unchecked Sendable {
  let adminPort = Backend.freePort()
  private let process = SpawnedProcess()
  private let log: String

  init(_ file: String, port: Int, directory: String, environment: [String: String]) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
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

/// The pair of configurations in dtabs/, as two processes on one host.
final class Mesh: @unchecked Sendable {
  let port = Backend.freePort()
  let directory = "/tmp/meshrouter-e2e-mesh-\(UUID().uuidString.prefix(8))"
  let outgoing: MeshHalf
  let incoming: MeshHalf
  let meshPort = Backend.freePort()
  /// In front of the backends: takes either protocol, and its `Via` line tells which it was.
  let service: Router

  /// `link` stands between the two where it is given, and is told the far router's port.
  init(link: ((Int) -> Int)? = nil) throws {
    service = try Router(server: "clearContext: false")
    for name in ["a", "b"] {
      service.service(name, ports: [Backend.echo().port(keptBy: service)])
    }
    try FileManager.default.createDirectory(atPath: directory + "/disco", withIntermediateDirectories: true)
    for name in ["a", "b"] {
      try "127.0.0.1 \(service.port)\n".write(
        toFile: "\(directory)/disco/\(name)", atomically: true, encoding: .utf8)
    }
    var environment = [
      "MESHROUTER_DISCO": directory + "/disco", "MESHROUTER_TLS": Certificates.shared.directory,
      "MESHROUTER_MESH_PORT": "\(meshPort)", "MESHROUTER_MESH_IP": "127.0.0.1", "MESHROUTER_PORT": "\(port)",
    ]
    incoming = try MeshHalf("mesh-incoming.yaml", port: meshPort, directory: directory, environment: environment)
    if let link { environment["MESHROUTER_MESH_PORT"] = "\(link(meshPort))" }
    outgoing = try MeshHalf("mesh-outgoing.yaml", port: port, directory: directory, environment: environment)
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
